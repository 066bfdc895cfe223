"""CrewAI says that max_execution_time has run out, and another clock did.

## What it compares
How long an agent's execution took that ended in a TimeoutError with its `max_execution_time`: where the limit had
more than a second left, it is not what ended it. The clock that did is the last wait beneath that ended in a timeout
of its own, with its host, its limit and the line that waited.

## Why it matters
crewAI turns every TimeoutError out of an agent's work into "execution timed out after N seconds. Consider increasing
max_execution_time", N being the agent's own limit. A model of one's own, a hook or a callback that waits with a
timeout of two seconds raises that very class: whoever believes the words raises the wrong limit, and nothing changes.

## Example
agent:Clerk failed after 2.0 s with crewAI's "timed out after 60 seconds", but max_execution_time had 58.0 s left: what
ran out was the timeout of 2 s of the request to gateway.internal:8080 (house.py:12).

## How to fix
Look at the wait that ran out: is its host slow, or its limit too low? Leave max_execution_time alone.

## References
- crewAI `agent/core.py`, `_execute_with_timeout`: catches TimeoutError, which is also what sockets raise (1.15.30)
- CPython documentation: `socket.timeout` and `concurrent.futures.TimeoutError` are TimeoutError since 3.10 and 3.11
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span, Stack
from crewdoctor.waits import WIRE, wire_limit

LEFT = 1.0
"""Seconds the limit must have had left."""
TOGETHER = 1.0
"""Seconds between the end of the wait and of the execution it ended."""


@rule(
    "CD506",
    since="0.1",
    needs=("span:agent.execution", "setting:agent.max_execution_time"),
    uses=("stacks", "inventory"),
)
def timeout_attributed_to_wrong_owner(evidence: Evidence) -> Iterator[Finding]:
    """One finding per agent, about its first execution that ended so."""
    told: set[str] = set()
    for span in evidence.spans("agent.execution"):
        setting = evidence.setting("agent", "max_execution_time", span.subject)
        early = (
            setting is not None and isinstance(setting.value, Seconds) and span.seconds() < setting.value.value - LEFT
        )
        if span.subject in told or not early or not _as_crewai_says_it(span):
            continue
        clock = _clock(evidence, span)
        if clock is not None and setting is not None:
            told.add(span.subject)
            yield _finding(evidence, span, setting, clock)


def _as_crewai_says_it(span: Span) -> bool:
    """Whether it ended in Python's own TimeoutError: an SDK's timeout has a class of its own, and is told as it is."""
    return span.failure is not None and span.failure.kind.is_timeout and span.failure.exception == "TimeoutError"


def _clock(evidence: Evidence, span: Span) -> Span | None:
    """The wait that ran out: of those on the wire the last to end in a timeout, outermost first."""
    assert span.end is not None
    ended = [
        each
        for each in evidence.children(span)
        if each.name in WIRE and each.end is not None and each.failure is not None and each.failure.kind.is_timeout
    ]
    last = [each for each in ended if each.end is not None and span.end - each.end <= TOGETHER]
    return min(last, key=lambda each: (WIRE.index(each.name), -each.start), default=None)


def _finding(evidence: Evidence, span: Span, setting: Setting, clock: Span) -> Finding:
    assert isinstance(setting.value, Seconds)
    root, limit = evidence.inventory.project_root, setting.value
    host = f"{clock.attrs.get('host', '')}:{clock.attrs.get('port', '')}".strip(":")
    stack = _seen(evidence, clock)
    where = stack.user_frame if stack is not None else None
    place = f" ({wording.place(where, root)})" if where is not None else ""
    held = wire_limit(clock)
    of = f"the timeout of {wording.limit(held)} of the" if isinstance(held, Seconds) else "a timeout of the"
    doing = {"tcp.connect": "connection", "dns.lookup": "lookup", "tls.handshake": "handshake"}.get(
        clock.name, "request"
    )
    return Finding(
        code="CD506",
        slug="timeout_attributed_to_wrong_owner",
        severity=Severity.ERROR,
        layer=Layer.AGENT,
        subject=span.subject,
        message=(
            f"{span.subject} failed after {wording.seconds(span.seconds())} with crewAI's "
            f'"timed out after {wording.exact(limit.value).removesuffix(" s")} seconds", but max_execution_time had '
            f"{wording.seconds(limit.value - span.seconds())} left: what ran out was {of} {doing} to {host}{place}."
        ),
        evidence=(span.id, setting.id, clock.id, *((stack.id,) if stack is not None else ())),
        measured=Quantity("execution", Seconds(round(span.seconds(), 3)), n=1),
        limit=Quantity("max_execution_time", limit, where=setting.provenance.where),
        location=where or setting.provenance.location,
        fix=Fix(f"See why {host} takes longer, or allow for it where it is asked; leave max_execution_time alone"),
        lost=span.seconds(),
        host=host,
    )


def _seen(evidence: Evidence, clock: Span) -> Stack | None:
    """The last look at that very wait which shows a line of the user's."""
    known = {clock.id, *(each.id for each in evidence.children(clock))}
    looks = [
        stack for stack in evidence.stacks(step=clock.step) if stack.span in known and stack.user_frame is not None
    ]
    return looks[-1] if looks else None
