"""MCP servers of a crew, as rules read them: who uses which, and what crewAI's own client allows."""

from __future__ import annotations

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.span import Span
from crewdoctor.toolcalls import wires
from crewdoctor.waits import unfinished

SUFFIX = "/mcp"
CONNECT = 30.0
"""Seconds crewAI's client gives a server to connect, to list its tools, to run one; no setting changes it (1.15)."""
TRIES = 3
BACKOFF = 3.0
"""Seconds between the tries of a call, all together: 2^0 + 2^1."""


def users(evidence: Evidence) -> dict[str, Endpoint | None]:
    """`agent:x/mcp` to the server's endpoint; None: a child process that talks over its standard output."""
    found: dict[str, Endpoint | None] = {
        each.subject: None for each in evidence.inventory.unexamined if each.subject.endswith(SUFFIX)
    }
    for endpoint in evidence.inventory.endpoints:
        if endpoint.kind == "mcp":
            found.update({f"{user}{SUFFIX}": endpoint for user in endpoint.used_by})
    return found


def address(endpoint: Endpoint | None) -> str:
    """host:port, or what stands for it."""
    return f"{endpoint.host}:{endpoint.port}" if endpoint is not None else "its child process"


def waits_for(evidence: Evidence, span: Span, endpoint: Endpoint | None) -> bool:
    """Whether what is beneath `span` was waiting for that server, or failed there.

    A call that crewAI's client gave up on cancels its requests: they ended, and without a failure of their own.
    """
    if endpoint is None:
        return True
    gave_up = span.failure is not None and span.failure.kind.is_timeout
    return any(
        each.attrs.get("host") == endpoint.host and each.attrs.get("port") == endpoint.port
        for each in wires(evidence, span, "http.request", "tcp.connect")
        if gave_up or unfinished(each) or each.failure is not None
    )
