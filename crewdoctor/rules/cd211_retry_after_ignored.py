"""The provider said when to come back, and the next request came sooner.

## What it compares
The `Retry-After` of an answer with 429 or 503 with the pause until the next request to the same model in the same run,
on the wire.

## Why it matters
Whoever comes back too soon is turned away again, is often counted as having asked, and uses up its attempts within
seconds of a limit that would have ended by itself: the run fails for want of a little patience. crewAI 1.15's own
retries after a rate limit do not read the header of openai's answers; the SDK's do, up to two minutes.

## Example
429 with `Retry-After: 4`; the next request came 0.8 s later and was turned away as well.

## How to fix
Leave the retries to the SDK, which reads the header: raise `max_retries`, so that it still waits when crewAI would
begin anew. And stay below the limit: `max_rpm`.

## References
- RFC 9110, 10.2.3, "Retry-After"
- openai-python `_base_client.py`, `_calculate_retry_timeout`
- crewAI `llms/retry.py` (1.15.30): looks for a `dict` of headers, and httpx has its own type
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from crewdoctor import wording
from crewdoctor.calls import Attempt, as_the_crew, attempts
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

SOONER = 0.8
"""Ours: from this share of what was asked for, clocks and rounding are to blame."""
SHORTEST = 1.0
"""Seconds: a pause below it is none worth a word."""
_STATUSES = frozenset({429, 503})


@rule("CD211", since="0.1", needs=("span:http.request", "span:llm.call"), uses=("inventory",))
def retry_after_ignored(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model: the pause that fell shortest."""
    for llm in evidence.inventory.llms:
        made = [each for each in attempts(evidence, llm) if as_the_crew(each) and each.span.name == "http.request"]
        short = [
            (pause, asked, first, then)
            for first, then in pairwise(made)
            if first.span.step == then.span.step and first.status in _STATUSES
            for asked in _asked(first)
            if (pause := then.span.start - first.span.start - first.seconds) < SOONER * asked
        ]
        if short:
            yield _finding(llm, *min(short, key=lambda each: each[0] / each[1]), len(short))


def _asked(attempt: Attempt) -> list[float]:
    """Seconds it was asked to wait. A date says nothing without the server's clock."""
    try:
        held = float(attempt.span.attrs.get("retry_after") or 0)
    except (TypeError, ValueError):
        return []
    return [held] if held >= SHORTEST else []


def _finding(llm: LlmEntry, pause: float, asked: float, first: Attempt, then: Attempt, count: int) -> Finding:
    again = " and was turned away as well" if then.status in _STATUSES else ""
    others = f" ({wording.plural(count, 'time')} in all)" if count > 1 else ""
    return Finding(
        code="CD211",
        slug="retry_after_ignored",
        severity=Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=(
            f"{llm.subject} was answered {first.status} with `Retry-After: {asked:g}`, and the next request came "
            f"{wording.seconds(max(0.0, pause))} later{again}{others}."
        ),
        evidence=(first.span.id, then.span.id),
        measured=Quantity("pause before the next request", Seconds(round(max(0.0, pause), 3)), n=count),
        limit=Quantity("Retry-After", Seconds(asked), where="header of the answer"),
        fix=Fix("Leave the waiting to the SDK, which reads the header", "LLM(..., max_retries=5)"),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )
