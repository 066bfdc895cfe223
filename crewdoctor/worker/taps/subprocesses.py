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
    """Tap subprocess (beneath run, call and check_output), multiprocessing's processes, and asyncio's."""
    tap = Tap("subprocesses", recorder)

    def waiting(program: str, pid: int | None, timeout: float | None) -> TimedSpan | InFlight:
        limit = wire(timeout)
        if timeout is not None and timeout < _POLL:
            return InFlight(recorder, "process", peer=program, timeout=limit)
        return TimedSpan(recorder, "process.wait", "process", peer=program, timeout=limit, program=program, pid=pid)

    def wait(process: Any, timeout: float | None = None) -> TimedSpan | InFlight | None:
        if process.returncode is not None or _waited_for(recorder):
            return None
        return waiting(_program(process.args), process.pid, timeout)

    def communicate(
        process: Any, _input: Any = None, timeout: float | None = None, **_more: Any
    ) -> TimedSpan | InFlight:
        return waiting(_program(process.args), process.pid, timeout)

    def joined(process: Any, timeout: float | None = None) -> TimedSpan | InFlight:
        return waiting(process.name, process.pid, timeout)

    def awaited(process: Any) -> TimedSpan | InFlight | None:
        return None if process.returncode is not None else waiting("a child process", process.pid, None)

    def processes(module: ModuleType) -> None:
        tap.around(module.Popen, "wait", wait)
        tap.around(module.Popen, "communicate", communicate)

    def of_multiprocessing(module: ModuleType) -> None:
        tap.around(module.BaseProcess, "join", joined)

    def of_asyncio(module: ModuleType) -> None:
        tap.around_coroutine(module.Process, "wait", awaited)

    when_imported("subprocess", tap.safely(processes))
    when_imported("multiprocessing.process", tap.safely(of_multiprocessing))
    when_imported("asyncio.subprocess", tap.safely(of_asyncio))


def _waited_for(recorder: Recorder) -> bool:
    """Whether this thread is in `communicate`, which waits for what is left of the limit it was given."""
    ident = threading.get_ident()
    return any(each.kind == "process" and each.thread_id == ident for each in list(recorder.inflight.values()))


def _program(arguments: Any) -> str:
    """Return the program alone: its arguments may hold secrets."""
    first = arguments if isinstance(arguments, (str, bytes, os.PathLike)) else next(iter(arguments), "")
    words = os.fsdecode(first).split()
    return Path(words[0]).name if words else ""
