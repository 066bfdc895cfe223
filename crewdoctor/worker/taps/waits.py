"""Waiting for nothing on the wire: `sleep`, `queue` and `lock` in flight.

Only waits of half a second and more, and only where a span is going on: idle workers of pools wait all day. A bare
`Lock.acquire` is a method of a C type; the watchdog knows it by its frames.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.pools import in_pool
from crewdoctor.worker.taps.tap import InFlight, Tap, span_here, wire

NOTABLE = 0.5
"""Seconds."""


class _Sleep:
    """`time.sleep`, noted while it lasts.

    An object, not a function: a builtin in a class body does not become a method, and code in the wild relies on it.
    Pickled by name, as the builtin is.
    """

    def __init__(self, tap: Tap, original: Any) -> None:
        self._tap, self._original = tap, original
        self._begin = tap.guard(
            lambda seconds: InFlight(tap.recorder, "sleep", peer=f"{seconds:g} s", timeout=wire(seconds))
        )
        self.__name__, self.__qualname__, self.__module__ = "sleep", "sleep", "time"
        self.__doc__ = original.__doc__
        self.__wrapped__ = original
        self.__crewdoctor_tap__ = True

    def __call__(self, *args: Any) -> None:
        seconds = args[0] if args else None
        if not isinstance(seconds, (int, float)) or seconds < NOTABLE:
            self._original(*args)
            return
        watched = self._begin(seconds)
        try:
            self._original(*args)
        finally:
            if watched is not None:
                watched.done(None)

    def __reduce__(self) -> str:
        return "sleep"


class _Bounded(InFlight):
    """A wait for somebody's work with a limit: when that has run out the work goes on, event `wait.gave_up`."""

    __slots__ = ("_goes_on", "_span", "_timeout", "_what")

    def __init__(self, recorder: Recorder, what: str, timeout: float, goes_on: Callable[[], bool]) -> None:
        super().__init__(recorder, "lock", peer=what, timeout=wire(timeout))
        self._goes_on, self._what, self._timeout = goes_on, what, wire(timeout)
        self._span = span_here(recorder)

    def done(self, _result: Any) -> None:
        super().done(_result)
        if self._goes_on():
            self._recorder.event("wait.gave_up", what=self._what, timeout=self._timeout, span=self._span)

    def failed(self, _error: BaseException) -> None:
        self.done(None)


def install(recorder: Recorder) -> None:
    """Tap time.sleep, queues, events, futures and joins."""
    tap = Tap("waits", recorder)

    def waiting(kind: str, what: str, timeout: Any) -> InFlight | None:
        if span_here(recorder) is None or (isinstance(timeout, (int, float)) and timeout < NOTABLE):
            return None
        return InFlight(recorder, kind, peer=what, timeout=wire(timeout))

    def got(held: Any, block: bool = True, timeout: Any = None) -> InFlight | None:  # noqa: FBT001, FBT002 - Queue's
        if not block or held.qsize() or in_pool():
            return None
        return waiting("queue", "an item of a queue", timeout)

    def set_(event: Any, timeout: Any = None) -> InFlight | None:
        return None if event.is_set() else waiting("lock", "an event", timeout)

    def bounded(what: str, timeout: Any, goes_on: Callable[[], bool]) -> InFlight | None:
        watched = goes_on() and span_here(recorder) is not None and isinstance(timeout, (int, float))
        if watched and timeout >= NOTABLE:
            return _Bounded(recorder, what, timeout, goes_on)
        return waiting("lock", what, timeout) if goes_on() else None

    def joined(thread: Any, timeout: Any = None) -> InFlight | None:
        return bounded(f"thread {thread.name}", timeout, thread.is_alive)

    def result(future: Any, timeout: Any = None) -> InFlight | None:
        return bounded("the result of a future", timeout, lambda: not future.done())

    def futures(module: ModuleType) -> None:
        tap.around(module.Future, "result", result)
        tap.around(module.Future, "exception", result)

    if not getattr(time.sleep, "__crewdoctor_tap__", False):
        time.sleep = _Sleep(tap, time.sleep)
    tap.replace(queue.Queue, "get", lambda original: _queued(tap, original, got))
    tap.around(threading.Event, "wait", set_)
    tap.around(threading.Thread, "join", joined)
    when_imported("concurrent.futures._base", tap.safely(futures))


def _queued(tap: Tap, original: Callable[..., Any], got: Callable[..., Any]) -> Callable[..., Any]:
    """`Queue.get`; one that holds something is not waited for, and every request through a pool of urllib3 gets one."""
    waiting = tap.watching(original, got)

    def get(self: Any, block: bool = True, timeout: Any = None) -> Any:  # noqa: FBT001, FBT002 - Queue's
        return (original if getattr(self, "queue", None) else waiting)(self, block, timeout)

    return get
