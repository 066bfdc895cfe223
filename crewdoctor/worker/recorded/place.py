"""The file a program's recording goes to: one for all its processes, each line appended whole.

The first process makes the file and tells its descendants of it by one variable; they append to it. On one machine all
processes read the same monotonic clock, so that variable holds the recording's zero, too.
"""

from __future__ import annotations

import fcntl
import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from crewdoctor.model.options import Options
from crewdoctor.model.recording import RECORD, RECORDING
from crewdoctor.wire.frames import to_line
from crewdoctor.wire.recording import header

_HIGH = 200
"""Below the limit of descriptors: far from where a program's own lie, so that one it closes by mistake is not ours."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to write, and the recording's zero."""

    fd: int
    zero: float
    path: Path


def opened(began: float, argv: list[str]) -> Place:
    """Open the recording of this process. `began`: when it started. Raises OSError."""
    zero, _, path = os.environ.get(RECORDING, "").partition(":")
    if path:
        return Place(_high(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)), float(zero), Path(path))
    asked = Path(os.environ[RECORD]).absolute()
    if asked.is_dir():
        asked /= f"recording-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.jsonl"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
    try:
        fd = os.open(asked, flags, 0o600)
    except FileExistsError:  # an earlier run's: it is kept
        asked = asked.with_name(f"{asked.stem}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}{asked.suffix}")
        fd = os.open(asked, flags, 0o600)
    os.write(fd, to_line(header(Options(target=" ".join(argv), scope="run", llm="own"))))
    os.environ[RECORDING] = f"{began!r}:{asked}"
    return Place(_high(fd), began, asked)


def _high(fd: int) -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    floor = soft - _HIGH if 2 * _HIGH < soft < 1 << 20 else 1000
    try:
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, floor)
    except OSError:
        return fd
    os.close(fd)
    return moved
