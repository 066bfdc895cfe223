"""Processes of a recorded program whose interpreter C code holds: what their faulthandler wrote, read from without."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.supervisor.computing import computing
from crewdoctor.wire.dumped import stacks_of

_MOST = 1 << 18
_LATE = 2.0
"""Seconds by which a look may come late."""
_WATCHED = 0.2
"""Seconds a process is watched for whether it computes."""
_NAMED = b'"name":"program"'


class Held:
    """The processes of one recording, as far as its lines name them."""

    def __init__(self, recording: Path) -> None:
        self._recording, self._read = recording, 0
        self._known: dict[int, tuple[str, int]] = {}
        self._since: dict[int, tuple[float, float]] = {}
        """Process → since when it has been held, and until when at least."""

    def look(self, at: float) -> Iterator[dict[str, Any]]:
        """`stack` records, without ids, of what was written since the last look. `at`: seconds since zero."""
        self._learn()
        for pid, (step, fd) in list(self._known.items()):
            text = _taken(pid, fd)
            if text is None:
                del self._known[pid]
            elif text:
                last = text.rpartition("Timeout (")[2]
                after = _after(last)
                since, until = self._since.get(pid, (at, at - 2 * after))
                since = since if at - until <= after + _LATE else at - after * text.count("Timeout (")
                self._since[pid] = since, at
                busy = computing(pid, _WATCHED)
                for each in stacks_of(last, at=at, seconds=at - since, computing=busy, span=None):
                    yield {**each, "step": step}

    def _learn(self) -> None:
        """Read on in the recording, whole lines alone."""
        with suppress(OSError), self._recording.open("rb") as file:
            file.seek(self._read)
            data = file.read(1 << 22)
            whole = data.rfind(b"\n") + 1
            self._read += whole
            for line in data[:whole].splitlines():
                if _NAMED in line:
                    with suppress(ValueError, KeyError, TypeError):
                        record = json.loads(line)
                        told = record["value"]
                        if isinstance(told.get("held"), int) and told["held"] >= 0:
                            self._known[int(told["pid"])] = (str(record["step"]), told["held"])


def _taken(pid: int, fd: int) -> str | None:
    """What was written, which is then gone; None where the process is, or the descriptor is another one's now."""
    path = f"/proc/{pid}/fd/{fd}"
    try:
        if not str(Path(path).readlink()).startswith("/memfd:crewdoctor"):
            return None
        held = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        text = os.read(held, _MOST)
        if text:
            os.ftruncate(held, 0)
    finally:
        os.close(held)
    return text.decode("utf-8", "replace")


def _after(text: str) -> float:
    """Seconds of faulthandler's clock, out of `0:00:03)!`."""
    parts = text.partition(")")[0].split(":")
    with suppress(ValueError):
        return sum(float(part) * unit for part, unit in zip(reversed(parts), (1, 60, 3600), strict=False))
    return 0.0
