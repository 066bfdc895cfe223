"""Threads of a crew that wait for each other's locks: nobody is left who could release one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.budget import wire_timeout
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.setting import UNLIMITED
from crewdoctor.model.span import Span, Stack
from crewdoctor.waits import unfinished

KICKOFF = "crew.kickoff"
DEADLOCK_KEYS = ("span:crew.kickoff", "stacks")
"""What looking for them touches."""
PATIENCE = 10.0
"""Ours: seconds in which nobody moved."""
_SAME_LOOK = 0.6
_FOR_OTHERS = frozenset({"lock", "queue"})


@dataclass(frozen=True, slots=True)
class Deadlock:
    """At the last look: who waits for a lock, at lines of the user's own."""

    kickoff: Span
    stacks: tuple[Stack, ...]

    @property
    def seconds(self) -> float:
        """Since the last of them began to wait."""
        return min(stack.seconds for stack in self.stacks)


def deadlocks(evidence: Evidence) -> list[Deadlock]:
    """One per kickoff that was cut off while each of its threads waited for another one, two or more for bare locks."""
    found = []
    for kickoff in evidence.spans(KICKOFF):
        stacks = evidence.stacks(step=kickoff.step) if unfinished(kickoff) else ()
        final = [each for each in stacks if each.at >= stacks[-1].at - _SAME_LOOK and (each.span or each.user_frame)]
        held = [stack for stack in final if _for_a_lock(stack)]
        lines = {(stack.user_frame.file, stack.user_frame.line) for stack in held if stack.user_frame}
        if len(lines) > 1 and all(stack.waiting in _FOR_OTHERS for stack in final):
            found.append(Deadlock(kickoff, tuple(held)))
    return found


def deadlocked(evidence: Evidence) -> frozenset[str]:
    """Ids of the spans whose threads are in one."""
    spans = {span.id: span for span in evidence.recording.spans}
    found: set[str] = set()
    for deadlock in deadlocks(evidence):
        for stack in deadlock.stacks:
            here = spans.get(stack.span or "")
            while here is not None and here.id not in found:
                found.add(here.id)
                here = spans.get(here.parent or "")
    return frozenset(found)


def _for_a_lock(stack: Stack) -> bool:
    """Whether it waits, without a limit, for a lock and not for the work of a thread, a task or a future."""
    bare = stack.waiting == "lock" and not stack.attrs.get("peer") and stack.user_frame is not None
    return bare and stack.seconds >= PATIENCE and wire_timeout(stack.attrs.get("timeout")) is UNLIMITED
