"""Carries the current span into threads and pools that user code starts: a contextvar alone stops at their door.

What waits for a thread of a pool is a span as well: `thread.wait`, from half a second on.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from types import ModuleType
from typing import Any

from crewdoctor.model.evidence import RAMP
from crewdoctor.worker.inflight import settlers
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap

_CARRIED = "_crewdoctor_span"
_NOTABLE, _AMONG_MANY = 0.5, 0.05
"""Seconds in the queue of a pool from which it is worth a span; in a ramp, where many short waits make a long one."""


def install(recorder: Recorder) -> None:
    """Patch Thread and ThreadPoolExecutor. `loop.run_in_executor` and `asyncio.to_thread` go through `submit`."""
    _carry_into_threads(recorder)
    _carry_into_pools(recorder)
    when_imported("multiprocessing.pool", Tap("context", recorder).safely(functools.partial(_thread_pools, recorder)))


@dataclass(slots=True)
class _Waiting:
    since: float
    span: str
    workers: int
    future: weakref.ReferenceType[Any] | None = None
    opened: str = ""


class Queued:
    """What was handed to pools and has not begun."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._numbers = recorder, count()
        self._waiting: dict[int, _Waiting] = {}

    def put(self, span: str, workers: int) -> int:
        """Something was handed over; returns its number."""
        number = next(self._numbers)
        self._waiting[number] = _Waiting(self._recorder.now(), span, workers)
        return number

    def promised(self, number: int, future: Future[Any]) -> None:
        """Its future: one that is cancelled never begins."""
        waiting = self._waiting.get(number)
        if waiting is not None:
            waiting.future = weakref.ref(future)

    def begun(self, number: int) -> None:
        """A thread has taken it, or never will."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            self._open(waiting)
            self._recorder.close(waiting.opened)

    def look(self) -> None:
        """Open the spans of what has waited long: a start without an end survives the process."""
        for number, waiting in list(self._waiting.items()):
            future = waiting.future() if waiting.future is not None else None
            if waiting.span not in self._recorder._spans or (future is not None and future.cancelled()):
                self.begun(number)
            else:
                self._open(waiting)

    def _open(self, waiting: _Waiting) -> None:
        notable = _AMONG_MANY if self._recorder.step.startswith(RAMP) else _NOTABLE
        late = self._recorder.now() - waiting.since >= notable
        if late and not waiting.opened and waiting.span in self._recorder._spans:
            waiting.opened = self._recorder.open(
                "thread.wait", parent=waiting.span, start=waiting.since, workers=waiting.workers
            )


def _here(recorder: Recorder) -> str | None:
    return (recorder.current.get() or recorder.thread_spans.get(threading.get_ident())) if recorder.armed else None


def _carry_into_threads(recorder: Recorder) -> None:
    thread: Any = threading.Thread
    start, bootstrap = thread.start, thread._bootstrap_inner

    @functools.wraps(start)
    def carrying_start(self: threading.Thread) -> None:
        span = _here(recorder)
        if span:
            self.__dict__[_CARRIED] = span
        start(self)

    @functools.wraps(bootstrap)
    def carrying_bootstrap(self: threading.Thread) -> None:
        span = self.__dict__.pop(_CARRIED, None)
        if span is None:
            bootstrap(self)
            return
        ident = threading.get_ident()
        recorder.thread_spans[ident] = span
        try:
            bootstrap(self)
        finally:
            recorder.thread_spans.pop(ident, None)

    thread.start, thread._bootstrap_inner = carrying_start, carrying_bootstrap


def _carry_into_pools(recorder: Recorder) -> None:
    pool: Any = ThreadPoolExecutor
    submit = pool.submit
    queued = Queued(recorder)
    settlers.append(queued.look)

    @functools.wraps(submit)
    def carrying_submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        span = _here(recorder)
        if not span:
            return submit(self, fn, *args, **kwargs)  # type: ignore[no-any-return]
        number = queued.put(span, getattr(self, "_max_workers", 0))
        try:
            future: Future[Any] = submit(
                self, functools.partial(_begun, queued, number, recorder, span, fn), *args, **kwargs
            )
        except BaseException:
            queued.begun(number)
            raise
        queued.promised(number, future)
        return future

    pool.submit = carrying_submit


def _thread_pools(recorder: Recorder, module: ModuleType) -> None:
    """`multiprocessing.pool.ThreadPool`: its workers are older than what they are given."""
    for name in ("apply_async", "_map_async", "imap", "imap_unordered"):
        original = getattr(module.ThreadPool, name, None)
        if original is not None and name not in module.ThreadPool.__dict__:
            setattr(module.ThreadPool, name, _carrying(recorder, original))


def _carrying(recorder: Recorder, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def carrying(self: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        span = _here(recorder)
        return original(self, functools.partial(_carried, recorder, span, func) if span else func, *args, **kwargs)

    return carrying


def _begun(queued: Queued, number: int, recorder: Recorder, *rest: Any, **kwargs: Any) -> Any:
    queued.begun(number)
    return _carried(recorder, *rest, **kwargs)


def _carried(recorder: Recorder, span: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    ident = threading.get_ident()
    before = recorder.thread_spans.get(ident)
    recorder.thread_spans[ident] = span
    token = recorder.current.set(span)
    try:
        return function(*args, **kwargs)
    finally:
        recorder.current.reset(token)
        if before is None:
            recorder.thread_spans.pop(ident, None)
        else:
            recorder.thread_spans[ident] = before
