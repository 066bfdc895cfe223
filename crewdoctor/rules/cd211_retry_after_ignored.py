"""The server says when to come back, and is asked again before that.

## What it compares
The `Retry-After` of an answer 429 or 503 with the pause until the next request of the same call, or of the call that
repeats it, counted on the wire of the crew's own run. With `--prove` the same is counted against a server of ours that
asks for three seconds: that is a note, since no crew met it.

## Why it matters
A provider that is asked again too soon counts that request as well, and some answer it with a longer ban. crewAI's own
layer (three attempts on 429) does not read the header where a client of httpx raised the error: it looks for a dict,
and httpx's headers are none. The SDKs of OpenAI, Anthropic, Azure and Amazon do keep to it.

## Example
429 with `Retry-After: 6`, asked again after 1.0 s and 1.7 s.

## How to fix
Let the SDK retry, which waits as asked: `LLM(..., max_retries=5)`; and ask for less: `Crew(..., max_rpm=...)`.

## References
- RFC 9110, section 10.2.3 (Retry-After)
- crewAI 1.15.30 `llms/retry.py` (`_retry_after_seconds`); openai-python `_base_client.py` (`_parse_retry_after_header`)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor import wording
from crewdoctor.calls import MODEL_KEYS, Attempt, attempts, in_crew
from crewdoctor.llm.experiments import RETRY_AFTER
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.proofs import PROOF_KEYS, counted, early

SOON = 0.5
"""Seconds: a pause that is shorter by more than this was not meant to keep to it. Ours."""
STATUSES = frozenset({429, 503})
_FIX = Fix("Let the SDK repeat it, which waits as asked; and stay below the limit", "LLM(..., max_retries=5)")


@rule(
    "CD211",
    since="0.1",
    needs=("span:http.request|experiments", "span:llm.call|experiments"),
    uses=(*MODEL_KEYS, *PROOF_KEYS),
)
def retry_after_ignored(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model: the request that came soonest; a note where only an experiment met it."""
    for llm in evidence.inventory.llms:
        made = [each for each in attempts(evidence, llm) if in_crew(each.span)]
        pairs = [
            (limited, again) for limited, again in _repeated(made) if _pause(limited, again) < _asked(limited) - SOON
        ]
        if pairs:
            yield _finding(llm, min(pairs, key=lambda each: _pause(*each)), len(pairs))
            continue
        for trial in counted(evidence, llm.subject):
            if trial.phase == "429 retry-after" and (soonest := early(trial)):
                yield _note(llm, min(soonest), trial.span)


def _repeated(made: list[Attempt]) -> Iterator[tuple[Attempt, Attempt]]:
    """A request that was told when to come back, and the next one of the same caller."""
    last: dict[tuple[Any, ...], Attempt] = {}
    for each in sorted(made, key=lambda held: held.span.start):
        caller = (each.span.step, each.call.parent, each.span.attrs.get("thread"))
        before = last.get(caller)
        if before is not None and before.status in STATUSES and _asked(before) > 0 and _pause(before, each) >= 0:
            yield before, each
        last[caller] = each


def _pause(limited: Attempt, again: Attempt) -> float:
    return again.span.start - (limited.span.start + limited.seconds)


def _asked(limited: Attempt) -> float:
    """Seconds it asked for; 0 where it asked for none, or for a date."""
    try:
        return float(limited.span.attrs.get("retry_after") or 0)
    except (TypeError, ValueError):
        return 0.0


def _finding(llm: LlmEntry, soonest: tuple[Attempt, Attempt], count: int) -> Finding:
    limited, again = soonest
    asked, pause = _asked(limited), _pause(limited, again)
    more = f" ({count} times in this run)" if count > 1 else ""
    return Finding(
        code="CD211",
        slug="retry_after_ignored",
        severity=Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"The server of {llm.subject} ({llm.model}) answered {limited.status} and asked to wait "
            f"{wording.exact(asked)}; it was asked again after {wording.seconds(pause)}{more}."
        ),
        evidence=(limited.span.id, again.span.id),
        measured=Quantity("asked again after", Seconds(round(pause, 3)), n=count),
        limit=Quantity("Retry-After", Seconds(asked), where="header of the answer"),
        fix=_FIX,
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )


def _note(llm: LlmEntry, pause: float, span: str) -> Finding:
    return Finding(
        code="CD211",
        slug="retry_after_ignored",
        severity=Severity.INFO,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"A server of {llm.subject} ({llm.model}) that asks to wait {RETRY_AFTER} s is asked again after "
            f"{wording.seconds(pause)}: proved against one of ours."
        ),
        evidence=(span,),
        fix=_FIX,
        observed=False,
    )
