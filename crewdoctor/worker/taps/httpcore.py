"""httpcore and httpcore2, beneath httpx, httpx2 and the SDKs built on them: `http.request`.

Tapped at the pool, above connections, proxies and HTTP/2: one call there is one attempt. The timeouts in force are
those of the request itself, `request.extensions["timeout"]`. The body's end is seen by standing around its stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.tap import Tap, wire
from crewdoctor.worker.taps.writes import may_send

_TELLING = frozenset({b"r", b"R", b"x", b"X"})
"""First letters of the headers `HttpCall.answered` reads."""
_ASKED = frozenset({b"u", b"U", b"x", b"X"})
"""The same of the request: `User-Agent` and the retry count."""
_RETRY_COUNT = b"x-stainless-retry-count"


class _Body:
    """The response's stream, counted. Same protocol: iterable, closable."""

    def __init__(self, inner: Any, call: HttpCall, tap: Tap) -> None:
        self._inner, self._call, self._tap = inner, call, tap

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._inner:
                self._tap.tell(self._call.part, len(part))
                yield part
        except GeneratorExit:
            raise
        except BaseException as error:
            self._tap.tell(self._call.failed, error)
            raise
        self._tap.tell(self._call.finish)

    def close(self) -> None:
        try:
            if hasattr(self._inner, "close"):
                self._inner.close()
        finally:
            self._tap.tell(self._call.finish)


class _AsyncBody:
    """The same for coroutines, where waiting for the next part is in flight as well."""

    def __init__(self, inner: Any, call: HttpCall, tap: Tap, timeout: Any) -> None:
        self._inner, self._call, self._tap, self._timeout = inner, call, tap, timeout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            parts = self._inner.__aiter__()
            while True:
                self._tap.tell(self._call.wait, self._timeout)
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
            self._tap.tell(self._call.finish)


class _Request:
    """Watches one `handle_request` of a pool."""

    __slots__ = ("_asynchronous", "_call", "_read", "_tap")

    def __init__(self, tap: Tap, call: HttpCall, read: Any, *, asynchronous: bool) -> None:
        self._tap, self._call, self._read, self._asynchronous = tap, call, read, asynchronous

    def done(self, response: Any) -> None:
        self._call.leave()
        told = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers
            if name[:1] in _TELLING  # a dozen headers say nothing to us
        ]
        self._call.answered(response.status, told)
        if self._asynchronous:
            response.stream = _AsyncBody(response.stream, self._call, self._tap, self._read)
        else:
            response.stream = _Body(response.stream, self._call, self._tap)

    def failed(self, error: BaseException) -> None:
        self._call.failed(error)


def install(recorder: Recorder) -> None:
    """Tap the pools of both generations, now or when they are imported."""
    tap = Tap("httpcore", recorder)

    def begin(pool: Any, request: Any, *, asynchronous: bool) -> _Request:
        headers = {name.lower(): value for name, value in request.headers if name[:1] in _ASKED}
        url = request.url
        host, method = url.host.decode("ascii", "replace"), request.method.decode("ascii", "replace")
        path = url.target.decode("latin-1")
        may_send(recorder, method, host, path)
        timeouts = _timeouts(request.extensions.get("timeout") or {})
        call = HttpCall(
            recorder,
            client=_client(type(pool).__module__, headers),
            method=method,
            scheme=url.scheme.decode("ascii", "replace"),
            host=host,
            port=url.port,
            path=path,
            timeout=timeouts,
            attempt=_attempt(headers),
            proxy=_proxy(pool),
            waits=asynchronous,
            owner=pool,
        )
        return _Request(tap, call, timeouts["read"], asynchronous=asynchronous)

    def sync(module: ModuleType) -> None:
        tap.around(
            module.ConnectionPool, "handle_request", lambda pool, request: begin(pool, request, asynchronous=False)
        )

    def asynchronous(module: ModuleType) -> None:
        tap.around_coroutine(
            module.AsyncConnectionPool,
            "handle_async_request",
            lambda pool, request: begin(pool, request, asynchronous=True),
        )

    for package in ("httpcore", "httpcore2"):
        when_imported(f"{package}._sync.connection_pool", tap.safely(sync))
        when_imported(f"{package}._async.connection_pool", tap.safely(asynchronous))


def _timeouts(given: dict[str, Any]) -> dict[str, Any]:
    """Wire form of httpx's four. A missing one is no limit: httpcore reads it with `.get(name, None)`."""
    get = given.get
    return {
        "connect": wire(get("connect")),
        "read": wire(get("read")),
        "write": wire(get("write")),
        "pool": wire(get("pool")),
    }


def _attempt(headers: dict[bytes, bytes]) -> int | None:
    """1 for the first attempt, by the header the generated SDKs count with; None where the client does not say."""
    count = headers.get(_RETRY_COUNT)
    return int(count) + 1 if count is not None and count.isdigit() else None


def _client(module: str, headers: dict[bytes, bytes]) -> str:
    agent = headers.get(b"user-agent", b"").lower()
    if b"openai" in agent:
        return "openai"
    return "httpx2" if module.startswith("httpcore2") else "httpx"


def _proxy(pool: Any) -> str:
    proxy = getattr(pool, "_proxy", None)
    url = getattr(proxy, "url", None)
    if url is None:
        return ""
    return f"{url.scheme.decode('ascii')}://{url.host.decode('ascii')}:{url.port}"
