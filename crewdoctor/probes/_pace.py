"""How a level of the ramp went, and whether the next one would tell more. Pure. No probe."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from crewdoctor.probes._level import Level

SLOWER, FLOOR = 2.0, 0.5
"""Ours: a kickoff takes so many times what it took alone, and so many seconds more."""
GAIN = 1.2
"""Throughput of twice the callers, below which more of them only wait (measuring.md, section 6)."""
STALL, LATE = 0.25, 0.1
"""Ours: seconds the event loop, or a thread that only sleeps (95th percentile), was late: it then proves little."""
ERRORS = 0.25
"""Share of kickoffs that failed, from which more load is no measurement."""


def levels_to(most: int) -> list[int]:
    """1, 2, 4, 8, ... up to `most`, which is the last one."""
    held = [1]
    while held[-1] * 2 < most:
        held.append(held[-1] * 2)
    return [*held, most] if most > 1 else held


def rounds_of(n: int) -> int:
    """How many kickoffs each caller makes: alone enough for a median, then one to fill the level and one within it."""
    return 3 if n == 1 else 2


def row(level: Level, began: float, ended: float, cpu: float, failed_requests: int) -> dict[str, Any]:
    """One level in figures: what the fact `levels` holds of it."""
    over = [each for each in level.kickoffs if each.end]
    took = sorted(each.end - each.start for each in _steady(level))
    failed = [each.failure.kind.value for each in over if each.failure is not None]
    seconds = max(1e-9, ended - began)
    return {
        "n": level.n,
        "started": len(level.kickoffs),
        "ended": len(over),
        "failed": len(failed),
        "failures": dict(Counter(failed)),
        "failed_requests": failed_requests,
        "median": round(statistics.median(took), 4) if took else None,
        "longest": round(max((each.end - each.start for each in over), default=0.0), 4) if over else None,
        "per_second": round(_per_second(level, ended), 4),
        "seconds": round(seconds, 4),
        "cores": round(cpu / seconds, 3),
        "lag": round(level.lag, 4),
        "held": round(level.held, 4),
        "late": round(sorted(level.late)[int(len(level.late) * 0.95)], 4) if level.late else 0.0,
        "complete": level.complete,
        "asleep": bool(level.asleep),
    }


def _steady(level: Level) -> list[Any]:
    """Kickoffs begun when every caller was at work; all of them where that leaves too few."""
    over = [each for each in level.kickoffs if each.end and each.failure is None]
    if level.n == 1:
        return over
    full = sorted(each.start for each in level.kickoffs)[min(level.n, len(level.kickoffs)) - 1]
    later = [each for each in over if each.start >= full]
    return later if len(later) >= level.n // 2 else over


def _per_second(level: Level, ended: float) -> float:
    """Kickoffs completed a second while all callers were at work: from the last one's start to the first one's end."""
    if level.n == 1 or not level.kickoffs:
        over = [each for each in level.kickoffs if each.end]
        spent = sum(each.end - each.start for each in over)
        return len(over) / spent if spent else 0.0
    took = [each.end - each.start for each in _steady(level)]
    busy = _busy(level, ended)
    return busy / statistics.fmean(took) if took else 0.0


def _busy(level: Level, ended: float) -> float:
    """Kickoffs going on at once, on average, in the middle half of the level."""
    begun = min(each.start for each in level.kickoffs)
    low, high = begun + (ended - begun) / 4, ended - (ended - begun) / 4
    inside = sum(max(0.0, min(each.end or ended, high) - max(each.start, low)) for each in level.kickoffs)
    return inside / max(1e-9, high - low)


def knee(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether the last level is slower than one alone, and brought no more through than the one before.

    Not one at which everything stood still for a while: that passes, and the next level tells.
    """
    last = rows[-1]
    if float(last.get("lag") or 0.0) >= STALL or float(last.get("late") or 0.0) >= LATE:
        return False
    if len(rows) < 2 or last["median"] is None or rows[0]["median"] is None:  # noqa: PLR2004 - nothing to compare with
        return False
    slower = last["median"] >= SLOWER * rows[0]["median"] and last["median"] - rows[0]["median"] >= FLOOR
    return bool(slower and last["per_second"] < GAIN * rows[-2]["per_second"])


def stop_after(rows: Sequence[dict[str, Any]]) -> str:
    """Why no further level is tried; empty: go on."""
    last = rows[-1]
    if not last["complete"]:
        return "limiter" if last.get("asleep") else "unfinished"
    if last["ended"] and last["failed"] >= max(1, ERRORS * last["ended"]):
        return "errors"
    if last["n"] > 1 and last["failed_requests"] - rows[0]["failed_requests"] >= max(2, ERRORS * last["ended"]):
        return "errors"
    return "knee" if knee(rows) else ""
