"""Descriptors of ours in a process of the user's: far above where a program's own lie.

A program that closes what it did not open (a daemon does) closes ours as well, and gets their numbers for its own files
next: low ones would then be written to, or read, in the user's place.
"""

from __future__ import annotations

import fcntl
import os
import resource

_FLOOR, _BELOW_LIMIT = 800, 200
"""`select` takes numbers up to 1023."""


def high(fd: int) -> int:
    """Move a descriptor up, where there is room; it is not inherited."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    floor = min(_FLOOR, soft - _BELOW_LIMIT) if soft > 0 else _FLOOR
    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(0, floor))
    except (OSError, ValueError):
        return fd
    os.close(fd)
    return moved


def pipe() -> tuple[int, int]:
    """Return both ends of a pipe, moved up."""
    reading, writing = os.pipe()
    return high(reading), high(writing)
