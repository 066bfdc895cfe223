"""Waiting for a child process: `process.wait`, with the program's name and the limit in force.

What the child itself does on the network is not seen.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import InFlight, Tap, TimedSpan, wire

_POLL = 0.5
"""Seconds; a shorter wait is one of many, and gets no span of its own."""


def install(recorder: Recorder) -> None:
    """Tap `Popen.wait` and `Popen.communicate`, beneath run, call and check_output."""
    tap = Tap("subprocesses", recorder)

    def waiting(process: Any, timeout: float | None) -> TimedSpan | InFlight:
        program, limit = _program(process.args), wire(timeout)
        if timeout is not None and timeout < _POLL:
            return InFlight(recorder, "process", peer=program, timeout=limit)
        return TimedSpan(
            recorder, "process.wait", "process", peer=program, timeout=limit, program=program, pid=process.pid
        )

    def wait(process: Any, timeout: float | None = None) -> TimedSpan | InFlight | None:
        if process.returncode is not None or _waited_for(recorder):
            return None
        return waiting(process, timeout)

    def communicate(
        process: Any, _input: Any = None, timeout: float | None = None, **_more: Any
    ) -> TimedSpan | InFlight:
        return waiting(process, timeout)

    def processes(module: ModuleType) -> None:
        tap.around(module.Popen, "wait", wait)
        tap.around(module.Popen, "communicate", communicate)

    when_imported("subprocess", tap.safely(processes))


def _waited_for(recorder: Recorder) -> bool:
    """Whether this thread is in `communicate`, which waits for what is left of the limit it was given."""
    ident = threading.get_ident()
    return any(each.kind == "process" and each.thread_id == ident for each in list(recorder.inflight.values()))


def _program(arguments: Any) -> str:
    """Return the program alone: its arguments may hold secrets."""
    first = arguments if isinstance(arguments, (str, bytes, os.PathLike)) else next(iter(arguments), "")
    words = os.fsdecode(first).split()
    return Path(words[0]).name if words else ""
