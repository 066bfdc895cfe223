"""Sleeps that crewai and the SDKs put between calls: `limiter.sleep` and `retry.backoff`.

`max_rpm` makes crewai sleep a whole minute while it holds the controller's lock: who waits for that lock waits for the
limiter as well. Backoff sleeps take no function of ours along by import (`time.sleep` is bound as a default argument),
so they are found where they are called.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, TimedSpan

_NOTABLE = 0.05
"""Seconds; a shorter wait for the limiter is only its bookkeeping."""


class _Backoff(TimedSpan):
    """A sleep whose length is only known afterwards."""

    __slots__ = ("_began", "_clock")

    def __init__(self, recorder: Recorder, taken: int | None) -> None:
        super().__init__(recorder, "retry.backoff", "sleep", peer="the SDK's backoff", attempt=taken)
        self._clock, self._began = recorder.now, recorder.now()

    def done(self, _result: Any) -> None:
        self.end(seconds=round(self._clock() - self._began, 3))


def install(recorder: Recorder) -> None:
    """Tap crewai's RPMController, its rate-limit retry, and the backoff of the SDKs of openai and anthropic."""
    tap = Tap("limiter", recorder)

    def wait(controller: Any) -> TimedSpan | None:
        limit = controller.max_rpm
        lock = getattr(controller, "_lock", None)
        # Who finds the lock taken waits behind one that sleeps.
        if limit is None or (controller._current_rpm < limit and not (lock is not None and lock.locked())):
            return None
        return TimedSpan(recorder, "limiter.sleep", "sleep", peer=f"max_rpm={limit}", max_rpm=limit)

    def controllers(module: ModuleType) -> None:
        tap.around(module.RPMController, "check_or_wait", wait)

    def pause(seconds: float) -> TimedSpan | None:
        if seconds < _NOTABLE:
            return None
        return TimedSpan(recorder, "retry.backoff", "sleep", peer=f"{seconds:.1f} s before a retry", seconds=seconds)

    def sdk_pause(_client: Any, *_args: Any, **more: Any) -> _Backoff:
        return _Backoff(recorder, more.get("retries_taken"))

    def crewai_retry(module: ModuleType) -> None:
        import asyncio

        for name, sleep in (("run_with_rate_limit_retry", time.sleep), ("arun_with_rate_limit_retry", asyncio.sleep)):
            defaults = getattr(getattr(module, name, None), "__kwdefaults__", None)
            if defaults and "sleep" in defaults:
                defaults["sleep"] = _told(tap, pause, sleep)

    def sdk(module: ModuleType) -> None:
        tap.around(module.SyncAPIClient, "_sleep_for_retry", sdk_pause)
        tap.around_coroutine(module.AsyncAPIClient, "_sleep_for_retry", sdk_pause)

    when_imported("crewai.utilities.rpm_controller", tap.safely(controllers))
    when_imported("crewai.llms.retry", tap.safely(crewai_retry))
    for package in ("openai", "anthropic"):
        when_imported(f"{package}._base_client", tap.safely(sdk))


def _told(tap: Tap, begin: Callable[[float], TimedSpan | None], sleep: Callable[..., Any]) -> Callable[..., Any]:
    """Return `sleep` (of time or asyncio) with a span around it."""
    begin_safely = tap.guard(begin)
    if inspect.iscoroutinefunction(sleep):

        @functools.wraps(sleep)
        async def awaited(seconds: float) -> Any:
            span = begin_safely(seconds)
            try:
                return await sleep(seconds)
            finally:
                if span is not None:
                    span.end()

        return awaited

    @functools.wraps(sleep)
    def slept(seconds: float) -> Any:
        span = begin_safely(seconds)
        try:
            return sleep(seconds)
        finally:
            if span is not None:
                span.end()

    return slept
