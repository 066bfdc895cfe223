"""A tool takes most of the crew's time, all by itself.

## What it compares
The latency of the tool called alone with the time of the whole kickoff: from 10 s, and from half of the crew's time
where a kickoff was measured (both ours). It says what the time was: waiting for which host, own computation, a lock,
a child process. A tool that was still computing or sleeping at crewdoctor's deadline is reported here too: it may end
by itself.

## Why it matters
A slow tool is not broken, and no timeout is wrong; but it is where the time goes. The agent waits for it in silence,
its `max_execution_time` runs meanwhile, and with several agents it holds a worker thread each.

## Example
A report tool that takes 24 s of a 31 s crew, 23 s of them waiting for reports.internal:443.

## How to fix
Own computation: move it out of the agent's path, compute before or in a process of its own. A host: ask for less,
cache, or ask it in parallel. Nothing to gain: leave it, and allow for it in every limit around it.

## References
- Google SRE Book, chapter 22: latency of a backend becomes the occupancy of its callers' threads
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Span
from crewdoctor.toolcalls import (
    ALONE,
    TOOL_KEYS,
    ToolCalls,
    depends_on,
    failure_of,
    hosts,
    still_failing,
    tool_calls,
    wires,
)
from crewdoctor.waits import NETWORK, OWN_BOUND, WAIT_KEYS, blocked, unfinished

SLOW = 10.0
SHARE = 0.5


@rule("CD303", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, *WAIT_KEYS, "span:crew.kickoff"))
def tool_slow(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool that is slow alone and dominates the crew."""
    kickoffs = [span for span in evidence.spans("crew.kickoff") if span.end is not None]
    for calls in tool_calls(evidence):
        standing = [
            span
            for span in (*calls.alone, *(calls.crew if evidence.program else ()))
            if unfinished(span) and not still_failing(evidence, span) and _busy(evidence, span)
        ]
        ended = [span for span in calls.alone if not unfinished(span)] or calls.crew
        done = [span for span in ended if not unfinished(span) and failure_of(evidence, span) is None]
        slowest = max((*standing, *done), key=lambda span: span.seconds(evidence.end_of(span)), default=None)
        if slowest is None or slowest.seconds(evidence.end_of(slowest)) < SLOW:
            continue
        total = sum(span.seconds() for span in kickoffs)
        spent = sum(span.seconds(evidence.end_of(span)) for span in calls.crew)
        if total and not standing and spent < SHARE * total:
            continue
        yield _finding(evidence, calls, slowest, spent, total)


def _busy(evidence: Evidence, span: Span) -> bool:
    """Whether what it was doing at our deadline is its own doing, or was not seen, or had only just begun."""
    wait = blocked(evidence, span)
    fresh = bool(_answered(evidence, span)) and wait.silent < SLOW / 2 and not wait.moving
    return wait.waiting in {*OWN_BOUND, "unknown", ""} or fresh


def _answered(evidence: Evidence, span: Span) -> list[Span]:
    return [each for each in wires(evidence, span, "http.request") if each.end is not None and each.failure is None]


def _finding(evidence: Evidence, calls: ToolCalls, span: Span, spent: float, total: float) -> Finding:
    tool = calls.tool
    took = span.seconds(evidence.end_of(span))
    wait = blocked(evidence, span)
    asked = hosts(evidence, span)
    answers = _answered(evidence, span)
    where = "alone" if span.step.startswith(ALONE) else "in the crew"
    network = sum(each.seconds(evidence.end_of(each)) for each in wires(evidence, span, "net.exchange", "http.request"))
    if unfinished(span):
        text = f"had not finished after {wording.seconds(took)} {where}; it was in {wait.text}"
        if answers:
            to = f" to {asked[0]}" if asked else ""
            text += f", after {wording.plural(len(answers), 'request')}{to}, each answered"
    elif asked and network >= SHARE * took:
        text = f"took {wording.seconds(took)} {where}, waiting for {asked[0]}"
    elif wait.waiting not in {*NETWORK, "unknown", ""}:
        text = f"took {wording.seconds(took)} {where}, in {wait.text}"
    else:
        text = f"took {wording.seconds(took)} {where}"
    share = f"; {wording.seconds(spent)} of the crew's {wording.seconds(total)}" if spent and total else ""
    return Finding(
        code="CD303",
        slug="tool_slow",
        severity=Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=f"Tool `{tool.name}` {text}{share}.{overload(evidence)}",
        evidence=tuple(dict.fromkeys((span.id, *wait.ids, *(each.id for each in calls.crew)))),
        location=wait.location or tool.location,
        fix=_fix(wait.waiting),
        lost=spent or took,
        host=asked[0] if asked else "",
        depends_on=depends_on(evidence, span),
    )


def _fix(waiting: str) -> Fix:
    if waiting == "cpu":
        return Fix("Move the computation out of the agent's path")
    if waiting == "sleep":
        return Fix(
            "Bound the loop, and sleep less",
            "deadline = time.monotonic() + 60  # before the loop; within it:\n"
            "if time.monotonic() > deadline:\n"
            '    return "not finished after 60 s"',
        )
    return Fix(
        "Ask for less, cache, or ask in parallel",
        "@functools.lru_cache(maxsize=256)  # above the function that asks the service",
    )
