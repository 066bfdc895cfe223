"""One model call became many requests, and all of them failed.

## What it compares
Requests counted on the wire with the model calls the crew asked for. Three layers repeat a failing call without
knowing of each other: the SDK (`max_retries` + 1), crewAI's rate limit layer (3, on 429 only) and the agent
(`max_retry_limit` + 1, which repeats the whole task). They multiply. It speaks where a run of failures was not ended
by a success. With `--prove` the same is counted before any storm has come, against a server of ours: that is a note.

## Why it matters
Retries help against a lost packet. Against an outage they turn one failure into 9 (27 on 429), keep the user waiting
for all of them, and add load exactly where there is too much. crewAI's events show one call; only the wire shows the
rest.

## Example
A provider that answers 500: 9 requests and 4.7 s before the crew fails, on defaults; 401 is repeated 3 times as well.

## How to fix
Retry in one layer. Keep the SDK's (it backs off and honours Retry-After): `Agent(max_retry_limit=0)`.

## References
- AWS Builders' Library, "Timeouts, retries and backoff with jitter": retries at several layers multiply
- Google SRE Book, chapter 22, "Addressing cascading failures"
- crewAI `agent/core.py` (max_retry_limit), `llms/retry.py`; openai-python `_base_client.py`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import LlmTerms
from crewdoctor.calls import Attempt, as_the_crew, attempts
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Location
from crewdoctor.multiplied import PROOF_KEYS, Multiplied, cause_of, multiplied

FACTOR = 2


@rule(
    "CD213",
    since="0.1",
    needs=("span:http.request|experiments", "span:llm.call|experiments"),
    uses=("span:http.request", "span:llm.call", "ledger", *PROOF_KEYS),
)
def retries_multiply(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model whose longest run of failures in the crew was never ended by a success."""
    for llm in evidence.inventory.llms:
        storm = _longest_storm([each for each in attempts(evidence, llm) if _counts(each)])
        foretold = multiplied(evidence, llm)
        if len(storm) >= FACTOR:
            yield _finding(evidence, llm, storm)
        elif foretold is not None:
            yield _note(llm, foretold)


def _note(llm: LlmEntry, seen: Multiplied) -> Finding:
    again = f", {seen.all} in {seen.executions} executions of its task" if seen.executions > 1 else ""
    return Finding(
        code="CD213",
        slug="retries_multiply",
        severity=Severity.INFO,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"Where the server of {llm.subject} answers {seen.status}, one call becomes {seen.requests} requests"
            f"{again}. Proved: {seen.said}."
        ),
        evidence=seen.evidence,
        observed=False,
    )


def _counts(attempt: Attempt) -> bool:
    """Whether the crew would make it. A rate limit that crewdoctor's own calls met is not the crew's."""
    return as_the_crew(attempt) and not (attempt.limited and attempt.span.step.startswith("llm."))


def _longest_storm(made: list[Attempt]) -> list[Attempt]:
    """Return the requests at the end of a step that all failed: none of them was let through."""
    storms: dict[str, list[Attempt]] = {}
    for each in made:
        if each.ok:
            storms[each.span.step] = []
        elif each.span.name == "http.request" and not each.ours:
            storms.setdefault(each.span.step, []).append(each)
    return max(storms.values(), key=len, default=[])


def _finding(evidence: Evidence, llm: LlmEntry, storm: list[Attempt]) -> Finding:
    terms = evidence.ledger.terms(llm.subject)
    causes = [cause_of(each) for each in storm]
    cause = max(dict.fromkeys(causes), key=causes.count)
    calls = [each.call.id for each in storm]
    repeated = (max(calls.count(each) for each in calls) > 1, len(set(calls)) > 1)
    layers, ids, location, fix = _layers(terms, limited=any(each.limited for each in storm), repeated=repeated)
    seconds = max(each.span.start + each.seconds for each in storm) - storm[0].span.start
    return Finding(
        code="CD213",
        slug="retries_multiply",
        severity=Severity.ERROR,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{llm.subject}: one model call became {len(storm)} requests in {wording.seconds(seconds)}, and none "
            f"got through ({cause}){f': {layers}' if layers else ''}."
        ),
        evidence=(*(each.span.id for each in storm), *ids),
        measured=Quantity("requests", len(storm), "requests", n=len(storm)),
        limit=Quantity("model calls asked for", 1, "calls", where="crew"),
        location=location,
        fix=fix,
        lost=seconds,
        depends_on=tuple(each for each in (llm.subject, llm.endpoint) if each),
    )


def _layers(
    terms: LlmTerms | None, *, limited: bool, repeated: tuple[bool, bool]
) -> tuple[str, tuple[str, ...], Location | None, Fix]:
    """Name what multiplies, the largest factor's setting first; and the setting to turn down.

    `repeated`: whether a call was sent more than once (the SDK repeats no 401 and no stream that broke), and whether
    there was more than one call (crewdoctor ends a crew whose failure it has seen before).
    """
    fix = Fix(
        "See why the server fails; retry in one layer, the SDK's, which backs off", "Agent(..., max_retry_limit=0)"
    )
    if terms is None:
        return "", (), None, fix
    known = [
        (terms.retries + 1, "attempts of the SDK", "max_retries", terms.retries_setting),
        (terms.executions, "executions of the task", "max_retry_limit", terms.executions_setting),
    ]
    factors = [each for each, seen in zip(known, repeated, strict=True) if seen and each[0] > 1]
    factors.sort(key=lambda each: (-each[0], each[2] == "max_retries"))
    parts = [f"{count} {what} ({name}={count - 1})" for count, what, name, _ in factors]
    if limited:
        parts.append("3 attempts of crewAI on 429")
    held = [setting for *_, setting in factors if setting is not None]
    if factors and factors[0][2] == "max_retries":
        fix = Fix("See why the server fails; retry less in the SDK", "LLM(..., max_retries=0)")
    place = held[0].provenance.location if held else None
    return f" {wording.TIMES} ".join(parts), tuple(setting.id for setting in held), place, fix
