"""A coroutine of a tool waits without giving its event loop back: whatever else runs in it stands still.

## What it compares
How long the thread of an event loop was in one blocking call (a request of `requests`, `time.sleep`, a child process,
own computation) while other tasks of that loop could have gone on, with a quarter of a second (ours). It is seen from
one second on. A tool whose coroutine is alone in its loop holds nobody up, and is not named.

## Why it matters
`async def` makes nothing concurrent by itself: `await asyncio.gather(one(), two())` takes as long as both together when
each of them calls `requests.get`. Under `akickoff`, or in a web app, the other agents and users of the loop wait as
well, and their timeouts run meanwhile.

## Example
Tool `compare_prices` held its event loop for 2.3 s in `requests.get` (tools.py:12) while 2 other tasks waited.

## How to fix
Hand the call to a thread, `await asyncio.to_thread(requests.get, url, timeout=20)`, or use a client that awaits.

## References
- CPython documentation, "Developing with asyncio: Running Blocking Code"
- crewAI `tools/base_tool.py`: a tool's coroutine runs in the loop of its caller, else in one of its own (1.15.30)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span, Stack
from crewdoctor.remedies import written_call

LAG = 0.25
NOTABLE = 1.0


@rule("CD309", since="0.1", needs=("span:tool.call", "stacks"), uses=("inventory",))
def tool_blocks_event_loop(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool, of the longest time it held its loop."""
    for tool in evidence.inventory.tools:
        held = [
            (stack, length)
            for call in evidence.spans("tool.call", subject=tool.subject)
            for stack in _holding(evidence, call)
            if (length := _length(evidence, stack)) >= NOTABLE
        ]
        if held:
            yield _finding(evidence, tool, *max(held, key=lambda each: (each[1], each[0].id)), len(held))


def _holding(evidence: Evidence, call: Span) -> Iterator[Stack]:
    """Looks at this call at which its thread was in an event loop that others needed."""
    known = {call.id, *(each.id for each in evidence.children(call))}
    for stack in evidence.stacks(step=call.step):
        if stack.span in known and int(stack.attrs.get("loop_waits") or 0) > 0 and stack.user_frame is not None:
            yield stack


def _length(evidence: Evidence, stack: Stack) -> float:
    """Seconds until the operation that was looked at ended; at least until it was looked at."""
    span = next((each for each in evidence.recording.spans if each.id == stack.span), None)
    within = span is not None and span.name != "tool.call"
    lasted = span.seconds(evidence.end_of(span)) if span is not None and within else 0.0
    return max(stack.seconds, lasted)


def _finding(evidence: Evidence, tool: ToolEntry, stack: Stack, length: float, count: int) -> Finding:
    where = stack.user_frame
    assert where is not None
    call = written_call(where.source)
    place = wording.place(where, evidence.inventory.project_root)
    others = wording.plural(int(stack.attrs["loop_waits"]), "other task")
    doing = f" in `{call}`" if call else ""
    return Finding(
        code="CD309",
        slug="tool_blocks_event_loop",
        severity=Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` held its event loop for {wording.seconds(length)}{doing} ({place}) "
            f"while {others} waited."
        ),
        evidence=tuple(dict.fromkeys((*([stack.span] if stack.span else []), stack.id))),
        measured=Quantity("loop held", Seconds(round(length, 3)), n=count),
        limit=Quantity("lag of a loop", Seconds(LAG)),
        location=where,
        fix=Fix(
            "Hand the blocking call to a thread, or use a client that awaits",
            f"await asyncio.to_thread({call or 'call'}, url, timeout=20)" if call else "await asyncio.to_thread(call)",
        ),
        lost=length,
    )
