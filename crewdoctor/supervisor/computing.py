"""Whether a process computes that nobody within it can speak for."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

_RUNS = 0.02
"""Share of a while (ours): a thread that computes runs so much even where many queue, one that only looks does not."""


def computing(pid: int, over: float = 0.05) -> bool:
    """Whether some thread of a process computes, or queues for a CPU, most of a short while."""
    before = _cpu(pid)
    time.sleep(over)
    for task, (running, queued) in _cpu(pid).items():
        ran, waited = (
            now - then for now, then in zip((running, queued), before.get(task, (running, queued)), strict=True)
        )
        if ran + waited >= over / 2 and ran >= _RUNS * over:
            return True
    return False


def _cpu(pid: int) -> dict[str, tuple[float, float]]:
    """Seconds each thread ran, and waited to run; empty where the kernel does not say."""
    found: dict[str, tuple[float, float]] = {}
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):
            running, queued, *_ = path.read_text().split()
            found[path.parent.name] = int(running) / 1e9, int(queued) / 1e9
    return found
