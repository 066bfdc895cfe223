"""Waiting for a free connection of a client's pool: `pool.wait`, for httpcore (1 and 2), urllib3 and aiohttp.

httpx, httpx2 and the SDKs built on them stand on httpcore; requests and botocore on urllib3.
"""

from __future__ import annotations

import threading
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

    def assigned(pool_request: Any, timeout: float | None = None) -> TimedSpan | None:
        if pool_request.connection is not None:
            return None
        return TimedSpan(recorder, "pool.wait", "lock", peer=PEER, timeout=wire(timeout))

    def taken(pool: Any, timeout: float | None = None) -> TimedSpan | None:
        if not pool.block or pool.pool is None or pool.pool.qsize():
            return None
        _here.waiting = True
        size = pool.pool.maxsize
        return _Blocked(recorder, "pool.wait", "lock", peer=PEER, timeout=wire(timeout), client="urllib3", size=size)

    def queued(connector: Any, *_args: Any) -> TimedSpan:
        size = connector.limit or connector.limit_per_host
        return TimedSpan(recorder, "pool.wait", "lock", peer=PEER, client="aiohttp", size=size)

    def sync(module: ModuleType) -> None:
        tap.around(module.PoolRequest, "wait_for_connection", assigned)

    def asynchronous(module: ModuleType) -> None:
        tap.around_coroutine(module.AsyncPoolRequest, "wait_for_connection", assigned)

    for package in ("httpcore", "httpcore2"):
        when_imported(f"{package}._sync.connection_pool", tap.safely(sync))
        when_imported(f"{package}._async.connection_pool", tap.safely(asynchronous))
    when_imported(
        "urllib3.connectionpool", tap.safely(lambda module: tap.around(module.HTTPConnectionPool, "_get_conn", taken))
    )
    when_imported(
        "aiohttp.connector",
        tap.safely(lambda module: tap.around_coroutine(module.BaseConnector, "_wait_for_available_connection", queued)),
    )
