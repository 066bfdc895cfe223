"""A tool is fine alone and slow, or failing, when several call it at once.

## What it compares
The tool's calls one by one with the same calls four at a time, or those of many kickoffs at once. It speaks when
their median is at least twice the slowest single call and at least 0.5 s above it (both ours, beyond the noise of a
shared machine), or when calls fail only among others. The staircase in which the four complete, or what is completed
a second (Little's law), gives how many the service takes at once.

## Why it matters
Alone everything passes. With parallel agents, async tasks or several tool calls in one turn the service queues: the
last caller waits for all before it, runs into its timeout, and retries into the same queue. This is how a crew fails
only once it is scaled.

## Example
`quote_tariff` takes 1.2 s alone; four at once take 1.2, 2.4, 3.6 and 4.8 s: the service answers one at a time.

## How to fix
Bound the callers to what the service takes: `Process.sequential`, no `async_execution`, or a semaphore in the tool;
or a service that takes more.

## References
- Little's law; Gunther, "Guerrilla Capacity Planning" (what queues grow like)
- AWS Builders' Library, "Using load shedding to avoid overload"
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from crewdoctor import wording
from crewdoctor.calls import overlap, overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.ramp import RAMP_KEYS
from crewdoctor.toolcalls import (
    TOOL_KEYS,
    ToolCalls,
    answered_as_alone,
    blocked_by_us,
    depends_on,
    failure_of,
    hosts,
    tool_calls,
)
from crewdoctor.toolload import ramped, width
from crewdoctor.waits import WAIT_KEYS, blocked, unfinished

RATIO, FLOOR = 2.0, 0.5
GUARD = "GATE = threading.BoundedSemaphore({width})  # in the tool: with GATE: ..."


@rule("CD306", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, *WAIT_KEYS, *RAMP_KEYS, "ledger"))
def tool_slow_only_under_load(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool that worked alone and did not among others."""
    for calls in tool_calls(evidence):
        yield from next(filter(None, (list(_of(evidence, each)) for each in (calls, ramped(evidence, calls.tool)))), ())


def _of(evidence: Evidence, calls: ToolCalls) -> Iterator[Finding]:
    if calls.loaded:
        calls.alone = [span for span in calls.alone if not blocked_by_us(span)]
        calls.loaded = [span for span in calls.loaded if not blocked_by_us(span)]
        well = [span for span in calls.alone if not unfinished(span) and failure_of(evidence, span) is None]
        if not well or len(well) < len(calls.alone) or not calls.loaded:
            return
        alone = max(span.seconds() for span in well)
        took = [span.seconds(evidence.end_of(span)) for span in calls.loaded]
        failed = [span for span in calls.loaded if _failed(evidence, span, alone)]
        slow = median(took) >= RATIO * alone and median(took) - alone >= FLOOR
        if failed or (slow and not _computes(evidence, calls) and not answered_as_alone(evidence, calls, RATIO, FLOOR)):
            yield _finding(evidence, calls, alone, took, failed)


def _failed(evidence: Evidence, span: Span, alone: float) -> bool:
    if unfinished(span):
        return span.seconds(evidence.end_of(span)) >= RATIO * alone + FLOOR
    return failure_of(evidence, span) is not None


def _computes(evidence: Evidence, calls: ToolCalls) -> bool:
    """Whether it is the tool itself that computes: then no service queues, this machine's cores do."""
    return any(blocked(evidence, span).waiting == "cpu" for span in calls.loaded)


def _finding(evidence: Evidence, calls: ToolCalls, alone: float, took: list[float], failed: list[Span]) -> Finding:
    tool, count = calls.tool, max(int(calls.loaded[0].attrs.get("n") or 1), overlap(calls.loaded, evidence))
    wide = width(evidence, calls.loaded, alone)
    asked = hosts(evidence, calls.loaded[0])
    owner = f"the service behind it{f' ({asked[0]})' if asked else ''}" if asked else "what it waits for"
    known = evidence.ledger.tool(tool.subject)
    overlapped = overlap(calls.crew, evidence) > 1
    bound = isinstance(known.timeout, Seconds) and failed
    if failed:
        kinds = sorted({_kind(evidence, span) for span in failed})
        outcome = f"{len(failed)} of {len(took)} failed, {count} at once ({', '.join(kinds)})"
        outcome += f" at its timeout of {wording.limit(known.timeout)}" if bound else ""
    else:
        outcome = f"{count} at once took {wording.seconds(min(took))} to {wording.seconds(max(took))}"
    return Finding(
        code="CD306",
        slug="tool_slow_only_under_load",
        severity=Severity.ERROR if failed or overlapped else Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` took {wording.seconds(alone)} alone ({wording.sample(len(calls.alone))}), and "
            f"{outcome}; {owner} seems to take {wide} at a time.{overload(evidence)}"
        ),
        evidence=tuple(span.id for span in (*calls.alone, *calls.loaded, *_cut_in_crew(evidence, calls)))
        + (known.ids if bound else ()),
        measured=Quantity(f"latency, {count} at once", Seconds(round(max(took), 3)), n=len(took)),
        limit=(
            Quantity("timeout", known.timeout, where=known.where)
            if bound
            else Quantity("latency alone", Seconds(round(alone, 3)), n=len(calls.alone))
        ),
        location=known.location if bound else tool.location,
        fix=Fix(f"Call it at most {wide} at a time", GUARD.format(width=wide)),
        lost=max(took) if failed else max(took) - alone,
        host=asked[0] if asked else "",
        depends_on=depends_on(evidence, calls.loaded[0]),
        attrs={"change": f"gate:{wide}"},
    )


def _cut_in_crew(evidence: Evidence, calls: ToolCalls) -> list[Span]:
    """Calls that failed in the crew while others of the same tool were going on."""
    return [
        span
        for span in calls.crew
        if failure_of(evidence, span) is not None
        and any(other is not span and overlap([span, other], evidence) > 1 for other in calls.crew)
    ]


def _kind(evidence: Evidence, span: Span) -> str:
    failure = failure_of(evidence, span)
    return failure.kind.value if failure else "still waiting"
