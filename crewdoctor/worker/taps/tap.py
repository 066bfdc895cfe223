"""What every tap is made of: a guard that disables it when it raises, and a way to stand around a function.

Law 10: a tap that raises writes one line of ours, goes quiet, and the user's call proceeds as if it were not there.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from crewdoctor.model.span import Failure
from crewdoctor.worker.classify import classify
from crewdoctor.worker.recorder import Recorder

T = TypeVar("T")

_STANDS = "__crewdoctor_tap__"


class BlockedWouldWrite(RuntimeError):  # noqa: N818 - a verdict about the call, not an error of its own
    """A guarded call with invented arguments was about to change the world; the tap stopped it."""


class Watched(Protocol):
    """What a `begin` hands back: told how the call it watches ended."""

    def done(self, result: Any) -> None:
        """It returned `result`."""

    def failed(self, error: BaseException) -> None:
        """It raised `error`."""


class Tap:
    """One tap and its switch."""

    __slots__ = ("active", "name", "recorder")

    def __init__(self, name: str, recorder: Recorder) -> None:
        self.name, self.recorder, self.active = name, recorder, True

    def guard(self, function: Callable[..., T]) -> Callable[..., T | None]:
        """Return `function` made harmless: None while the tap is off, no step runs, or when it raises."""
        recorder = self.recorder

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> T | None:
            if not self.active or recorder.idle:
                return None
            try:
                return function(*args, **kwargs)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                self.disable(error)
                return None

        return guarded

    def safely(self, hook: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return an installing hook made harmless; unlike `guard` it also runs before any step."""

        def installed(module: Any) -> None:
            self.tell(hook, module)

        return installed

    def disable(self, error: Exception) -> None:
        """Go quiet for good, leaving one line."""
        self.active = False
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
        self.recorder.own(f"tap {self.name} disabled itself: {error!r} at {where}")

    def around(self, owner: Any, name: str, begin: Callable[..., Watched | None]) -> None:
        """Stand around `owner.name`: `begin(*its arguments)` may return something that watches the call. Idempotent."""
        original = _untapped(owner, name)
        if original is not None:
            self.put(owner, name, self.watching(original, begin))

    def watching(self, original: Callable[..., Any], begin: Callable[..., Watched | None]) -> Callable[..., Any]:
        """`original` with `begin` around it, as `around` puts it in place."""
        recorder, disable = self.recorder, self.disable

        @functools.wraps(original)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            # What `guard` and `tell` do, written out: this stands in the way of every request.
            if not self.active or recorder.idle:
                return original(*args, **kwargs)
            watched = None
            try:
                watched = begin(*args, **kwargs)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                disable(error)
            if watched is None:
                return original(*args, **kwargs)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                self.tell(watched.failed, error)
                raise
            try:
                watched.done(result)
            except Exception as error:
                disable(error)
            return result

        return tapped

    def around_coroutine(self, owner: Any, name: str, begin: Callable[..., Watched | None]) -> None:
        """`around` for a coroutine function."""
        original = _untapped(owner, name)
        if original is None:
            return
        recorder, disable = self.recorder, self.disable

        @functools.wraps(original)
        async def tapped(*args: Any, **kwargs: Any) -> Any:
            if not self.active or recorder.idle:
                return await original(*args, **kwargs)
            watched = None
            try:
                watched = begin(*args, **kwargs)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                disable(error)
            if watched is None:
                return await original(*args, **kwargs)
            try:
                result = await original(*args, **kwargs)
            except BaseException as error:
                self.tell(watched.failed, error)
                raise
            try:
                watched.done(result)
            except Exception as error:
                disable(error)
            return result

        self.put(owner, name, tapped)

    def replace(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Put `make(original)` in place of `owner.name`; for paths too hot for `around`. Idempotent."""
        original = _untapped(owner, name)
        if original is not None:
            self.put(owner, name, functools.wraps(original)(make(original)))

    def tell(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Call one of our own functions after the user's; what it raises disables the tap."""
        try:
            function(*args, **kwargs)
        except Exception as error:
            self.disable(error)

    @staticmethod
    def put(owner: Any, name: str, tapped: Callable[..., Any]) -> None:
        """Set the wrapper and mark it, so that a second install finds it."""
        setattr(tapped, _STANDS, True)
        setattr(owner, name, tapped)


class TimedSpan:
    """A span that lasts exactly as long as one call, and the in-flight entry beside it."""

    __slots__ = ("_doing", "_key", "_recorder", "span")

    def __init__(
        self, recorder: Recorder, name: str, doing: str, *, peer: str, timeout: Any = None, **attrs: Any
    ) -> None:
        if timeout is not None:
            attrs["timeout"] = timeout
        self._recorder, self._doing = recorder, doing
        self.span = recorder.open(name, **attrs)
        self._key = recorder.enter(doing, peer=peer, timeout=timeout, span=self.span)

    def end(self, failure: Failure | None = None, **attrs: Any) -> None:
        """It is over."""
        self._recorder.leave(self._key)
        self._recorder.close(self.span, failure=failure, **attrs)

    def done(self, _result: Any) -> None:
        """The call returned."""
        self.end()

    def failed(self, error: BaseException) -> None:
        """The call raised."""
        self.end(classify(error, self._doing))


class InFlight:
    """An in-flight entry without a span of its own."""

    __slots__ = ("_key", "_recorder")

    def __init__(self, recorder: Recorder, kind: str, *, peer: str = "", timeout: Any = None) -> None:
        self._recorder = recorder
        self._key = recorder.enter(kind, peer=peer, timeout=timeout)

    def done(self, _result: Any) -> None:
        """The call returned."""
        self._recorder.leave(self._key)

    def failed(self, _error: BaseException) -> None:
        """The call raised."""
        self._recorder.leave(self._key)


def wire(timeout: Any) -> dict[str, Any]:
    """Wire form of a timeout as libraries spell it: None is no limit, a number is seconds, the rest is unknown."""
    if timeout is None:
        return {"timeout": "unlimited"}
    if isinstance(timeout, (int, float)) and not isinstance(timeout, bool):
        return {"timeout": float(timeout)}
    return {"timeout": "unknown"}


def span_here(recorder: Recorder) -> str | None:
    """Return the span the running code belongs to, a carried thread's included."""
    current: ContextVar[str | None] = recorder.current
    return current.get() or recorder.thread_spans.get(threading.get_ident())


def subject_here(recorder: Recorder) -> str:
    """Return the subject of that span, empty for none."""
    known = recorder._spans.get(span_here(recorder) or "")
    return known.subject if known is not None else ""


def name_here(recorder: Recorder) -> str:
    """Return the name of that span, empty for none."""
    known = recorder._spans.get(span_here(recorder) or "")
    return known.name if known is not None else ""


def _untapped(owner: Any, name: str) -> Callable[..., Any] | None:
    original = getattr(owner, name, None)
    if original is None or getattr(original, _STANDS, False):
        return None
    return original  # type: ignore[no-any-return]
