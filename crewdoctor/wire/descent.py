"""What runs beneath a process, and ending all of it.

A step may have forked, called setsid, or left orphans: process groups do not hold them, the tree does. On Linux it is
read from /proc and orphans stay in it because steps, zygotes and keepers are child subreapers; elsewhere `ps` is asked.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LINUX = sys.platform.startswith("linux")
MARK = "CREWDOCTOR_RUN"
"""Environment variable every worker and so every process of a step inherits; its value is the supervisor's own."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_STABLE_WITHIN = 0.5


def parents() -> dict[int, int]:
    """Every live process and its parent; zombies are left out."""
    if not LINUX:
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
        rows = (line.split() for line in listed.stdout.splitlines())
        return {int(row[0]): int(row[1]) for row in rows if len(row) > 2 and "Z" not in row[2]}  # noqa: PLR2004 - columns
    found: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a listing per kill, and pathlib triples its cost
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - as above
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except OSError:
                continue
            if state not in (b"Z", b"X"):
                found[int(name)] = int(parent)
    return found


def descendants(root: int) -> set[int]:
    """Every live process beneath `root`, itself left out."""
    above = parents()
    beneath: set[int] = set()
    grown = True
    while grown:
        layer = {pid for pid, parent in above.items() if pid not in beneath and (parent == root or parent in beneath)}
        grown = bool(layer)
        beneath |= layer
    return beneath


def children(root: int) -> set[int]:
    """Every live child of `root`."""
    return {pid for pid, parent in parents().items() if parent == root}


def end_tree(root: int, *, spare_root: bool = False) -> int:
    """Kill `root` and everything beneath it; returns how many were beneath.

    Each is stopped before it is killed, until a whole look finds nobody new: what is stopped cannot fork.
    """
    stopped: set[int] = set() if spare_root else {root} & _stopped({root})
    until = time.monotonic() + _STABLE_WITHIN
    while time.monotonic() < until:
        new = descendants(root) - stopped
        if not new:
            break
        stopped |= _stopped(new)
    for pid in stopped:
        send(pid, signal.SIGKILL)
    return len(stopped - {root})


def _stopped(pids: set[int]) -> set[int]:
    for pid in pids:
        send(pid, signal.SIGSTOP)
    return pids


def send(pid: int, number: int) -> bool:
    """Signal one process; False when it is gone or not ours."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def marked(value: str) -> set[int]:
    """Live processes whose environment holds our mark with this value: the last sweep, when a worker died on us."""
    wanted = f"{MARK}={value}".encode()
    return {pid for pid in parents() if wanted in _environment(pid)} - {os.getpid()} if LINUX else set()


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent `parent` dies; at once if it already has. Linux only."""
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)


def adopt_orphans(*, on: bool = True) -> bool:
    """Make this process the parent of orphans beneath it; returns whether it was before. Linux only."""
    if not LINUX:
        return False
    held = ctypes.c_int(0)
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.addressof(held))
    _prctl(_PR_SET_CHILD_SUBREAPER, int(on))
    return bool(held.value)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(ctypes.c_int(option), ctypes.c_ulong(value), 0, 0, 0)
