"""A tool of an MCP server does not answer, and nothing the crew says ends the wait.

## What it compares
How long a call of an MCP server's tool was going in the run, with what crewAI's own client allows: 30 s for one try,
three tries. Tools the crew lists itself are left to CD304; these come from `mcps=[...]` and exist only while it runs.

## Why it matters
The server is there and lists its tools, so everything looks well until one is called. The client then waits its fixed
30 s, connects anew and asks again: a minute and a half for one call, after which the model reads an error text and may
ask once more. `MCPServerHTTP` and `MCPServerStdio` have no field for a timeout.

## Example
Tool `find_order` of 10.0.0.7:8000 was still waiting after 52.1 s; the third try would have ended it after 93 s.

## How to fix
Bound the work on the server's side; or call it through a tool of your own, with a `read_timeout_seconds`.

## References
- crewAI `mcp/client.py`: MCP_TOOL_EXECUTION_TIMEOUT = 30, MCP_MAX_RETRIES = 3; `mcp/config.py`
- mcp Python SDK: `ClientSession.call_tool(read_timeout_seconds=...)`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import mcp, wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.waits import OWN_BOUND, WAIT_KEYS, blocked, unfinished

PATIENCE = 10.0
"""Ours: seconds from which an unanswered call is one that hangs."""
CEILING = mcp.TRIES * mcp.CONNECT + mcp.BACKOFF


@rule("CD322", since="0.1", needs=("span:tool.call", "inventory"), uses=WAIT_KEYS)
def mcp_call_without_read_timeout(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool, about its longest call."""
    servers = mcp.users(evidence)
    known = {tool.subject for tool in evidence.inventory.tools}
    worst: dict[str, tuple[Span, str, Endpoint | None]] = {}
    for span in evidence.spans("tool.call") if servers else ():
        if span.subject in known or not _hung(evidence, span):
            continue
        held = [(user, server) for user, server in servers.items() if mcp.waits_for(evidence, span, server)]
        held.sort(key=lambda each: each[1] is None)
        longest = worst.get(span.subject)
        if held and (longest is None or _seconds(evidence, span) > _seconds(evidence, longest[0])):
            worst[span.subject] = (span, *held[0])
    for span, user, server in worst.values():
        yield _finding(evidence, span, user, server)


def _seconds(evidence: Evidence, span: Span) -> float:
    return span.seconds(evidence.end_of(span))


def _hung(evidence: Evidence, span: Span) -> bool:
    """Whether it was going unanswered when it was stopped, or crewAI's client gave up on it."""
    if unfinished(span):
        return _seconds(evidence, span) >= PATIENCE and blocked(evidence, span).waiting not in OWN_BOUND
    return _seconds(evidence, span) >= mcp.CONNECT


def _finding(evidence: Evidence, span: Span, user: str, server: Endpoint | None) -> Finding:
    wait = blocked(evidence, span)
    name = span.attrs.get("tool") or span.subject.partition(":")[2]
    state = "was still waiting after" if unfinished(span) else "was given up after"
    where = f" ({wait.text})" if wait.host else ""
    return Finding(
        code="CD322",
        slug="mcp_call_without_read_timeout",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=span.subject,
        message=(
            f"Tool `{name}` of the MCP server at {mcp.address(server)} {state} "
            f"{wording.seconds(_seconds(evidence, span))}{where}; crewAI's client ends a try after "
            f"{wording.exact(mcp.CONNECT)} and makes {mcp.TRIES}: {wording.exact(CEILING)}, and {user} has no setting "
            "for it."
        ),
        evidence=tuple(dict.fromkeys((span.id, *wait.ids))),
        measured=Quantity("wait for the tool", Seconds(round(_seconds(evidence, span), 3)), n=1),
        limit=Quantity("execution timeout of MCP, all tries", Seconds(CEILING), where="crewai, not settable"),
        fix=Fix(
            "Bound it where you can: in the server, or in a tool of your own",
            f'await session.call_tool("{name}", arguments, read_timeout_seconds=timedelta(seconds=20))',
        ),
        lost=max(_seconds(evidence, span), CEILING),
        host=mcp.address(server) if server is not None else "",
        depends_on=(server.subject,) if server is not None else (),
    )
