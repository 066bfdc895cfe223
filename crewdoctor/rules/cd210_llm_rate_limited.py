"""The provider turns requests away because there were too many.

## What it compares
The requests that were answered 429 with the limit the provider states (`x-ratelimit-limit-requests`, else how long it
asks to wait in `Retry-After`). With the latency that was measured, Little's law gives the concurrency such a limit
allows: limit x latency. Error when a call of this crew failed for it; warning when its retries got through; a note
where only crewdoctor's own call met it and the crew, in the same minute, did not.

## Why it matters
Three layers retry a 429: the SDK (2), crewAI's rate limit layer (3, and for openai it ignores Retry-After), and the
agent (`max_retry_limit`, 3). One call becomes up to 27 requests, all of which count against the same limit.

## Example
A key of 3 requests a minute under a crew that makes eight calls: 27 requests for the fourth, then an exception.

## How to fix
Stay below the limit: `Crew(max_rpm=...)` (which sleeps whole minutes, and counts per copy of the crew), fewer agents
at once, or a higher tier. Retrying harder makes it worse.

## References
- RFC 6585 section 4 (429), RFC 9110 section 10.2.3 (Retry-After); OpenAI, "Rate limits": the x-ratelimit headers
- Little, "A proof for the queuing formula L = λW"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor import wording
from crewdoctor.calls import MODEL_KEYS, ONCE, Attempt, attempts, in_crew
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

WINDOW = 60.0
MARGIN = 2
"""Ours: a limit twice what the crew needs in its busiest minute is no concern of this crew."""
_LIMIT = "x-ratelimit-limit-requests"


@rule("CD210", since="0.1", needs=("span:http.request", "span:llm.call"), uses=("span:retry.backoff", "inventory"))
def llm_rate_limited(evidence: Evidence) -> Iterator[Finding]:
    """One finding per model that answered 429."""
    for llm in evidence.inventory.llms:
        made = attempts(evidence, llm)
        limited = [each for each in made if each.limited and not each.final]
        if limited:
            yield _finding(evidence, llm, made, limited)


def _finding(evidence: Evidence, llm: LlmEntry, made: list[Attempt], limited: list[Attempt]) -> Finding:
    crew = [each for each in limited if _of_crew(each)]
    lost = [each for each in crew if not _got_through(each, made)]
    failed = any(each.call.failure is not None for each in lost)
    gave_up = failed or any(each.call.open for each in lost)
    stated, after = _stated(limited)
    window = [each for each in made if limited[0].span.start - WINDOW < each.span.start <= limited[0].span.start]
    ours = sum(1 for each in window if not _of_crew(each))
    allowed = stated or sum(each.ok for each in window)
    needed = _busiest_minute([each for each in made if _of_crew(each)])
    latency = [each.latency for each in made if each.ok and each.latency]
    measured: Quantity | None = None
    limit: Quantity | None = None
    text = f"{len(limited)} of {wording.plural(len(made), 'request')} were answered 429"
    if stated:
        measured = Quantity("requests in the 60 s before the first 429", len(window), "requests", n=len(window))
        limit = Quantity(_LIMIT, stated, "requests per minute", where="header of the answer")
        text += f"; the provider allows {stated} a minute"
        if latency:
            text += f", which at {wording.seconds(max(latency))} a call is {_at_once(stated / 60 * max(latency))}"
    elif after is not None:
        measured = Quantity("requests answered 429", len(limited), "requests", n=len(made))
        limit = Quantity("Retry-After", Seconds(after), where="header of the answer")
        text += f"; it asks to wait {wording.exact(after)}"
    if ours:
        text += f" ({ours} of the {len(window)} requests in that minute were crewdoctor's own)"
    still = "the crew was still being turned away when it was ended" if gave_up else "retries got through"
    outcome = "the crew's call failed for it" if failed else still
    if not crew:
        outcome = f"the crew itself, with {needed} in a minute, met no limit" if needed else "the crew was not run"
    soon = [each for each in made if _of_crew(each) and 0 < each.span.start - limited[-1].span.start < WINDOW]
    spare = not crew and needed > 0 and (allowed >= MARGIN * needed or (not stated and len(soon) >= needed))
    pauses = sum(span.seconds(evidence.end_of(span)) for span in evidence.spans("retry.backoff") if in_crew(span))
    return Finding(
        code="CD210",
        slug="llm_rate_limited",
        severity=Severity.ERROR if gave_up else Severity.INFO if spare else Severity.WARNING,
        layer=Layer.LLM,
        subject=llm.subject,
        message=f"{llm.subject} ({llm.model}) is rate limited: {text}; {outcome}.",
        evidence=tuple(dict.fromkeys(each.span.id for each in limited)),
        measured=measured,
        limit=limit,
        fix=Fix(
            "Stay below the limit, and retry in one layer only",
            f"Crew(..., max_rpm={max(1, stated - 1 if stated else allowed)})  # and LLM(..., max_retries=0)",
        ),
        lost=pauses + sum(each.seconds for each in limited),
        depends_on=(llm.endpoint,) if llm.endpoint else (),
    )


def _of_crew(attempt: Attempt) -> bool:
    """Whether the crew's own run made it; what is asked of its model alone is crewdoctor's."""
    return attempt.span.step.startswith("crew.") or attempt.call.attrs.get("kind") == ONCE


def _got_through(attempt: Attempt, made: list[Attempt]) -> bool:
    """Whether a later request of the same run was let through: its call, or the crew's next, went on."""
    at, step = attempt.span.start, attempt.span.step
    return any(each.ok and each.span.step == step and each.span.start > at for each in made)


def _busiest_minute(made: list[Attempt]) -> int:
    """The most requests begun within one window."""
    begun = [each.span.start for each in made]
    return max((sum(start <= other < start + WINDOW for other in begun) for start in begun), default=0)


def _at_once(concurrency: float) -> str:
    """Little's law in words."""
    return f"{concurrency:.1f} at once" if concurrency >= 1 else "less than one at a time"


def _stated(limited: list[Attempt]) -> tuple[int, float | None]:
    """Read the limit per minute (0: not stated) and the longest Retry-After (None: not stated)."""
    limits, pauses = [], []
    for each in limited:
        for attrs in (each.span.attrs, each.call.attrs):
            headers: Any = attrs.get("ratelimit")
            for name, value in headers.items() if isinstance(headers, dict) else ():
                if name.lower().removeprefix("x-ratelimit-") in {"limit-requests", "limit"}:
                    limits.append(_number(value))
            pauses.append(_number(attrs.get("retry_after")))
    known = [pause for pause in pauses if pause is not None]
    return int(max((limit for limit in limits if limit is not None), default=0)), max(known, default=None)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


__all__ = ["MODEL_KEYS", "llm_rate_limited"]
