"""The file a program's recording goes to: one for all its processes, each line appended whole.

The first process makes the file and tells its descendants of it by one variable; they append to it. On one machine all
processes read the same monotonic clock, so that variable holds the recording's zero, too.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from crewdoctor.model.options import Options
from crewdoctor.model.recording import RECORD, RECORDING
from crewdoctor.wire.frames import to_line
from crewdoctor.wire.recording import header
from crewdoctor.worker.high_descriptors import high


@dataclass(frozen=True, slots=True)
class Place:
    """Where to write, and the recording's zero."""

    fd: int
    zero: float
    path: Path
    again: int = 0
    """How often this very process has become another program (`os.execv`) since it was first recorded."""

    @property
    def number(self) -> int:
        """What the ids of this process begin with."""
        return os.getpid() * 1000 + self.again if self.again else os.getpid()


def opened(began: float, argv: list[str]) -> Place:
    """Open the recording of this process. `began`: when it started. Raises OSError."""
    zero, _, rest = os.environ.get(RECORDING, "").partition(":")
    mine, _, path = rest.partition(":")
    if path:
        pid, _, times = mine.partition("+")
        again = int(times or 0) + 1 if pid == str(os.getpid()) else 0
        os.environ[RECORDING] = f"{zero}:{os.getpid()}+{again}:{path}"
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return Place(high(fd), float(zero), Path(path), again)
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
    os.environ[RECORDING] = f"{began!r}:{os.getpid()}+0:{asked}"
    return Place(high(fd), began, asked)
