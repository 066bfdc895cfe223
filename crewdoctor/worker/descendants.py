"""Whether child processes work or only stand there: CPU time of everything beneath this process. Linux only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_WORKED = 0.05
"""Seconds of CPU between two looks from which somebody works."""


class Descendants:
    """Remembers since when nobody beneath this process has used a CPU."""

    def __init__(self) -> None:
        self._used, self._since = -1.0, 0.0

    def idle_seconds(self, now: float) -> float:
        """Seconds since a look at which they had worked; 0.0 at the first."""
        used = _cpu_beneath(os.getpid())
        if self._used < 0 or abs(used - self._used) >= _WORKED:
            self._used, self._since = used, now
        return max(0.0, now - self._since)


def _cpu_beneath(root: int) -> float:
    total, waiting, seen = 0.0, [root], {root}
    while waiting:
        for child in children_of(waiting.pop()):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                total += _cpu(child)
    return total


def children_of(pid: int) -> list[int]:
    """Pids of its children, whichever of its threads made them."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text().split()]
    return found


def _cpu(pid: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
