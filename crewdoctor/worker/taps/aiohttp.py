"""aiohttp: `http.request`, from `ClientSession._request` to the end of the body.

Tapped at the call, not with a TraceConfig: only there is the timeout of this very call known (a session that says
300 s in total may be told 7 for one request, as `openai[aiohttp]` does). Redirects belong to the one request.
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.tap import Tap, wire
from crewdoctor.worker.taps.writes import may_send

_CALL = "_crewdoctor_call"
"""Attribute of a ClientResponse that holds its request: a weak dictionary costs more than the rest of this tap."""

_readers: dict[int, tuple[HttpCall, Any]] = {}
"""The same with the read timeout that bounds the body, by `id()` of the response's StreamReader: it takes neither."""


class _Request:
    """Watches one `_request`: done means that the headers are there."""

    __slots__ = ("_call", "_read")

    def __init__(self, call: HttpCall, read: Any) -> None:
        self._call, self._read = call, read

    def done(self, response: Any) -> None:
        self._call.leave()
        self._call.answered(response.status, list(response.headers.items()))
        if response.closed:
            self._call.finish()
            return
        setattr(response, _CALL, self._call)
        _readers[id(response.content)] = (self._call, self._read)

    def failed(self, error: BaseException) -> None:
        status, headers = getattr(error, "status", None), getattr(error, "headers", None)
        if isinstance(status, int) and status and headers is not None:  # `raise_for_status` raises inside
            self._call.answered(status, list(headers.items()))
        self._call.failed(error)


class _Wait:
    """The body's reader waits for bytes."""

    __slots__ = ("_call",)

    def __init__(self, call: HttpCall, read: Any, received: int) -> None:
        self._call = call
        call.wait(read, received)

    def done(self, _result: Any) -> None:
        self._call.part(0)

    def failed(self, error: BaseException) -> None:
        self._call.failed(error)


def install(recorder: Recorder) -> None:
    """Tap sessions, responses and their readers, now or when aiohttp is imported."""
    tap = Tap("aiohttp", recorder)

    def begin(session: Any, method: str, str_or_url: Any, **more: Any) -> _Request | None:
        target = _target(session, str_or_url)
        if not target["host"]:
            return None
        may_send(recorder, method, target["host"], target["path"])
        headers = _headers(more.get("headers"))
        timeouts = _timeouts(session, more.get("timeout"))
        count = headers.get("x-stainless-retry-count", "")
        call = HttpCall(
            recorder,
            client="openai" if "openai" in headers.get("user-agent", "").lower() else "aiohttp",
            method=method,
            timeout=timeouts,
            attempt=int(count) + 1 if count.isdigit() else None,
            proxy=_proxy(more.get("proxy")),
            waits=True,
            owner=session,
            **target,
        )
        return _Request(call, timeouts["read"])

    def wait(reader: Any, *_args: Any) -> _Wait | None:
        going = _readers.get(id(reader))
        return None if going is None else _Wait(*going, getattr(reader, "total_bytes", 0))

    def end(response: Any) -> None:
        call = response.__dict__.pop(_CALL, None)
        if call is None:
            return
        _readers.pop(id(response.content), None)
        error = response.content.exception() if response.content is not None else None
        if error is not None:
            call.failed(error)
        call.finish()

    def client(module: ModuleType) -> None:
        tap.around_coroutine(module.ClientSession, "_request", begin)

    def responses(module: ModuleType) -> None:
        for name in ("_response_eof", "close", "release"):
            tap.around(module.ClientResponse, name, end)

    def streams(module: ModuleType) -> None:
        tap.around_coroutine(module.StreamReader, "_wait", wait)

    when_imported("aiohttp.client", tap.safely(client))
    when_imported("aiohttp.client_reqrep", tap.safely(responses))
    when_imported("aiohttp.streams", tap.safely(streams))


def _target(session: Any, url: Any) -> dict[str, Any]:
    text = str(url)
    base = getattr(session, "_base_url", None)
    if base is not None and not urlsplit(text).netloc:
        text = str(base.join(type(base)(text)))
    scheme, host, port, path = _parts(text)
    return {"scheme": scheme, "host": host, "port": port, "path": path}


@lru_cache(maxsize=256)
def _parts(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    return parts.scheme or "http", parts.hostname or "", parts.port, parts.path


def _timeouts(session: Any, given: Any) -> dict[str, Any]:
    """Wire form. aiohttp's `connect` is the wait for a connection of the pool, the connecting included."""
    limits = given if hasattr(given, "sock_read") else session._timeout
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
