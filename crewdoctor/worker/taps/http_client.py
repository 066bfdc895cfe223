"""http.client, beneath urllib, urllib3, requests and botocore: `http.request`, and `proxy.connect` for tunnels.

urllib3 begins its requests itself (`urllib3.py`), and this layer finds one going on in its thread. The client's name is
told by who called.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.calls import HttpCall
from crewdoctor.worker.taps.identity import number_of
from crewdoctor.worker.taps.tap import BlockedWouldWrite, Tap, TimedSpan, wire
from crewdoctor.worker.taps.words import AS_TOLD, attributes
from crewdoctor.worker.taps.writes import may_send

_CALLERS = {"requests": "requests", "botocore": "botocore", "urllib3": "urllib3", "urllib": "urllib"}
_OUTERMOST = frozenset({"requests", "botocore"})
_DEPTH = 24
here = threading.local()
"""`call`: the request urllib3 has begun in this thread and http.client has not answered yet."""

_CALL = "_crewdoctor_call"
"""Attribute of an HTTPConnection, the request on it, and later of an HTTPResponse, the request whose body it is: a weak
dictionary costs more than the rest of this tap."""


def install(recorder: Recorder) -> None:
    """Tap http.client, now or when it is imported."""
    tap = Tap("http_client", recorder)
    taps = _Standard(tap)

    def tunnel(connection: Any) -> TimedSpan:
        proxy, target = f"{connection.host}:{connection.port}", f"{connection._tunnel_host}:{connection._tunnel_port}"
        return TimedSpan(recorder, "proxy.connect", "recv", peer=proxy, proxy=proxy, target=target)

    def standard(module: ModuleType) -> None:
        tap.replace(module.HTTPConnection, "putrequest", taps.put)
        tap.replace(module.HTTPConnection, "send", taps.send)
        tap.replace(module.HTTPConnection, "getresponse", taps.answer)
        tap.around(module.HTTPConnection, "_tunnel", tunnel)
        for name in ("read", "readinto", "read1"):
            tap.replace(module.HTTPResponse, name, taps.read)
        tap.replace(module.HTTPResponse, "_close_conn", taps.end)

    when_imported("http.client", tap.safely(standard))


class _Standard:
    """Wrappers for http.client, everything written out: they stand in the way of every request, some of them twice."""

    def __init__(self, tap: Tap) -> None:
        self.tap, self.recorder = tap, tap.recorder

    def put(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`putrequest`: the request begins, if urllib3 has not begun it. Only a failure ends it here."""
        tap, recorder = self.tap, self.recorder

        def putrequest(connection: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            if not tap.active or recorder.idle:
                return original(connection, method, url, *args, **kwargs)
            adopted = getattr(here, "call", None)
            if adopted is not None:
                connection.__dict__[_CALL] = adopted
                return original(connection, method, url, *args, **kwargs)
            try:
                call = connection.__dict__[_CALL] = _begun(recorder, connection, method, url)
            except BlockedWouldWrite:
                raise
            except Exception as error:
                tap.disable(error)
                return original(connection, method, url, *args, **kwargs)
            try:
                return original(connection, method, url, *args, **kwargs)
            except BaseException as error:
                connection.__dict__.pop(_CALL, None)
                tap.tell(call.failed, error)
                raise

        return putrequest

    def send(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`send`: connects on first use, then writes. A failure ends the request; urllib3's own hears of it itself."""
        tap = self.tap

        def send(connection: Any, data: Any) -> Any:
            try:
                return original(connection, data)
            except BaseException as error:
                call = connection.__dict__.get(_CALL)
                if call is not None and call is not getattr(here, "call", None):
                    connection.__dict__.pop(_CALL, None)
                    tap.tell(call.failed, error)
                raise

        return send

    def answer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`getresponse`: the headers are read; the body belongs to the response now."""
        tap = self.tap

        def getresponse(connection: Any, *args: Any, **kwargs: Any) -> Any:
            call = connection.__dict__.get(_CALL)
            if call is None:
                return original(connection, *args, **kwargs)
            try:
                response = original(connection, *args, **kwargs)
            except BaseException as error:
                connection.__dict__.pop(_CALL, None)
                tap.tell(call.failed, error)
                raise
            try:
                connection.__dict__.pop(_CALL, None)
                call.answered(response.status, response.headers)
                if response.fp is None:
                    call.finish()
                else:
                    response.__dict__[_CALL] = call
            except Exception as error:
                tap.disable(error)
            return response

        return getresponse

    def read(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """A read of the body: where it raises, the request failed."""
        tap = self.tap

        def read(response: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(response, *args, **kwargs)
            except BaseException as error:
                call = response.__dict__.pop(_CALL, None)
                if call is not None:
                    tap.tell(call.failed, error)
                raise

        return read

    def end(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """The response gives its connection back: the body was read, or given up."""
        tap = self.tap

        def close(response: Any) -> Any:
            call = response.__dict__.pop(_CALL, None)
            try:
                return original(response)
            except BaseException as error:
                if call is not None:
                    tap.tell(call.failed, error)
                raise
            finally:
                if call is not None:
                    try:
                        call.finish()
                    except Exception as error:
                        tap.disable(error)

        return close


def _begun(recorder: Recorder, connection: Any, method: str, url: str) -> HttpCall:
    """A request of http.client itself, or of a library that is not urllib3."""
    target = _target(connection, url)
    may_send(recorder, method, target["host"], target["path"])
    limit = wire(_limit(connection))
    told = attributes(
        client=caller(),
        method=method,
        timeout={"connect": limit, "read": limit},
        number=number_of(connection),
        **target,
    )
    return HttpCall(recorder, AS_TOLD, (target["host"], told))


def _target(connection: Any, url: str) -> dict[str, Any]:
    """Scheme, host, port and path: of the origin, not of the proxy it is reached through."""
    secure = hasattr(connection, "key_file") or type(connection).__name__.startswith("HTTPS")
    host, port = connection._tunnel_host or connection.host, connection._tunnel_port or connection.port
    scheme = "https" if secure or connection._tunnel_host else "http"
    if "://" in url:  # a plain proxy is asked for the whole URL
        scheme, host, port, url = split(url, host)
    return {"scheme": scheme, "host": str(host).strip("[]"), "port": port, "path": url}


def split(url: str, host: str) -> tuple[str, str, int | None, str]:
    """Scheme, host (`host` where it says none), port and path of a whole URL."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts.scheme, parts.hostname or host, parts.port, parts.path


def _limit(connection: Any) -> Any:
    """The timeout in force: the socket's own once there is one."""
    if connection.sock is not None:
        return connection.sock.gettimeout()
    limit = connection.timeout
    if limit is None or isinstance(limit, (int, float)):
        return limit
    import socket

    return socket.getdefaulttimeout()


_known: dict[Any, str] = {}
"""Name of a module → the client library it belongs to; empty for any other."""


def caller() -> str:
    """Return the outermost client library among the nearest callers: requests sits on urllib3, urllib3 on us."""
    found = "http.client"
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_DEPTH):
        if frame is None:
            break
        module = frame.f_globals.get("__name__")
        client = _known.get(module)
        if client is None:
            client = _known[module] = _CALLERS.get(str(module).partition(".")[0], "")
        if client:
            found = client
            if client in _OUTERMOST:
                break
        frame = frame.f_back
    return found
