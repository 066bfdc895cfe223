"""http.client, beneath urllib, urllib3, requests and botocore: `http.request`, and `proxy.connect` for tunnels.

urllib3 connects before it talks to http.client (TLS first), so its requests are opened at `_make_request`, and the
layer beneath finds one going on in this thread. The client's name is told by who called.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType, ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.tap import Tap, TimedSpan, wire
from crewdoctor.worker.taps.writes import may_send

_CALLERS = {"requests": "requests", "botocore": "botocore", "urllib3": "urllib3", "urllib": "urllib"}
_DEPTH = 24
_here = threading.local()
"""`call`: the request urllib3 has begun in this thread and http.client has not answered yet."""

_CALL = "_crewdoctor_call"
"""Attribute of an HTTPConnection, the request on it, and later of an HTTPResponse, the request whose body it is: a weak
dictionary costs more than the rest of this tap."""


class _MakeRequest:
    """urllib3's attempt: connect, send, headers. The body goes on with the http.client response."""

    __slots__ = ("_call",)

    def __init__(self, call: HttpCall) -> None:
        self._call = call
        _here.call = call

    def done(self, _result: Any) -> None:
        _here.call = None
        self._call.leave()

    def failed(self, error: BaseException) -> None:
        _here.call = None
        self._call.failed(error)


class _Put:
    """http.client's `putrequest`: only a failure ends the request here."""

    __slots__ = ("_call", "_connection")

    def __init__(self, call: HttpCall, connection: Any) -> None:
        self._call, self._connection = call, connection

    def done(self, _result: Any) -> None:
        pass

    def failed(self, error: BaseException) -> None:
        self._connection.__dict__.pop(_CALL, None)
        self._call.failed(error)


class _Send(_Put):
    """`send`: connects on first use, then writes. A failure ends the request."""

    __slots__ = ()


class _Answer:
    """`getresponse`: the headers are read; the body belongs to the response now."""

    __slots__ = ("_call", "_connection")

    def __init__(self, call: HttpCall, connection: Any) -> None:
        self._call, self._connection = call, connection

    def done(self, response: Any) -> None:
        self._connection.__dict__.pop(_CALL, None)
        original = getattr(response, "_original_response", None) or response
        self._call.answered(response.status, list(response.headers.items()))
        if getattr(original, "fp", None) is None:
            self._call.finish()
        else:
            self._call.leave()
            setattr(original, _CALL, self._call)

    def failed(self, error: BaseException) -> None:
        self._connection.__dict__.pop(_CALL, None)
        self._call.failed(error)


class _Read:
    """A read of the body that raised: the request failed."""

    __slots__ = ("_call", "_response")

    def __init__(self, call: HttpCall, response: Any) -> None:
        self._call, self._response = call, response

    def done(self, _result: Any) -> None:
        pass

    def failed(self, error: BaseException) -> None:
        self._response.__dict__.pop(_CALL, None)
        self._call.failed(error)


class _End:
    """The response gives its connection back: the body was read, or given up."""

    __slots__ = ("_call",)

    def __init__(self, call: HttpCall) -> None:
        self._call = call

    def done(self, _result: Any) -> None:
        self._call.finish()

    def failed(self, error: BaseException) -> None:
        self._call.failed(error)


def install(recorder: Recorder) -> None:
    """Tap http.client and urllib3's pool, now or when they are imported."""
    tap = Tap("http_client", recorder)

    def put(connection: Any, method: str, url: str, *_args: Any, **_kwargs: Any) -> _Put | None:
        adopted = getattr(_here, "call", None)
        if adopted is not None:
            setattr(connection, _CALL, adopted)
            return None
        target = _target(connection, url)
        may_send(recorder, method, target["host"], target["path"])
        limit = _limit(connection)
        call = HttpCall(
            recorder,
            client=_caller(),
            method=method,
            timeout={"connect": wire(limit), "read": wire(limit)},
            owner=connection,
            **target,
        )
        setattr(connection, _CALL, call)
        return _Put(call, connection)

    def send(connection: Any, *_args: Any, **_kwargs: Any) -> _Send | None:
        call = getattr(connection, _CALL, None)
        return None if call is None or call is getattr(_here, "call", None) else _Send(call, connection)

    def answer(connection: Any, *_args: Any, **_kwargs: Any) -> _Answer | None:
        call = getattr(connection, _CALL, None)
        return None if call is None else _Answer(call, connection)

    def read(response: Any, *_args: Any, **_kwargs: Any) -> _Read | None:
        call = getattr(response, _CALL, None)
        return None if call is None else _Read(call, response)

    def end(response: Any) -> _End | None:
        call = response.__dict__.pop(_CALL, None)
        return None if call is None else _End(call)

    def tunnel(connection: Any) -> TimedSpan:
        proxy, target = f"{connection.host}:{connection.port}", f"{connection._tunnel_host}:{connection._tunnel_port}"
        return TimedSpan(recorder, "proxy.connect", "recv", peer=proxy, proxy=proxy, target=target)

    def standard(module: ModuleType) -> None:
        tap.around(module.HTTPConnection, "putrequest", put)
        tap.around(module.HTTPConnection, "send", send)
        tap.around(module.HTTPConnection, "getresponse", answer)
        tap.around(module.HTTPConnection, "_tunnel", tunnel)
        for name in ("read", "readinto", "read1"):
            tap.around(module.HTTPResponse, name, read)
        tap.around(module.HTTPResponse, "_close_conn", end)

    def make_request(pool: Any, connection: Any, method: str, url: str, *_args: Any, **more: Any) -> _MakeRequest:
        limits = more.get("timeout")
        target = _target(connection, url)
        may_send(recorder, method, target["host"], target["path"])
        call = HttpCall(
            recorder,
            client=_caller(),
            method=method,
            timeout=_urllib3_limits(limits if hasattr(limits, "read_timeout") else pool.timeout),
            proxy=_proxy(pool),
            owner=pool,
            **target,
        )
        return _MakeRequest(call)

    def urllib3(module: ModuleType) -> None:
        tap.around(module.HTTPConnectionPool, "_make_request", make_request)

    when_imported("http.client", tap.safely(standard))
    when_imported("urllib3.connectionpool", tap.safely(urllib3))


def _target(connection: Any, url: str) -> dict[str, Any]:
    """Scheme, host, port and path: of the origin, not of the proxy it is reached through."""
    secure = hasattr(connection, "key_file") or type(connection).__name__.startswith("HTTPS")
    host, port = connection._tunnel_host or connection.host, connection._tunnel_port or connection.port
    scheme = "https" if secure or connection._tunnel_host else "http"
    if "://" in url:  # a plain proxy is asked for the whole URL
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        scheme, host, port, url = parts.scheme, parts.hostname or host, parts.port, parts.path
    return {"scheme": scheme, "host": str(host).strip("[]"), "port": port, "path": url}


def _limit(connection: Any) -> Any:
    """The timeout in force: the socket's own once there is one."""
    if connection.sock is not None:
        return connection.sock.gettimeout()
    limit = connection.timeout
    if limit is None or isinstance(limit, (int, float)):
        return limit
    import socket

    return socket.getdefaulttimeout()


def _urllib3_limits(limits: Any) -> dict[str, Any]:
    """Wire form of urllib3's Timeout: total bounds both parts."""

    def of(part: Any) -> Any:
        return wire(part) if part is None or isinstance(part, (int, float)) else wire(_default())

    connect, read, total = (getattr(limits, f"_{name}", None) for name in ("connect", "read", "total"))
    total = getattr(limits, "total", total)
    parts = {"connect": of(connect), "read": of(read)}
    if isinstance(total, (int, float)):
        parts["total"] = wire(total)
    return parts


def _default() -> float | None:
    import socket

    return socket.getdefaulttimeout()


def _proxy(pool: Any) -> str:
    proxy = getattr(pool, "proxy", None)
    return f"{proxy.scheme}://{proxy.host}:{proxy.port}" if proxy is not None else ""


def _caller() -> str:
    """Return the outermost client library among the nearest callers: requests sits on urllib3, urllib3 on us."""
    found = "http.client"
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            break
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        found = _CALLERS.get(package, found)
        if found in {"requests", "botocore"}:
            break
        frame = frame.f_back
    return found
