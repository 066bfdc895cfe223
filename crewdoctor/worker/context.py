"""Carries the current span into threads and pools that user code starts: a contextvar alone stops at their door."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from crewdoctor.worker.recorder import Recorder

_CARRIED = "_crewdoctor_span"


def install(recorder: Recorder) -> None:
    """Patch Thread and ThreadPoolExecutor. `loop.run_in_executor` and `asyncio.to_thread` go through `submit`."""
    _carry_into_threads(recorder)
    _carry_into_pools(recorder)


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

    @functools.wraps(submit)
    def carrying_submit(self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        span = _here(recorder)
        if span:
            fn = functools.partial(_carried, recorder, span, fn)
        return submit(self, fn, *args, **kwargs)  # type: ignore[no-any-return]

    pool.submit = carrying_submit


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
