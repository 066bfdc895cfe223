"""The clock around an asyncio read: `asyncio.wait_for` and `asyncio.timeout`, read where a stream waits for bytes.

asyncio's sockets never time out by themselves. What bounds a read stands around it in the caller's code, so it is
carried in the context; a stream that waits for data is in flight with the nearest end of them. Where no such clock is
known the timeout stays unknown: a task may be cancelled by anybody.
"""

from __future__ import annotations

import time
import weakref
from contextvars import ContextVar, Token
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import Tap, wire

_EARLY = 0.02
"""Seconds by which a loop's clock may fire before ours."""
_limit: ContextVar[tuple[float, float] | None] = ContextVar("crewdoctor_asyncio_limit", default=None)
"""Seconds of the clock that ends first, and when that is."""


class _Clock:
    """A limit is in force while the call lasts."""

    __slots__ = ("_token",)

    def __init__(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        around = _limit.get()
        self._token: Token[tuple[float, float] | None] | None = None
        if around is None or ends < around[1]:
            self._token = _limit.set((seconds, ends))

    def over(self) -> None:
        """It is no longer in force."""
        token, self._token = self._token, None
        if token is not None:
            try:
                _limit.reset(token)
            except ValueError:  # left in another context
                _limit.set(None)

    def done(self, _result: Any) -> None:
        self.over()

    def failed(self, _error: BaseException) -> None:
        self.over()


class Receiving:
    """Somebody waits for bytes of a connection."""

    __slots__ = ("_connection", "_ends", "_key", "_recorder")

    def __init__(self, recorder: Recorder, connection: Connection, timeout: dict[str, Any]) -> None:
        self._recorder, self._connection = recorder, connection
        limit = _limit.get()
        self._ends = limit[1] if limit is not None else float("inf")
        if timeout.get("timeout") != "unknown" and connection.exchange is not None:
            connection.exchange.limit = timeout
        self._key = recorder.enter("recv", peer=connection.peer, timeout=timeout, span=connection.span)
        recorder.inflight[self._key].bytes = connection.received
        connection.reading += 1

    def done(self, _result: Any) -> None:
        """Something came."""
        self._recorder.leave(self._key)
        self._connection.reading -= 1

    def failed(self, error: BaseException) -> None:
        """It was given up: by a clock, which asyncio tells the one who waits as a cancellation, or by somebody."""
        self.done(None)
        late = time.monotonic() >= self._ends - _EARLY
        if late and not isinstance(error, (TimeoutError, OSError)):
            error = TimeoutError("timed out")
        if isinstance(error, TimeoutError):
            connections_of(self._recorder).failed(self._connection, error, "recv")


def in_force() -> dict[str, Any]:
    """Wire form of the limit around the running code."""
    limit = _limit.get()
    return {"timeout": "unknown"} if limit is None else wire(limit[0])


def beneath(recorder: Recorder, transport: Any) -> Connection | None:
    """The connection of a transport."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    return connections_of(recorder).table.get(sock.fileno()) if sock is not None else None


def install(recorder: Recorder) -> None:
    """Tap asyncio's clocks and its streams."""
    tap = Tap("asyncio_limits", recorder)
    entered: weakref.WeakKeyDictionary[Any, _Clock] = weakref.WeakKeyDictionary()

    def wait_for(_awaitable: Any, timeout: Any = None, **_more: Any) -> _Clock | None:
        return _Clock(float(timeout)) if isinstance(timeout, (int, float)) and timeout > 0 else None

    def enter(clock: Any) -> None:
        if clock.when() is not None:
            import asyncio

            entered[clock] = _Clock(round(max(0.0, clock.when() - asyncio.get_running_loop().time()), 2))

    def leave(clock: Any, *_args: Any) -> None:
        held = entered.pop(clock, None)
        if held is not None:
            held.over()

    def data(reader: Any, _name: str) -> Receiving | None:
        connection = beneath(recorder, reader._transport)
        return None if connection is None else Receiving(recorder, connection, in_force())

    def tasks(module: ModuleType) -> None:
        tap.around_coroutine(module, "wait_for", wait_for)

    def package(module: ModuleType) -> None:
        module.wait_for = module.tasks.wait_for  # type: ignore[attr-defined]

    def clocks(module: ModuleType) -> None:
        tap.around_coroutine(module.Timeout, "__aenter__", enter)
        tap.around_coroutine(module.Timeout, "__aexit__", leave)

    def streams(module: ModuleType) -> None:
        tap.around_coroutine(module.StreamReader, "_wait_for_data", data)

    when_imported("asyncio.tasks", tap.safely(tasks))
    when_imported("asyncio", tap.safely(package))
    when_imported("asyncio.timeouts", tap.safely(clocks))
    when_imported("asyncio.streams", tap.safely(streams))
