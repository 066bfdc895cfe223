"""The provider turns requests away only when many kickoffs run at once.

## What it compares
Answers 429 at each number of kickoffs at once with none when one ran alone; and the requests made in the busiest
minute with the limit the provider states. Error when calls failed for it, warning when retries got through.

## Why it matters
A limit per minute is shared by every kickoff, and by every retry of each: the SDK's, crewAI's and the agent's. Beyond
it more kickoffs mean more 429 and no more answers. `max_rpm` does not help: each copy of a crew that
`kickoff_for_each` makes has a limiter of its own.

## Example
None of 6 requests alone was turned away, 21 of 64 with 8 kickoffs at once; the provider allows 60 a minute.

## How to fix
Start so many kickoffs at once that their requests keep within the limit (limit x latency, Little's law), with one
limiter for all of them; or a higher tier.

## References
- RFC 6585 section 4 (429), RFC 9110 section 10.2.3 (Retry-After)
- crewAI `crew.py`, `copy()`: a new RPMController for each copy, seen in 1.15.30
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import TOO_MANY
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.ramp import Level, Ramp, ramp

WINDOW = 60.0
GATE = "gate = asyncio.Semaphore({n})  # around each kickoff: async with gate: ..."


@rule("CD604", since="0.1", needs=("span:scale.level", "result:scale.ramp"), uses=("inventory",))
def rate_limit_reached_at_n(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model, at the first level that met the limit."""
    climbed = ramp(evidence)
    if climbed is None:
        return
    for llm in evidence.inventory.llms:
        if any(map(_limited, _requests(climbed.alone, llm))):
            continue
        for level in climbed.loaded:
            limited = [each for each in _requests(level, llm) if _limited(each)]
            if limited:
                yield _finding(evidence, llm, climbed, level, limited)
                break


def _requests(level: Level, llm: LlmEntry) -> list[Span]:
    subjects = {llm.subject, *llm.users}
    return [each for each in level.named("http.request") if each.subject in subjects]


def _limited(span: Span) -> bool:
    failed = span.failure is not None and span.failure.kind is FailureKind.HTTP_RATE_LIMITED
    return failed or span.attrs.get("status") == TOO_MANY


def _finding(evidence: Evidence, llm: LlmEntry, climbed: Ramp, level: Level, limited: list[Span]) -> Finding:
    made = _requests(level, llm)
    calls = {span.id for span in level.named("llm.call") if span.failure is not None}
    failed = [each for each in limited if each.parent in calls] or [
        each for each in level.named("scale.kickoff") if each.failure is not None
    ]
    stated = max((_stated(each) for each in limited), default=0)
    before = [each for held in climbed.levels for each in _requests(held, llm)]
    at = limited[0].start
    busiest = sum(at - WINDOW < each.start <= at for each in before)
    low = max((held.n for held in climbed.levels if held.n < level.n), default=1)
    told = f"; the provider allows {stated} a minute, and {busiest} were made in the minute before" if stated else ""
    outcome = "calls failed for it" if failed else "retries got through"
    return Finding(
        code="CD604",
        slug="rate_limit_reached_at_n",
        severity=Severity.ERROR if failed else Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{llm.subject} ({llm.model}) is rate limited from {level.n} kickoffs at once on: "
            f"{len(limited)} of {wording.plural(len(made), 'request')} were answered 429, none with {low}{told}; "
            f"{outcome}."
        ),
        evidence=tuple(dict.fromkeys((level.span.id, *(each.id for each in (*limited, *failed))))),
        measured=Quantity("requests in the minute before", busiest, "requests", n=len(made)) if stated else None,
        limit=Quantity("x-ratelimit-limit-requests", stated, "requests per minute", where="header of the answer")
        if stated
        else None,
        fix=Fix(f"Start at most {low} at once, with one limiter for all of them", GATE.format(n=low)),
        lost=sum(each.seconds(evidence.end_of(each)) for each in (*limited, *level.named("retry.backoff"))),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
        attrs={"change": f"gate:{low}"},
    )


def _stated(span: Span) -> int:
    """The limit a minute an answer names, 0 for none."""
    headers = span.attrs.get("ratelimit")
    named = {str(name).lower(): value for name, value in headers.items()} if isinstance(headers, dict) else {}
    held = named.get("x-ratelimit-limit-requests") or named.get("limit-requests") or 0
    return int(held) if str(held).isdigit() else 0
