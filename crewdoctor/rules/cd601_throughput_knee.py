"""More kickoffs at once bring no more through: each of them only takes longer.

## What it compares
The time of a kickoff and the kickoffs completed a second, level by level. It speaks at the level where a kickoff takes
at least twice what it took alone and half a second more, and throughput grew by less than a fifth for twice as many
(ours). Where this machine, or crewdoctor's own process on it, was busy enough to be the limit itself, or the event loop
was held, it is a note.

## Why it matters
Beyond the knee every further kickoff waits for the others, and runs into timeouts that alone are met with ease. What
makes it is told by other findings (CD602, CD306, CD223, CD604, CD603, CD230); alone, this one says that no limit was
recognised.

## Example
16 at once took 4.0 s each, 8 took 1.7 s, one alone 1.3 s; 3.8 a second came through at 16, 4.6 at 8.

## How to fix
Start fewer at once: first `Process.sequential` and no `async_execution`, then a semaphore around the kickoffs.

## References
- Little's law; Denning and Buzen, "The Operational Analysis of Queueing Network Models" (saturation point)
- Gunther, "Guerrilla Capacity Planning"
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.ramp import Level, Ramp, ramp, slower

OURS = "This machine was busy enough to be the limit itself, or the event loop was held: nobody is blamed here."
GATE = "gate = asyncio.Semaphore({n})  # around each kickoff: async with gate: ..."
GATE_OF_THREADS = "ThreadPoolExecutor(max_workers={n})  # around each kickoff"


@rule("CD601", since="0.1", needs=("span:scale.level", "result:scale.ramp"), uses=("inventory",))
def throughput_knee(evidence: Evidence) -> Iterator[Finding]:
    """At most one finding."""
    climbed = ramp(evidence)
    knee = climbed.knee if climbed is not None else None
    if climbed is None or knee is None or knee.pace is None or climbed.alone.pace is None:
        return
    yield _finding(evidence, climbed, knee, knee.pace, climbed.alone.pace)


def _finding(evidence: Evidence, climbed: Ramp, knee: Level, pace: float, alone: float) -> Finding:
    before = climbed.levels[-2]
    low, high = climbed.saturates() or (before.n, knee.n)
    by_us = knee.by_us or knee.stalled or _played_slowly(evidence, climbed, knee)
    threads = climbed.result.facts.get("style") == "threads"
    told = f"{before.n} brought {before.per_second:.1f} a second through, {knee.n} brought {knee.per_second:.1f}"
    ours = (
        " This machine was busy enough to be the limit itself, or the event loop was held: nobody is blamed here."
        if by_us
        else ""
    )
    return Finding(
        code="CD601",
        slug="throughput_knee",
        severity=Severity.INFO if by_us else Severity.WARNING,
        layer=Layer.CREW,
        subject=f"crew:{evidence.inventory.crew}" if evidence.inventory.crew else "crew",
        message=(
            f"{knee.n} kickoffs at once took {wording.seconds(pace)} each, one alone {wording.seconds(alone)}: {told}. "
            f"It keeps its pace up to a number between {low} and {high}.{ours}{overload(evidence)}"
        ),
        evidence=(climbed.alone.span.id, knee.span.id),
        measured=Quantity(f"a kickoff, {knee.n} at once", Seconds(round(pace, 3)), n=int(knee.row.get("ended") or 0)),
        limit=Quantity("a kickoff alone", Seconds(round(alone, 3)), n=int(climbed.alone.row.get("ended") or 0)),
        fix=Fix(
            f"Start at most {low} at once; within the crew Process.sequential, no async_execution",
            (GATE_OF_THREADS if threads else GATE).format(n=low),
        ),
        lost=max(0.0, pace - alone),
        observed=not by_us,
        attrs={} if by_us else {"change": f"gate:{low}"},
    )


def _played_slowly(evidence: Evidence, climbed: Ramp, knee: Level) -> bool:
    """Whether even the embedded model, which takes the same time for any number, was slow: then the machine was."""
    before, now = (
        [each.seconds(evidence.end_of(each)) for each in level.named("net.exchange") if each.subject.endswith("/llm")]
        for level in (climbed.alone, knee)
    )
    return climbed.simulated and slower(before, now)
