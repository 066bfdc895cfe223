"""The crew waits for an MCP server before its first task, and the server does not answer.

## What it compares
How long the crew's run stood at its start, before any task, while an MCP server was being asked for its tools; with the
30 s crewAI's client allows for that, a number no setting changes. From five seconds it is reported; a server that
refuses at once is CD105's.

## Why it matters
Tools of `mcps=[...]` are listed at every kickoff. A server that accepts and stays silent, or a child process that never
says hello, costs half a minute and then ends the whole crew with MCPConnectionError, before any model was asked.

## Example
`mcps=[MCPServerHTTP(url="http://10.0.0.7:8000/mcp")]`: still waiting after 20.8 s, no task begun.

## How to fix
Ask the server by hand (`curl -m 5 URL`), start it, or take it out; where it is only sometimes there, list its tools
once and pass them as `tools=`.

## References
- crewAI `mcp/client.py`: MCP_CONNECTION_TIMEOUT = 30, MCP_DISCOVERY_TIMEOUT = 30; `mcp/config.py` has no timeout
- Model Context Protocol specification, "Lifecycle": initialize comes first
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
from crewdoctor.waits import WAIT_KEYS, blocked, unfinished

SLOW = 5.0
"""Ours: seconds before the first task; a server that is well lists its tools in one."""


@rule("CD320", since="0.1", needs=("span:crew.kickoff", "inventory"), uses=("span:task.execution", *WAIT_KEYS))
def mcp_unreachable_fails_slowly(evidence: Evidence) -> Iterator[Finding]:
    """One finding per run that never came to a task."""
    servers = mcp.users(evidence)
    for kickoff in evidence.spans("crew.kickoff"):
        seconds = kickoff.seconds(evidence.end_of(kickoff))
        ended = not unfinished(kickoff) and kickoff.failure is None
        if not servers or ended or seconds < SLOW or evidence.children(kickoff, "task.execution"):
            continue
        held = [(user, server) for user, server in servers.items() if mcp.waits_for(evidence, kickoff, server)]
        # A server of which a request is open outranks a child process, of which nothing can be seen.
        held.sort(key=lambda each: each[1] is None)
        if held:
            yield _finding(evidence, kickoff, *held[0])


def _finding(evidence: Evidence, kickoff: Span, user: str, server: Endpoint | None) -> Finding:
    wait = blocked(evidence, kickoff)
    seconds = kickoff.seconds(evidence.end_of(kickoff))
    doing = f" ({wait.text})" if wait.host else ""
    state = "was still waiting after" if unfinished(kickoff) else "gave up after"
    failed = f" ({kickoff.failure.exception.rpartition('.')[2]})" if kickoff.failure is not None else ""
    return Finding(
        code="CD320",
        slug="mcp_unreachable_fails_slowly",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=user,
        message=(
            f"The crew {state} {wording.seconds(seconds)}{failed} for the MCP server of {user} at "
            f"{mcp.address(server)}, and no task had begun{doing}; crewAI allows it "
            f"{wording.exact(mcp.CONNECT)}, at every kickoff, and no setting changes that."
        ),
        evidence=tuple(dict.fromkeys((kickoff.id, *wait.ids))),
        measured=Quantity("wait before the first task", Seconds(round(seconds, 3)), n=1),
        limit=Quantity("connect timeout of MCP", Seconds(mcp.CONNECT), where="crewai, not settable"),
        location=server.location if server is not None else None,
        fix=Fix("See whether the server answers, and start it", _ask(server), "sh"),
        lost=max(seconds, mcp.CONNECT),
        host=mcp.address(server) if server is not None else "",
        depends_on=(server.subject,) if server is not None else (),
    )


def _ask(server: Endpoint | None) -> str:
    return (
        f"curl -m 5 {server.scheme}://{server.host}:{server.port}/"
        if server is not None
        else "npx @modelcontextprotocol/inspector"
    )
