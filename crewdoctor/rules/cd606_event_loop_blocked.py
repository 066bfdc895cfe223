"""The event loop of all kickoffs is held by one of them.

## What it compares
How late the event loop came to its turn while many kickoffs ran on it, with the line its thread was at. It speaks from
250 ms at a time and a tenth of the level's time on (ours), where the same line of the user's was seen at least twice.

## Why it matters
On one event loop whoever computes or waits without `await` stops everybody else: model calls that were answered are not
read, and their timeouts run. `akickoff` runs guardrails, conditions and callbacks in the loop itself; alone nobody
notices.

## Example
A guardrail asks a service for 0.6 s: eight kickoffs by `akickoff_for_each` stand still for 71 % of their time.

## How to fix
Start the kickoffs by `kickoff_for_each_async`, which gives each a thread of its own, or make the call one that awaits.

## References
- Python documentation, "Developing with asyncio": running blocking code
- crewAI `task.py`, `_ainvoke_guardrail_function` calls `process_guardrail` in the loop, seen in 1.15.30
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Location, Seconds
from crewdoctor.model.span import Stack
from crewdoctor.ramp import Level, ramp

HELD, SHARE, LOOKS = 0.25, 0.1, 2


@rule("CD606", since="0.1", needs=("span:scale.level", "result:scale.ramp"), uses=("stacks", "inventory"))
def event_loop_blocked(evidence: Evidence) -> Iterator[Finding]:
    """At most one finding, about the level at which the loop was held for the longest share of its time."""
    climbed = ramp(evidence)
    if climbed is None:
        return
    looks = [each for each in evidence.stacks(step=climbed.result.step.id) if each.attrs.get("loop_late")]
    found = [(level, held) for level in climbed.loaded if (held := _held_by(level, looks)) is not None]
    if found:
        level, (place, seen) = max(found, key=lambda each: _share(each[0]))
        yield _finding(evidence, climbed.alone, level, place, seen)


def _share(level: Level) -> float:
    return float(level.row.get("held") or 0.0) / max(float(level.row.get("seconds") or 0.0), 1e-9)


def _held_by(level: Level, looks: list[Stack]) -> tuple[Location, list[Stack]] | None:
    """The user's line that held the loop most often at this level, and the looks at it."""
    mine = [each for each in looks if each.span == level.span.id and each.user_frame is not None]
    by_line: dict[tuple[str, int], list[Stack]] = {}
    for each in mine:
        assert each.user_frame is not None
        by_line.setdefault((each.user_frame.file, each.user_frame.line), []).append(each)
    most = max(by_line.values(), key=len, default=[])
    if len(most) < LOOKS or float(level.row.get("lag") or 0.0) < HELD or _share(level) < SHARE:
        return None
    place = most[0].user_frame
    return (place, most) if place is not None else None


def _finding(evidence: Evidence, alone: Level, level: Level, place: Location, seen: list[Stack]) -> Finding:
    lag, held = float(level.row["lag"]), float(level.row["held"])
    where = wording.place(place, evidence.inventory.project_root)
    called = f" in `{place.function.rpartition('.')[2]}`" if place.function else ""
    kickoffs = level.named("scale.kickoff")
    return Finding(
        code="CD606",
        slug="event_loop_blocked",
        severity=Severity.WARNING,
        layer=Layer.CREW,
        subject=f"crew:{evidence.inventory.crew}" if evidence.inventory.crew else "crew",
        message=(
            f"{where}{called} held the event loop of {level.n} kickoffs up to {wording.seconds(lag)} at a time, "
            f"{_share(level):.0%} of the time: all the others stood still.{overload(evidence)}"
        ),
        evidence=(alone.span.id, level.span.id, *(each.id for each in kickoffs), *(each.id for each in seen)),
        measured=Quantity("the loop was held, at most", Seconds(round(lag, 3)), n=len(seen)),
        limit=Quantity("lag of a loop", Seconds(HELD)),
        location=place,
        fix=Fix(
            "Give each kickoff a thread of its own, or make this call one that awaits",
            "await crew.kickoff_for_each_async(inputs=inputs)",
        ),
        lost=held,
    )
