"""A tool stopped waiting for its own work, and the work went on without it.

## What it compares
The limit at which a tool gave up waiting (`future.result(timeout=...)`, `thread.join(timeout)`) with how long the
request it had given up went on after that: from one second on (ours). A request that was told the same limit ends with
the wait, and is not named.

## Why it matters
Giving up on a thread ends nothing: it keeps its connection and its place in the pool until the service answers. Call
after call they pile up, until the pool has no thread left and every further call waits for one; and Python waits for
them all before the process can end.

## Example
Tool `fetch_rows` stopped waiting after 2 s, and its request to reports.internal:443 went on for 6.3 s more.

## How to fix
Tell the limit to what works: the timeout belongs to the client's call. Keep the outer limit, a little longer, as a
second net.

## References
- CPython documentation, `concurrent.futures.Future.result`: a timeout does not cancel a call that runs
- CPython `concurrent/futures/thread.py`, `_python_exit`: threads of pools are joined when the interpreter ends
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import wire_timeout
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Event, Span
from crewdoctor.remedies import bounded_call
from crewdoctor.toolcalls import TOOL_KEYS, ToolCalls, tool_calls, wires

GOES_ON = 1.0


@rule("CD404", since="0.1", needs=("span:tool.call", "events:wait.gave_up"), uses=TOOL_KEYS[1:])
def work_goes_on_after_deadline(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool, about the request that went on longest."""
    given_up = evidence.events("wait.gave_up")
    for calls in tool_calls(evidence):
        found = [
            (evidence.end_of(request) - event.at, request, event)
            for call in calls.every
            for event in given_up
            if event.attrs.get("span") == call.id
            for request in wires(evidence, call, "http.request", "net.exchange")
            if request.start <= event.at and evidence.end_of(request) - event.at >= GOES_ON
        ]
        if found:
            longest = max(found, key=lambda each: (each[0], each[1].name == "http.request", each[1].id))
            yield _finding(calls, *longest, len({event.id for _, _, event in found}))


def _finding(calls: ToolCalls, seconds: float, request: Span, event: Event, count: int) -> Finding:
    tool = calls.tool
    held = wire_timeout(event.attrs.get("timeout"))
    host = f"{request.attrs.get('host', '')}:{request.attrs.get('port', '')}".strip(":")
    went = "was still going" if request.end is None else "went on for"
    ends = f"{wording.seconds(seconds)} more" if request.end is not None else f"{wording.seconds(seconds)} later"
    allowed = int(held.value) if isinstance(held, Seconds) and held.value >= 1 else 1
    client = str(request.attrs.get("client", ""))
    fix = bounded_call(client, read=allowed)
    return Finding(
        code="CD404",
        slug="work_goes_on_after_deadline",
        severity=Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` stopped waiting for {event.attrs.get('what')} after {wording.limit(held)}, and its "
            f"request to {host} {went} {ends} (span {request.id})."
        ),
        evidence=(request.id, event.id),
        measured=Quantity("after it was given up", Seconds(round(seconds, 3)), n=count),
        limit=Quantity("wait", held),
        location=tool.location,
        fix=fix,
        lost=0.0,
        host=host,
    )
