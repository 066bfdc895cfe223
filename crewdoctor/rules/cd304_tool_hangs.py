"""A tool was still waiting when crewdoctor stopped it, and nothing moved.

## What it compares
How long the tool had been blocked without a byte moving, with the timeout in force on that very socket (or the lock,
or the child process) and with the agent's `max_execution_time`. The user's line is the one whose frame was blocked.

## Why it matters
This is the hang itself. Without a timeout nothing ends it: crewAI has none for tools, and `max_execution_time` raises
only after the blocked call has returned by itself (crewai 1.15, measured: limit 2 s, returned after 21 s).

## Example
Tool `search` was still waiting after 20.0 s (span 7.2, recv from internal-api.local:443, tools.py:57); nothing would
have ended it: no timeout is set, and the agent's max_execution_time=30 does not interrupt it.

## How to fix
Give the call a limit that is shorter than what the agent can spare, and let the tool return a sentence the model can
use.

## References
- requests documentation, "Timeouts"; CPython `socket.settimeout`
- crewAI `agent/core.py`: `_execute_with_timeout` joins its thread pool on exit
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import cost, own_limit, scan_of
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span
from crewdoctor.remedies import bounded_call
from crewdoctor.toolcalls import TOOL_KEYS, ToolCalls, depends_on, failure_of, tool_calls
from crewdoctor.waits import NETWORK, OWN_BOUND, WAIT_KEYS, Wait, blocked, unfinished

PATIENCE = 10.0
"""Ours: seconds without a byte from which a wait is a hang; honest services take less."""
TOGETHER = 4.0
"""The same where several tools wait for one host: they share its lane, so each is given less time."""


@rule("CD304", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, *WAIT_KEYS, "ledger"))
def tool_hangs(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool that was blocked on somebody else when it was stopped."""
    every = tool_calls(evidence)
    shared = _shared_hosts(evidence, every)
    for calls in every:
        spans = [*calls.alone, *calls.crew, *(() if _answered(evidence, calls) else calls.loaded)]
        hanging = [span for span in spans if _hangs(evidence, span, shared)]
        if hanging:
            yield _finding(evidence, calls.tool, hanging[0], len(hanging))


def _answered(evidence: Evidence, calls: ToolCalls) -> bool:
    """Whether it ever returned alone: hanging only among others is CD306's."""
    return any(not unfinished(span) and failure_of(evidence, span) is None for span in calls.alone)


def _shared_hosts(evidence: Evidence, every: list[ToolCalls]) -> set[str]:
    """Hosts that several tools were waiting for when they were stopped."""
    silent = [
        host
        for calls in every
        for host in {blocked(evidence, span).host for span in calls.alone if unfinished(span)} - {""}
    ]
    return {host for host in silent if silent.count(host) > 1}


def _hangs(evidence: Evidence, span: Span, shared: set[str]) -> bool:
    if not unfinished(span):
        return False
    wait = blocked(evidence, span)
    patience = TOGETHER if wait.host in shared else PATIENCE
    unseen = wait.waiting in {"unknown", ""}
    return wait.seconds >= patience and not wait.moving and not unseen and wait.waiting not in OWN_BOUND


def _finding(evidence: Evidence, tool: ToolEntry, span: Span, count: int) -> Finding:
    wait = blocked(evidence, span)
    own = None if wait.waiting in NETWORK else own_limit(evidence.recording, tool.subject, wait.waiting)
    ending = evidence.ledger.would_end_tool(tool.subject, wait.timeout, own)
    location = wait.location or (own.location if own else None) or tool.location
    place = f", {wording.place(location, evidence.inventory.project_root)}" if location else ""
    silent = f" after {wait.received} bytes of the answer" if wait.received else ""
    when = f" {wording.exact(ending.after.value)} after its start" if isinstance(ending.after, Seconds) else ""
    return Finding(
        code="CD304",
        slug="tool_hangs",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` was still waiting after {wording.seconds(wait.seconds)} "
            f"(span {span.id}, {wait.text}{silent}{place}); {ending.text}{when}."
        ),
        evidence=tuple(dict.fromkeys((*wait.ids, *ending.ids))),
        measured=Quantity("wait without a byte", Seconds(round(wait.seconds, 3)), n=count),
        limit=Quantity("timeout", ending.after, where=ending.where),
        location=location,
        fix=bounded_call(_client(evidence, tool, span, wait), _call(evidence, tool)),
        lost=cost(ending.after, wait.seconds),
        host=wait.host,
        depends_on=depends_on(evidence, span),
    )


def _client(evidence: Evidence, tool: ToolEntry, span: Span, wait: Wait) -> str:
    """The library that waits: as written where it is blocked, as seen on the wire, else as written in the source."""
    here = [each.client for each in scan_of(evidence.recording, tool.subject) if each.location == wait.location]
    if here:
        return here[0]
    if wait.waiting in {"process", "queue", "lock"}:
        return {"process": "subprocess", "queue": "queue", "lock": "threading"}[wait.waiting]
    for each in evidence.children(span, "http.request"):
        if each.attrs.get("client"):
            return str(each.attrs["client"])
    return next((entry.client for entry in scan_of(evidence.recording, tool.subject)), "")


def _call(evidence: Evidence, tool: ToolEntry) -> str:
    return next((entry.call for entry in scan_of(evidence.recording, tool.subject)), "")
