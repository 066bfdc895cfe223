"""The recording: everything a diagnosis learned, one JSON line per fact, written as it happens.

A line is complete when it ends in a newline. Whatever kills crewdoctor leaves at most the last line cut, and reading
drops just that.
"""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from crewdoctor import __version__
from crewdoctor.model.options import Options
from crewdoctor.model.recording import Header, Recording
from crewdoctor.wire.codec import encode
from crewdoctor.wire.fold import Fold
from crewdoctor.wire.frames import FORMAT, LONGEST_LINE
from crewdoctor.wire.lines import line_of
from crewdoctor.wire.redact import MASK

MOST_BYTES = 256 << 20
"""Of one recording. Results, plans, facts and crewdoctor's own lines are written beyond it as well."""
_BULK = frozenset({"open", "close", "event", "stack"})


class RecordingError(ValueError):
    """A file that is no recording this version can read; the message is one sentence."""


def header(options: Options) -> dict[str, Any]:
    """Return the first record. The only place where the wall clock is read."""
    if not options.include_content:
        options = replace(options, inputs=_masked(options.inputs), tool_arguments=_masked(options.tool_arguments))
    value = Header(
        format=FORMAT,
        crewdoctor=__version__,
        started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        python=platform.python_version(),
        platform=f"{sys.platform} {platform.machine()}",
        cpus=os.cpu_count() or 0,
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        options=options,
    )
    return {"k": "header", "header": encode(value)}


def _masked(held: dict[str, Any]) -> dict[str, Any]:
    """Names without their values: an input is part of the prompt."""
    return {name: _masked(each) if isinstance(each, dict) else MASK for name, each in held.items()}


def _without_content(record: dict[str, Any]) -> dict[str, Any]:
    """A plan or a result whose steps name what they were given, and hold none of it."""
    if record["k"] == "plan":
        return {**record, "plan": {**record["plan"], "steps": [_bare(step) for step in record["plan"]["steps"]]}}
    if record["k"] == "result":
        return {**record, "result": {**record["result"], "step": _bare(record["result"]["step"])}}
    return record


def _bare(step: dict[str, Any]) -> dict[str, Any]:
    args = step["args"]
    content = {name: _masked(args[name]) for name in ("inputs", "arguments", "tool_arguments") if args.get(name)}
    return {**step, "args": {**args, **content}} if content else step


class RecordingWriter:
    """Appends records to a file, each handed to the operating system at once. Without a path it writes nowhere."""

    def __init__(self, path: Path | str | None) -> None:
        """Raise OSError when the file cannot be created."""
        self.path = Path(path) if path is not None else None
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._fd = -1 if self.path is None else os.open(self.path, flags, 0o600)
        self._content = False
        self._bytes = 0
        self._dropped: Counter[str] = Counter()

    def write(self, record: dict[str, Any]) -> None:
        """Append one record, redacted; of spans, events and stacks only their number once there are `MOST_BYTES`."""
        if self._fd < 0:
            return
        if self._bytes >= MOST_BYTES and record["k"] in _BULK:
            self._dropped[str(record.get("name", ""))] += record["k"] == "open"
            return
        if record["k"] == "last" and self._dropped:
            self.write({"k": "dropped", "step": "", "at": record["at"], "spans": +self._dropped})
        if record["k"] == "header":
            self._content = bool(record["header"]["options"]["include_content"])
        elif not self._content:
            record = _without_content(record)
        line = line_of(record)
        self._bytes += len(line)
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        """Close the file; later records are dropped."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def read_recording(path: Path | str) -> Recording:
    """Read a recording, cut off or damaged as it may be. Raises RecordingError, OSError."""
    fold = Fold()
    line = b""
    with Path(path).open("rb") as file:
        for line in _lines(file):
            fold.add(line)
    if fold.header is None:
        reason = "its first line was cut off or is no header" if line else "it is empty"
        raise RecordingError(f"{path}: not a recording of crewdoctor: {reason}")
    if fold.header.format != FORMAT:
        raise RecordingError(f"{path}: its format is {fold.header.format!r}, and this version reads {FORMAT!r}")
    return fold.recording()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, of which none fills the memory: one that is too long comes as a short one that is no record."""
    while line := file.readline(LONGEST_LINE):
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LONGEST_LINE)
        yield b"\n"


__all__ = ["RecordingError", "RecordingWriter", "header", "read_recording"]
