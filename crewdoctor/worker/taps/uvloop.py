"""uvloop: `dns.lookup`, `tcp.connect` and TLS of a loop that does them in C.

Its `Loop` is a Python class over the C one, so that its methods can be stood around. aiohttp and anyio connect a socket
of their own with `sock_connect` and hand it over: with TLS its plaintext passes through an `ssl.SSLObject` all the same
(`asyncio_sockets.py`), without it the loop reads and writes in C, and the kernel alone counts (`kernel.py`). So it is
where the loop is given a name to connect to.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps import asyncio_sockets, dns
from crewdoctor.worker.taps.shared import connections_of, wrapped
from crewdoctor.worker.taps.tap import Tap


class _Handed:
    """A connected socket is handed to the loop: its descriptor stands in the context of what the loop does then."""

    __slots__ = ("_token",)

    def __init__(self, fd: int) -> None:
        self._token = wrapped.set(fd)

    def done(self, _result: Any) -> None:
        wrapped.reset(self._token)

    def failed(self, _error: BaseException) -> None:
        wrapped.reset(self._token)


def install(recorder: Recorder) -> None:
    """Tap uvloop's loop, now or when it is imported."""
    tap = Tap("uvloop", recorder)
    table = connections_of(recorder).table

    def handed(_loop: Any, *_args: Any, sock: Any = None, ssl: Any = None, **_more: Any) -> _Handed | None:
        connection = table.get(sock.fileno()) if sock is not None else None
        if connection is None:
            return None
        if not ssl:
            table.pop(sock.fileno(), None)
            return None
        connection.over_tls = True
        return _Handed(sock.fileno())

    def loops(module: ModuleType) -> None:
        connect = asyncio_sockets.Loops(tap).connect
        for name, begin in (("getaddrinfo", dns.awaited_by(recorder)), ("sock_connect", connect)):
            tap.around_coroutine(module.Loop, name, begin)
        tap.around_coroutine(module.Loop, "create_connection", handed)

    when_imported("uvloop", tap.safely(loops))
