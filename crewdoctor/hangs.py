"""What was still waiting at the end: whose work, on what, at which line, and what would have ended it. Pure.

One entry per operation of the crew that never ended, the innermost of each branch; the same wait seen twice (a tool
alone, then in the crew) is told once, from where its owner is known best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crewdoctor import wording
from crewdoctor.budget import FLAG, Ledger
from crewdoctor.model.evidence import RAMP, Evidence
from crewdoctor.model.report import Hang, HangEnd, Owner
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Location, Seconds, Timeout
from crewdoctor.model.span import Span
from crewdoctor.waits import Wait, blocked, unfinished

OWNERS = ("python.import", "crew.kickoff", "task.execution", "agent.execution", "llm.call", "tool.call")
SHORTEST = 1.0
"""Seconds of silence below which an operation was merely going on."""


def hangs(evidence: Evidence) -> tuple[Hang, ...]:
    """The longest silence first."""
    found: dict[tuple[object, ...], Hang] = {}
    spans = {span.id: span for span in evidence.recording.spans}
    for span in spans.values():
        if span.name not in OWNERS or not unfinished(span) or span.step.startswith(RAMP):
            continue
        if any(each.name in OWNERS and unfinished(each) for each in evidence.children(span)):
            continue
        chain = _chain(span, spans)
        seen, wait = _seen(evidence, chain)
        if wait.silent < SHORTEST:
            continue
        hang = _hang(evidence, seen, wait, chain)
        key = (span.subject, hang.waiting, hang.frames[:1])
        known = found.get(key)
        found[key] = hang if known is None or _better(hang, known) else known
    return tuple(sorted(found.values(), key=lambda hang: -hang.silent))


def _better(hang: Hang, known: Hang) -> bool:
    return (len(hang.owners), hang.silent) > (len(known.owners), known.silent)


def _chain(span: Span, spans: dict[str, Span]) -> list[Span]:
    """The operation and what stands around it, innermost first."""
    chain, here = [span], spans.get(span.parent or "")
    while here is not None and here not in chain:
        if here.name in OWNERS:
            chain.append(here)
        here = spans.get(here.parent or "")
    return chain


def _seen(evidence: Evidence, chain: list[Span]) -> tuple[Span, Wait]:
    """The innermost of them that was looked at."""
    waits = [(span, blocked(evidence, span)) for span in chain if unfinished(span)]
    told = [(span, wait) for span, wait in waits if wait.location or wait.waiting not in {"unknown", ""}]
    return (told or waits)[0]


def _hang(evidence: Evidence, span: Span, wait: Wait, chain: list[Span]) -> Hang:
    stack = next((each for each in evidence.recording.stacks if each.id == wait.ids[-1]), None)
    requests = [each for each in evidence.children(chain[0], "http.request") if unfinished(each)]
    attempts = [attempt for each in requests if isinstance(attempt := each.attrs.get("attempt"), int)]
    return Hang(
        subject=chain[0].subject,
        owners=tuple(Owner(each.name, each.subject, each.id) for each in reversed(chain)),
        waiting=wait.waiting,
        message=_message(evidence, chain[0], wait),
        peer=wait.peer,
        received=wait.received,
        timeout=wait.timeout,
        seconds=wait.seconds,
        silent=wait.silent,
        attempt=attempts[-1] if attempts else None,
        thread=stack.thread if stack else "",
        frames=_frames(stack.frames if stack else (), wait.location),
        ends=tuple(_ends(evidence, span, wait, chain)),
        evidence=wait.ids,
    )


def _frames(frames: tuple[Location, ...], first: Location | None) -> tuple[Location, ...]:
    """The project's own line first: of the user's frames a script outside of it may lie deeper."""
    return ((first,) if first else ()) + tuple(frame for frame in frames if frame != first)


def _message(evidence: Evidence, span: Span, wait: Wait) -> str:
    got = f" after {wording.plural(wait.received, 'byte')}" if wait.received else ""
    got = wait.progress if wait.part == "headers" else got
    place = f" at {wording.place(wait.location, evidence.inventory.project_root)}" if wait.location else ""
    return f"{span.subject or span.name}: {wait.text}{got} for {wording.seconds(wait.silent)}{place}"


def _ends(evidence: Evidence, span: Span, wait: Wait, chain: list[Span]) -> Iterator[HangEnd]:
    """Every clock that runs around the wait, the nearest first."""
    end = evidence.end_of(span)
    yield _end("this wait", wait.timeout, wait.silent, wait.limited_by or _known_by(evidence, chain[0], wait.timeout))
    ledger = evidence.ledger if isinstance(evidence.ledger, Ledger) else Ledger()
    by_name = {each.name: each for each in chain}
    call = by_name.get("llm.call")
    terms = ledger.terms(call.subject) if call is not None else None
    if call is not None and terms is not None:
        yield _end("the SDK's attempts", terms.call, call.seconds(end), terms.call_formula)
        if terms.made > 1 and (agent := by_name.get("agent.execution")) is not None:
            yield _end("the agent's executions", terms.task, agent.seconds(end), terms.formula)
    yield from _deadlines(ledger, chain, end)
    for outer in ledger.outers:
        if isinstance(outer.value, Seconds):
            named = outer.subject == FLAG
            told = _end(
                "--outer" if named else outer.subject.partition(":")[2],
                outer.value,
                chain[-1].seconds(end),
                "" if named else outer.provenance.where,
            )
            yield replace(told, interrupts=not outer.name.endswith(".answer"))


def _deadlines(ledger: Ledger, chain: list[Span], end: float) -> Iterator[HangEnd]:
    """Of the agents around it; of a tool alone those who would call it."""
    around = {each.subject: each.seconds(end) for each in chain if each.name == "agent.execution"}
    around = around or dict.fromkeys(ledger.owners.get(chain[0].subject, ()), chain[0].seconds(end))
    for agent, ran in around.items():
        setting = ledger.deadlines.get(agent)
        if setting is not None and isinstance(setting.value, Seconds):
            told = _end("max_execution_time", setting.value, ran, setting.provenance.where)
            yield replace(told, interrupts=False)


def _end(what: str, limit: Timeout, ran: float, where: str) -> HangEnd:
    left = max(0.0, limit.value - ran) if isinstance(limit, Seconds) else None
    return HangEnd(what, limit, left, where)


def _known_by(evidence: Evidence, span: Span, timeout: Timeout) -> str:
    """Where the timeout in force was written, when it is the one the ledger knows."""
    if timeout in (UNKNOWN, UNLIMITED) or not isinstance(evidence.ledger, Ledger):
        return ""
    known = evidence.ledger.tool(span.subject)
    return known.where if known.timeout == timeout else ""
