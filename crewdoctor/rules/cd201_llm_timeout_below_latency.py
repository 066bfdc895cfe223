"""The model answers, but later than its timeout allows.

## What it compares
The timeout in force for one wait (`timeout.read`: until the first byte of a plain answer, or between two chunks of a
streamed one) with the waits that were measured. crewdoctor's raw calls run with a longer timeout than the user's, so
a latency beyond it is seen, not cut off; a call the user's timeout did cut off counts as longer than it. Error when
such a call happened, or when so many of n exceed that a timeout below the 95th percentile is the only likely reason
(2 of 5, 3 of 10, 4 of 20: binomial). Warning when one exceeds, or when a timeout somebody wrote is less than twice
the longest.

## Why it matters
A timeout is chosen with a ping in mind; a real prompt, a cold model or a loaded provider takes several times as long.
The SDK then retries, crewAI runs the whole task again, and every attempt waits the timeout out anew: the crew is
slow, pays for answers it throws away, and reports "Failed to connect to OpenAI API: Request timed out."

## Example
`LLM(model="openai/gpt-4o", timeout=2)` where answers take 4.6 s: nine requests, 22 s, no answer.

## How to fix
Set the timeout to about three times the longest measured wait, and bound the number of attempts (`max_retries`)
instead.

## References
- openai-python, "Timeouts" and "Retries"; `_base_client.py`
- AWS Builders' Library, "Timeouts, retries and backoff with jitter": a timeout from a latency percentile
- Hahn and Meeker, Statistical Intervals: distribution-free bounds
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crewdoctor import bounded_models, wording
from crewdoctor.budget import cost
from crewdoctor.calls import MODEL_KEYS, Attempt, as_the_crew, attempts, overload, rounded_up
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.remedies import roomier
from crewdoctor.sampling import exceedance_claim

MARGIN = 2.0
"""Ours: below twice the longest of a handful of calls, a busier hour is enough to cross it."""
SILENT = 10.0
"""Seconds without any answer from which the model is not slow but silent (CD208)."""


@rule(
    "CD201",
    since="0.1",
    needs=("span:llm.call", "setting:llm.timeout.read"),
    uses=(*MODEL_KEYS, "inventory", "ledger", "setting:llm.max_retries"),
)
def llm_timeout_below_latency(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model whose timeout its own answers outlive, or nearly."""
    for llm in evidence.inventory.llms:
        setting = evidence.setting("llm", "timeout.read", llm.subject)
        if setting is None or not isinstance(setting.value, Seconds):
            continue
        stream = bool(llm.attrs.get("stream"))
        made = [like for each in attempts(evidence, llm) if (like := _comparable(each, stream=stream))]
        finding = _judge(evidence, llm, setting, made)
        if finding:
            yield finding


def _comparable(attempt: Attempt, *, stream: bool) -> Attempt | None:
    """The attempt as the crew would wait for it; None where it says nothing about that.

    A streamed answer of full length stands for a plain one: the crew would wait for all of it at once.
    """
    if attempt.stream == stream:
        return attempt
    whole = not stream and attempt.ok and attempt.call.attrs.get("kind") == "full"
    return replace(attempt, latency=attempt.call.seconds()) if whole else None


def _judge(evidence: Evidence, llm: LlmEntry, setting: Setting, made: list[Attempt]) -> Finding | None:
    assert isinstance(setting.value, Seconds)
    allowed = setting.value.value
    answered = [each for each in made if each.ok and each.latency is not None]
    cut = [each for each in made if each.timed_out and each.seconds <= allowed * 1.5 + 1 and not each.raw]
    silent = any(not each.answered and each.seconds >= SILENT for each in made)
    if not answered and (silent or not cut):
        return None
    beyond = [each for each in answered if (each.latency or 0.0) > allowed]
    longest = max(answered, key=lambda each: each.latency or 0.0, default=None)
    seen = (longest.latency or 0.0) if longest else 0.0
    hits, count = len(beyond) + len(cut), len(answered) + len(cut)
    happened = any(as_the_crew(each) or each.call.attrs.get("kind") == "configured" for each in cut)
    if happened or (hits and (exceedance_claim(hits, count) or hits == count > 1)):
        severity = Severity.ERROR
    elif hits or (setting.written and allowed < MARGIN * seen):
        severity = Severity.WARNING
    else:
        return None
    return _finding(evidence, llm, setting, severity, [*beyond, *cut], answered, hits=hits, count=count, seen=seen)


def _finding(  # noqa: PLR0913 - the facts of one sentence
    evidence: Evidence,
    llm: LlmEntry,
    setting: Setting,
    severity: Severity,
    over: list[Attempt],
    answered: list[Attempt],
    *,
    hits: int,
    count: int,
    seen: float,
) -> Finding:
    assert isinstance(setting.value, Seconds)
    allowed, longest = setting.value.value, max([seen, *(each.seconds for each in over)])
    shown = [*over, *sorted(answered, key=lambda each: -(each.latency or 0.0))[:1]]
    retries = evidence.setting("llm", "max_retries", llm.subject)
    terms = evidence.ledger.terms(llm.subject, begun=bool(over) and all(each.stood_still(allowed) for each in over))
    wanted = rounded_up(3 * longest)
    if hits:
        slow = f"answered after up to {wording.seconds(seen)}" if seen > allowed else "did not answer in time"
        text = f"{hits} of {wording.plural(count, 'request')} outlived it: {llm.model} {slow}"
    else:
        took = f"{llm.model} took up to {wording.seconds(seen)} ({wording.sample(count)})"
        text = f"{took}, less than half of it to spare"
    told = f" Every attempt waits it out: {terms.attempts} for one call, {terms.formula}." if terms else ""
    retried = told if terms and hits and terms.attempts > 1 else ""
    return Finding(
        code="CD201",
        slug="llm_timeout_below_latency",
        severity=severity,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{llm.subject} may wait {wording.exact(allowed)} "
            f"{'between two chunks' if llm.attrs.get('stream') else 'for an answer'} ({setting.provenance.where}), "
            f"and {text}.{retried}{overload(evidence)}"
        ),
        evidence=tuple(dict.fromkeys([*(span.id for each in shown for span in (each.span, each.call)), setting.id])),
        measured=Quantity("longest wait for an answer", Seconds(round(longest, 3)), n=count),
        limit=Quantity("timeout.read", setting.value, where=setting.provenance.where),
        location=setting.provenance.location,
        fix=roomier(setting, wanted, longest, retries, bounded_models.replaced(llm, wanted)),
        lost=cost(terms.task, longest) if terms and hits else 0.0,
        depends_on=(llm.endpoint,) if llm.endpoint else (),
        observed=bool(hits),
        attrs={"suggested": str(wanted)},
    )
