"""A tool's own requests queue for a connection of its client's pool.

## What it compares
How long requests of one tool, made at once by one call or by many kickoffs, waited before anything was sent or
connected, with how long their answers then took. It speaks from 1 s, and from half of the call's time (both ours):
then the pool, not the service, is what the tool waits for. Error where the wait for a connection ran into the pool's
own timeout.

## Why it matters
A client shared by threads hands out at most `max_connections` connections; everybody else stands in line, and the
error says "timed out" as if the service were slow. More agents, or more workers within a tool, make the line longer.

## Example
6 requests at once over 1 connection: one waited 7.5 s for it, and was then answered within 1.5 s.

## How to fix
Allow as many connections as there are requests at once, or make fewer at once.

## References
- httpx documentation, "Pool limits" and the `pool` timeout; aiohttp `TCPConnector(limit=100)`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import overlap, overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.ramp import RAMP_KEYS, tool_levels
from crewdoctor.toolcalls import TOOL_KEYS, hosts, queued, tool_calls, wires
from crewdoctor.waits import unfinished

FROM, SHARE = 1.0, 0.5
_POOLS = {
    "httpx": "httpx.Client(limits=httpx.Limits(max_connections={n}))",
    "aiohttp": "aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit={n}))",
}


@rule("CD603", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, *RAMP_KEYS))
def connection_pool_starved(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool, about the call that queued longest."""
    for calls in tool_calls(evidence):
        groups = [*([span] for span in (*calls.alone, *calls.crew)), calls.loaded]
        groups += tool_levels(evidence, calls.tool.subject)[1]
        found = [(waited, group) for group in groups if (waited := _queued(evidence, group))]
        if found:
            waited, group = max(found, key=lambda each: each[0])
            yield _finding(evidence, calls.tool, group, waited)


def _requests(evidence: Evidence, group: list[Span]) -> list[Span]:
    return [each for span in group for each in wires(evidence, span, "http.request") if not unfinished(each)]


def _queued(evidence: Evidence, group: list[Span]) -> float:
    """The longest wait for a connection in these calls, where that is what they waited for; else 0.0."""
    requests = _requests(evidence, group)
    if any(map(unfinished, group)) or overlap(requests, evidence) < 2:  # noqa: PLR2004 - alone nobody queues
        return 0.0
    waited = max((queued(evidence, request) for request in requests), default=0.0)
    return waited if waited >= max(FROM, SHARE * max(span.seconds() for span in group)) else 0.0


def _ran_out(request: Span) -> bool:
    return request.failure is not None and request.failure.kind is FailureKind.TIMEOUT_POOL


def _finding(evidence: Evidence, tool: ToolEntry, group: list[Span], waited: float) -> Finding:
    requests, span = _requests(evidence, group), group[0]
    exchanges = [each for call in group for each in wires(evidence, call, "net.exchange")]
    answered = max((each.seconds(evidence.end_of(each)) for each in exchanges), default=0.0)
    wide, at_once = max(1, overlap(exchanges, evidence)), overlap(requests, evidence)
    ran_out = [each for each in requests if _ran_out(each)]
    end = f"; {len(ran_out)} of them gave up waiting for it" if ran_out else ""
    client = str(requests[0].attrs.get("client", ""))
    asked = hosts(evidence, span)
    return Finding(
        code="CD603",
        slug="connection_pool_starved",
        severity=Severity.ERROR if ran_out else Severity.WARNING,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` made {at_once} requests at once over {wording.plural(wide, 'connection')}: "
            f"one waited {wording.seconds(waited)} for a free one, while answers took up to "
            f"{wording.seconds(answered)}{end}.{overload(evidence)}"
        ),
        evidence=(*(each.id for each in group), *(each.id for each in requests)),
        measured=Quantity("wait for a connection", Seconds(round(waited, 3)), n=len(requests)),
        limit=Quantity("in use at once", wide, "connections"),
        location=tool.location,
        fix=Fix(
            f"Allow {at_once} connections, or make fewer requests at once", _POOLS.get(client, "").format(n=at_once)
        ),
        lost=waited,
        host=asked[0] if asked else "",
        attrs={"change": f"gate:{wide}"},
    )
