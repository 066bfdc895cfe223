"""Threads of the crew wait for each other's locks, and nobody is left who could release one.

## What it compares
What every thread of the crew was waiting for when nothing had moved any more: two or more stood at different lines of
your own code in a lock without a limit, from 10 s on (ours), and all others only waited for them. No socket, no child
process and no computation was going on. One thread that takes a lock twice is told as its tool's hang (CD304).

## Why it matters
Each of the tools is well alone; only side by side (`async_execution`, parallel tool calls, several kickoffs) do they
take the same locks in opposite order. Nothing ends it, and there is no host to blame: the process must be killed.

## Example
crew:crew stood still for 20.3 s: 2 threads wait for locks, and none is left to release them: `post_entry` at
ledger.py:14 (tool:post_entry) and `close_day` at day.py:11 (tool:close_day).

## How to fix
Take the locks in the same order everywhere, hold them only for the memory they guard and never during a request, and
take them with a limit, so that a mistake becomes an error.

## References
- CPython documentation, `threading.Lock.acquire(timeout=...)`
- Coffman, Elphick, Shoshani (1971), "System Deadlocks": without a circular wait there is none
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import cost
from crewdoctor.deadlocks import DEADLOCK_KEYS, Deadlock, deadlocks
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.span import Stack


@rule("CD505", since="0.1", needs=DEADLOCK_KEYS, uses=("inventory",))
def local_deadlock(evidence: Evidence) -> Iterator[Finding]:
    """One finding per kickoff."""
    for deadlock in deadlocks(evidence):
        yield _finding(evidence, deadlock)


def _finding(evidence: Evidence, deadlock: Deadlock) -> Finding:
    stacks = sorted(deadlock.stacks, key=lambda stack: (-stack.seconds, stack.id))
    told = wording.joined([_place(evidence, stack) for stack in stacks])
    waited = Seconds(round(deadlock.seconds, 3))
    spans = [stack.span for stack in stacks if stack.span]
    return Finding(
        code="CD505",
        slug="local_deadlock",
        severity=Severity.ERROR,
        layer=Layer.CREW,
        subject=deadlock.kickoff.subject,
        message=(
            f"{deadlock.kickoff.subject} stood still for {wording.seconds(waited.value)}: {len(stacks)} threads wait "
            f"for locks, and none is left to release them: {told}."
        ),
        evidence=tuple(dict.fromkeys((deadlock.kickoff.id, *spans, *(stack.id for stack in stacks)))),
        measured=Quantity("wait for a lock", waited, n=len(stacks)),
        limit=Quantity("timeout", UNLIMITED, where=wording.place(stacks[0].user_frame, _root(evidence))),
        location=stacks[0].user_frame,
        fix=Fix(
            "Take the locks in one order everywhere, and with a limit",
            'if not lock.acquire(timeout=20):\n    raise TimeoutError("the lock is held elsewhere")',
        ),
        lost=cost(UNLIMITED),
    )


def _place(evidence: Evidence, stack: Stack) -> str:
    frame = stack.user_frame
    assert frame is not None
    span = next((each for each in evidence.recording.spans if each.id == stack.span), None)
    owner = f" ({span.subject})" if span is not None and span.subject else ""
    return f"`{frame.function or '?'}` at {wording.place(frame, _root(evidence))}{owner}"


def _root(evidence: Evidence) -> str:
    return evidence.inventory.project_root
