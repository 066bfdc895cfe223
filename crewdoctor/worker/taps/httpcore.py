"""httpcore and httpcore2, beneath httpx, httpx2 and the SDKs built on them: `http.request`.

Tapped at the pool, above connections, proxies and HTTP/2: one call there is one attempt. The timeouts in force are
those of the request itself, `request.extensions["timeout"]`. The body's end is seen by standing around its stream.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.identity import ByObject, number_of
from crewdoctor.worker.taps.tap import BlockedWouldWrite, Tap, wire
from crewdoctor.worker.taps.words import Telling, attributes
from crewdoctor.worker.taps.writes import may_send

_ASKED = frozenset({b"u", b"U", b"x", b"X"})
"""First letters of the headers that are read of a request: `User-Agent` and the retry count."""
_RETRY_COUNT = b"x-stainless-retry-count"
_monotonic = time.monotonic


class _Pool(NamedTuple):
    """What is the same for every request of a pool."""

    client: str
    proxy: str
    number: int


class _Body:
    """The response's stream, counted. Same protocol: iterable, closable."""

    __slots__ = ("_call", "_inner", "_tap")

    def __init__(self, inner: Any, call: HttpCall, tap: Tap) -> None:
        self._inner, self._call, self._tap = inner, call, tap

    def __iter__(self) -> Iterator[bytes]:
        call = self._call
        recorder = call.recorder
        try:
            for part in self._inner:
                # `HttpCall.part`, written out: this stands in the way of every request.
                now = _monotonic() - recorder.zero
                gap = now - call.last
                if gap > call.gap:  # noqa: PLR1730 - `max` is a call
                    call.gap = gap
                call.last = now
                call.received += len(part)
                recorder.moved = True
                yield part
        except GeneratorExit:
            raise
        except BaseException as error:
            self._tap.tell(call.failed, error)
            raise
        try:
            call.finish()
        except Exception as error:
            self._tap.disable(error)

    def close(self) -> None:
        try:
            if hasattr(self._inner, "close"):
                self._inner.close()
        finally:
            if self._call.end is None:
                self._tap.tell(self._call.finish)


class _AsyncBody:
    """The same for coroutines, where waiting for the next part is in flight as well."""

    __slots__ = ("_call", "_inner", "_tap", "_timeout")

    def __init__(self, inner: Any, call: HttpCall, tap: Tap, timeout: Any) -> None:
        self._inner, self._call, self._tap, self._timeout = inner, call, tap, timeout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            limit, parts = wire(self._timeout), self._inner.__aiter__()
            while True:
                self._tap.tell(self._call.wait, limit)
                try:
                    part = await parts.__anext__()
                except StopAsyncIteration:
                    break
                self._tap.tell(self._call.part, len(part))
                yield part
        except GeneratorExit:
            raise
        except BaseException as error:
            self._tap.tell(self._call.failed, error)
            raise
        self._tap.tell(self._call.finish)

    async def aclose(self) -> None:
        try:
            if hasattr(self._inner, "aclose"):
                await self._inner.aclose()
        finally:
            if self._call.end is None:
                self._tap.tell(self._call.finish)


def install(recorder: Recorder) -> None:
    """Tap the pools of both generations, now or when they are imported."""
    taps = _Pools(Tap("httpcore", recorder))
    for package in ("httpcore", "httpcore2"):
        when_imported(f"{package}._sync.connection_pool", taps.tap.safely(taps.blocking))
        when_imported(f"{package}._async.connection_pool", taps.tap.safely(taps.asynchronous))


class _Pools:
    """The wrappers, everything written out: they stand in the way of every request."""

    def __init__(self, tap: Tap) -> None:
        self.tap, self.recorder = tap, tap.recorder
        self._pools: ByObject[_Pool] = ByObject(_pool)

    def blocking(self, module: ModuleType) -> None:
        """`ConnectionPool`."""
        self.tap.replace(module.ConnectionPool, "handle_request", self._around)

    def asynchronous(self, module: ModuleType) -> None:
        """`AsyncConnectionPool`."""
        self.tap.replace(module.AsyncConnectionPool, "handle_async_request", self._around_coroutine)

    def begin(self, pool: Any, request: Any, *, waits: bool) -> HttpCall:
        """A request begins. Raises BlockedWouldWrite."""
        recorder, url = self.recorder, request.url
        if recorder.writes_blocked > 0:
            method = request.method.decode("ascii", "replace")
            may_send(recorder, method, url.host.decode("ascii", "replace"), url.target.decode("latin-1"))
        known = self._pools.held.get(id(pool))
        of = known[1] if known is not None and known[0]() is pool else self._pools.of(pool)
        raw = (url.host, of, request.method, url, request.extensions.get("timeout"), request.headers)
        return HttpCall(recorder, _TELLING, raw, waits=waits)

    def _around(self, original: Callable[..., Any]) -> Callable[..., Any]:
        tap, recorder, begin = self.tap, self.recorder, self.begin

        def handle_request(pool: Any, request: Any) -> Any:
            if not tap.active or recorder.idle:
                return original(pool, request)
            try:
                call = begin(pool, request, waits=False)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                tap.disable(error)
                return original(pool, request)
            try:
                response = original(pool, request)
            except BaseException as error:
                tap.tell(call.failed, error)
                raise
            try:
                call.answered(response.status, response.headers)
                response.stream = _Body(response.stream, call, tap)
            except Exception as error:
                tap.disable(error)
            return response

        return handle_request

    def _around_coroutine(self, original: Callable[..., Any]) -> Callable[..., Any]:
        tap, recorder, begin = self.tap, self.recorder, self.begin

        async def handle_async_request(pool: Any, request: Any) -> Any:
            if not tap.active or recorder.idle:
                return await original(pool, request)
            try:
                call = begin(pool, request, waits=True)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                tap.disable(error)
                return await original(pool, request)
            try:
                response = await original(pool, request)
            except BaseException as error:
                tap.tell(call.failed, error)
                raise
            try:
                call.answered(response.status, response.headers)
                limit = (request.extensions.get("timeout") or {}).get("read")
                response.stream = _AsyncBody(response.stream, call, tap, limit)
            except Exception as error:
                tap.disable(error)
            return response

        return handle_async_request


_Raw = tuple[bytes, _Pool, bytes, Any, dict[str, Any] | None, Any]


def _key(raw: _Raw) -> Hashable:
    host, pool, method, url, timeouts, given = raw
    asked = tuple([each for each in given if each[0][:1] in _ASKED])
    return (host, pool, method, url.scheme, url.port, url.target, tuple((timeouts or {}).items()), asked)


def _words(raw: _Raw) -> dict[str, Any]:
    """Attributes of a request, from what was at hand when it began."""
    _, pool, method, url, timeouts, given = raw
    headers = {name.lower(): value for name, value in given if name[:1] in _ASKED}
    return attributes(
        client="openai" if b"openai" in headers.get(b"user-agent", b"").lower() else pool.client,
        method=method.decode("ascii", "replace"),
        scheme=url.scheme.decode("ascii", "replace"),
        host=url.host.decode("ascii", "replace"),
        port=url.port,
        path=url.target.decode("latin-1"),
        timeout=_timeouts(timeouts or {}),
        attempt=_attempt(headers),
        proxy=pool.proxy,
        number=pool.number,
    )


_TELLING = Telling(_words, _key)


def _timeouts(given: dict[str, Any]) -> dict[str, Any]:
    """Wire form of httpx's four. A missing one is no limit: httpcore reads it with `.get(name, None)`."""
    return {name: wire(given.get(name)) for name in ("connect", "read", "write", "pool")}


def _attempt(headers: dict[bytes, bytes]) -> int | None:
    """1 for the first attempt, by the header the generated SDKs count with; None where the client does not say."""
    count = headers.get(_RETRY_COUNT)
    return int(count) + 1 if count is not None and count.isdigit() else None


def _pool(pool: Any) -> _Pool:
    client = "httpx2" if type(pool).__module__.startswith("httpcore2") else "httpx"
    url = getattr(getattr(pool, "_proxy", None), "url", None)
    proxy = f"{url.scheme.decode('ascii')}://{url.host.decode('ascii')}:{url.port}" if url is not None else ""
    return _Pool(client, proxy, number_of(pool))
