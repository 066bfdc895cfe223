"""aiohttp: `http.request`, from `ClientSession._request` to the end of the body.

Tapped at the call, not with a TraceConfig: only there is the timeout of this very call known (a session that says
300 s in total may be told 7 for one request, as `openai[aiohttp]` does). Redirects belong to the one request.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.identity import number_of, numbers
from crewdoctor.worker.taps.tap import BlockedWouldWrite, Tap, wire
from crewdoctor.worker.taps.words import Telling, attributes
from crewdoctor.worker.taps.writes import may_send

_CALL = "_crewdoctor_call"
"""Attribute of aiohttp's Connection, while the body of an answer is still to come, that holds request and reader."""

_readers: dict[int, HttpCall] = {}
"""The request by `id()` of its response's StreamReader: that takes no attribute and no weak reference."""


class _Wait:
    """The body's reader waits for bytes."""

    __slots__ = ("_call",)

    def __init__(self, call: HttpCall, received: int) -> None:
        self._call = call
        call.wait(call.attrs["timeout"]["read"], received)

    def done(self, _result: Any) -> None:
        self._call.part(0)

    def failed(self, error: BaseException) -> None:
        self._call.failed(error)


def install(recorder: Recorder) -> None:
    """Tap sessions, connections and the readers of responses, now or when aiohttp is imported."""
    tap = Tap("aiohttp", recorder)

    def wait(reader: Any, *_args: Any) -> _Wait | None:
        going = _readers.get(id(reader))
        return None if going is None else _Wait(going, getattr(reader, "total_bytes", 0))

    def given_back(original: Callable[..., Any]) -> Callable[..., Any]:
        """`release` and `close` of a connection: the body was read, or given up."""

        def give_back(connection: Any) -> Any:
            going = connection.__dict__.pop(_CALL, None)
            if going is not None:
                tap.tell(_over, *going)
            return original(connection)

        return give_back

    def client(module: ModuleType) -> None:
        tap.replace(module.ClientSession, "_request", _requests(tap))

    def connections(module: ModuleType) -> None:
        for name in ("release", "close"):
            tap.replace(module.Connection, name, given_back)

    def streams(module: ModuleType) -> None:
        tap.around_coroutine(module.StreamReader, "_wait", wait)

    when_imported("aiohttp.client", tap.safely(client))
    when_imported("aiohttp.connector", tap.safely(connections))
    when_imported("aiohttp.streams", tap.safely(streams))


def _requests(tap: Tap) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: C901 - written out, see `calls.py`
    """`_request` returns when the headers are there, redirects followed."""
    recorder, held = tap.recorder, numbers.held

    def begin(session: Any, method: str, url: Any, more: dict[str, Any]) -> HttpCall | None:
        place = _parts(url) if type(url) is str and session._base_url is None else _place(session, url)
        if not place[1]:
            return None
        if recorder.writes_blocked > 0:
            may_send(recorder, method, place[1], place[3])
        given = more.get("timeout")
        limits = given if given is not None and hasattr(given, "sock_read") else session._timeout
        headers = more.get("headers")
        known = held.get(id(session))
        number = known[1] if known is not None and known[0]() is session else number_of(session)
        raw = (place[1], method, place, limits, given, headers and _headers(headers), more.get("proxy"), number)
        return HttpCall(recorder, _TELLING, raw, waits=True)

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        async def _request(session: Any, method: str, str_or_url: Any, **more: Any) -> Any:
            if not tap.active or recorder.idle:
                return await original(session, method, str_or_url, **more)
            call = None
            try:
                call = begin(session, method, str_or_url, more)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                tap.disable(error)
            if call is None:
                return await original(session, method, str_or_url, **more)
            try:
                response = await original(session, method, str_or_url, **more)
            except BaseException as error:
                tap.tell(_failed, call, error)
                raise
            try:
                call.answered(response.status, response.headers)
                connection = response._connection
                if response.closed or connection is None:
                    call.finish()
                else:
                    reader = response.content
                    connection.__dict__[_CALL] = (call, reader)
                    _readers[id(reader)] = call
            except Exception as error:
                tap.disable(error)
            return response

        return _request

    return make


def _failed(call: HttpCall, error: BaseException) -> None:
    status, headers = getattr(error, "status", None), getattr(error, "headers", None)
    if isinstance(status, int) and status and headers is not None:  # `raise_for_status` raises inside
        call.answered(status, headers)
    call.failed(error)


def _over(call: HttpCall, reader: Any) -> None:
    """Its connection is given back."""
    _readers.pop(id(reader), None)
    error = reader.exception()
    if error is not None:
        call.failed(error)
    call.finish()


def _key(raw: tuple[Any, ...]) -> Hashable:
    _, method, place, limits, given, headers, proxy, number = raw
    if headers or proxy or not (given is None or given is limits or isinstance(given, (int, float))):
        return None
    return (method, place, limits, given is None or given is limits or given, number)


def _words(raw: tuple[Any, ...]) -> dict[str, Any]:
    """Attributes of a request, from what was at hand when it began."""
    _, method, (scheme, host, port, path), limits, given, headers, proxy, number = raw
    headers = headers or {}
    count = headers.get("x-stainless-retry-count", "")
    return attributes(
        client="openai" if "openai" in headers.get("user-agent", "").lower() else "aiohttp",
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        timeout=_timeouts(limits, given),
        attempt=int(count) + 1 if count.isdigit() else None,
        proxy=_proxy(proxy),
        number=number,
    )


_TELLING = Telling(_words, _key)


def _place(session: Any, url: Any) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path."""
    text = str(url)
    base = getattr(session, "_base_url", None)
    if base is not None and not urlsplit(text).netloc:
        text = str(base.join(type(base)(text)))
    return _parts(text)


@lru_cache(maxsize=256)
def _parts(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    return parts.scheme or "http", parts.hostname or "", parts.port, parts.path


def _timeouts(limits: Any, given: Any) -> dict[str, Any]:
    """Wire form. aiohttp's `connect` is the wait for a connection of the pool, the connecting included."""
    total = given if isinstance(given, (int, float)) and not isinstance(given, bool) else limits.total
    return _wired(
        total or None, limits.sock_connect or limits.connect or None, limits.sock_read or None, limits.connect
    )


@lru_cache(maxsize=256)
def _wired(total: Any, connect: Any, read: Any, pool: Any) -> dict[str, Any]:
    return {"total": wire(total), "connect": wire(connect), "read": wire(read), "pool": wire(pool)}


def _headers(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    return {str(name).lower(): str(value) for name, value in dict(given).items()}


def _proxy(proxy: Any) -> str:
    if not proxy:
        return ""
    parts = urlsplit(str(proxy))
    return f"{parts.scheme}://{parts.hostname}:{parts.port}"
