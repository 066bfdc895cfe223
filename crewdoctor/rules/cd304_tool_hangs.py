"""A tool was still waiting when crewdoctor stopped it, and nothing moved.

## What it compares
How long the tool had been blocked without a byte moving, with the timeout in force on that very socket (or the lock,
or the child process) and with the agent's `max_execution_time`. The user's line is the one whose frame was blocked.
An answer that drips in, a few bytes a second, is a hang as well: a read timeout starts anew with each of them.

## Why it matters
This is the hang itself. Without a timeout nothing ends it: crewAI has none for tools, and `max_execution_time` raises
only after the blocked call has returned by itself (crewai 1.15, measured: limit 2 s, returned after 21 s).

## Example
Tool `search` was still waiting after 20.0 s (recv from internal-api.local:443, tools.py:57); nothing would
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
from crewdoctor.budget import cost, own_limit
from crewdoctor.deadlocks import deadlocked
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds, Timeout
from crewdoctor.model.span import Span
from crewdoctor.remedies import bounded_call, drained
from crewdoctor.toolcalls import TOOL_KEYS, ToolCalls, depends_on, failure_of, tool_calls, waiting_call
from crewdoctor.waits import NETWORK, OWN_BOUND, WAIT_KEYS, blocked, unfinished

PATIENCE = 10.0
"""Ours: seconds without a byte from which a wait is a hang; honest services take less."""
SDKS = frozenset({"openai"})
"""Clients that make several attempts by default, each with the whole timeout."""
TOGETHER = 4.0
"""The same where several tools wait for one host: they share its lane, so each is given less time."""


@rule("CD304", since="0.1", needs=("span:tool.call",), uses=(*TOOL_KEYS, *WAIT_KEYS, "span:crew.kickoff", "ledger"))
def tool_hangs(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool that was blocked on somebody else when it was stopped."""
    every, locked = tool_calls(evidence), deadlocked(evidence)
    shared = _shared_hosts(evidence, every)
    for calls in every:
        spans = [*calls.alone, *calls.crew, *(() if _answered(evidence, calls) else calls.loaded)]
        # Tools that only wait for each other's locks are well alone: CD505 names both.
        hanging = [span for span in spans if span.id not in locked and _hangs(evidence, span, shared)]
        if hanging and not _slow(evidence, calls):
            yield _finding(evidence, calls.tool, hanging[0], len(hanging))


def _answered(evidence: Evidence, calls: ToolCalls) -> bool:
    """Whether it ever returned alone: hanging only among others is CD306's."""
    return any(not unfinished(span) and failure_of(evidence, span) is None for span in calls.alone)


def _slow(evidence: Evidence, calls: ToolCalls) -> bool:
    """Whether the crew, which waited longer, was answered: slow then, and CD303's."""
    return any(
        not unfinished(span) and failure_of(evidence, span) is None and span.seconds() >= PATIENCE
        for span in calls.crew
    )


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
    still = wait.silent >= patience and not wait.moving
    return (still or wait.drips) and not unseen and wait.waiting not in OWN_BOUND


def _finding(evidence: Evidence, tool: ToolEntry, span: Span, count: int) -> Finding:
    wait = blocked(evidence, span)
    own = None if wait.waiting in NETWORK else own_limit(evidence.recording, tool.subject, wait.waiting)
    ending = evidence.ledger.would_end_tool(tool.subject, wait.timeout, own)
    location = wait.location or (own.location if own else None) or tool.location
    place = f", {wording.place(location, evidence.inventory.project_root)}" if location else ""
    when = f" {wording.exact(ending.after.value)} after its start" if isinstance(ending.after, Seconds) else ""
    client, call = waiting_call(evidence, span, wait.waiting, location)
    again = ", and its SDK would then have tried again" if client in SDKS and when else ""
    after, ends, measured = ending.after, f"{ending.text}{when}{again}", wait.silent
    if wait.drips:
        after, ends, measured = UNLIMITED, _never(ending.after), wait.seconds
    return Finding(
        code="CD304",
        slug="tool_hangs",
        severity=Severity.ERROR,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"Tool `{tool.name}` was still waiting after {wording.seconds(measured)} "
            f"({wait.text}{wait.progress}{place}); {ends}."
        ),
        evidence=tuple(dict.fromkeys((*wait.ids, *ending.ids))),
        measured=Quantity(
            "wait for the whole answer" if wait.drips else "wait without a byte",
            Seconds(round(measured, 3)),
            n=count,
        ),
        limit=Quantity("timeout", after, where=ending.where),
        location=location,
        fix=drained(client) if wait.drips else bounded_call(client, call, at=location),
        lost=cost(after, wait.seconds),
        host=wait.host,
        depends_on=depends_on(evidence, span),
    )


def _never(timeout: Timeout) -> str:
    text = "nothing would have ended it while bytes came"
    limited = isinstance(timeout, Seconds)
    return f"{text}: its timeout of {wording.limit(timeout)} is for each read, not for the answer" if limited else text
