"""Child processes as they start: `process.started`. What a child records of itself then lies in the span it began in.

A fork carries its owner along; a process that becomes another program is told by its number alone.
"""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap


class _Started:
    """A process is being started within a span."""

    __slots__ = ("_process", "_recorder", "_span")

    def __init__(self, recorder: Recorder, process: Any, span: str) -> None:
        self._recorder, self._process, self._span = recorder, process, span

    def done(self, _result: Any) -> None:
        """It runs."""
        self._recorder.event("process.started", pid=self._process.pid, span=self._span)

    def failed(self, _error: BaseException) -> None:
        """There is none."""


def install(recorder: Recorder) -> None:
    """Tap subprocess (asyncio's processes are its, too) and multiprocessing."""
    tap = Tap("child_starts", recorder)

    def starting(process: Any, *_args: Any, **_more: Any) -> _Started | None:
        span = recorder.current.get() or recorder.thread_spans.get(threading.get_ident())
        return _Started(recorder, process, span) if span and recorder.armed else None

    def processes(module: ModuleType) -> None:
        tap.around(module.Popen, "__init__", starting)

    def of_multiprocessing(module: ModuleType) -> None:
        tap.around(module.BaseProcess, "start", starting)

    when_imported("subprocess", tap.safely(processes))
    when_imported("multiprocessing.process", tap.safely(of_multiprocessing))
