"""Waiting for a free connection of a client's pool: `pool.wait`, for httpcore (1 and 2), urllib3 and aiohttp.

httpx, httpx2 and the SDKs built on them stand on httpcore; requests and botocore on urllib3.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap, TimedSpan, wire

PEER = "a free connection of the client's pool"
_here = threading.local()
"""`waiting`: this thread is in urllib3's queue of connections, which `waits.py` would otherwise call a queue."""


def in_pool() -> bool:
    """Whether this thread waits for a connection of a pool."""
    return bool(getattr(_here, "waiting", False))


class _Blocked(TimedSpan):
    """A wait in the thread's own queue."""

    __slots__ = ()

    def end(self, *args: Any, **attrs: Any) -> None:
        _here.waiting = False
        super().end(*args, **attrs)


def install(recorder: Recorder) -> None:
    """Tap the pools, now or when they are imported."""
    tap = Tap("pools", recorder)

    def unassigned(_event: Any, timeout: float | None = None) -> TimedSpan:
        return TimedSpan(recorder, "pool.wait", "lock", peer=PEER, timeout=wire(timeout))

    def taken(pool: Any, timeout: float | None = None) -> TimedSpan | None:
        if pool.pool is None or pool.pool.qsize():
            return None
        _here.waiting = True
        size = pool.pool.maxsize
        return _Blocked(recorder, "pool.wait", "lock", peer=PEER, timeout=wire(timeout), client="urllib3", size=size)

    def queued(connector: Any, *_args: Any) -> TimedSpan:
        size = connector.limit or connector.limit_per_host
        return TimedSpan(recorder, "pool.wait", "lock", peer=PEER, client="aiohttp", size=size)

    def events(module: ModuleType) -> None:
        # Only their pools use these, and only for a request that got no connection at once.
        tap.around(module.Event, "wait", unassigned)
        tap.around_coroutine(module.AsyncEvent, "wait", unassigned)

    def of_urllib3(original: Callable[..., Any]) -> Callable[..., Any]:
        waiting = tap.watching(original, taken)

        def _get_conn(pool: Any, *args: Any, **kwargs: Any) -> Any:
            return (waiting if pool.block else original)(pool, *args, **kwargs)

        return _get_conn

    def queues(module: ModuleType) -> None:
        tap.replace(module.HTTPConnectionPool, "_get_conn", of_urllib3)

    for package in ("httpcore", "httpcore2"):
        when_imported(f"{package}._synchronization", tap.safely(events))
    when_imported("urllib3.connectionpool", tap.safely(queues))
    when_imported(
        "aiohttp.connector",
        tap.safely(lambda module: tap.around_coroutine(module.BaseConnector, "_wait_for_available_connection", queued)),
    )
