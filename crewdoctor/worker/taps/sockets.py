"""Python's own sockets, TLS ones included: `tcp.connect` per address, `net.exchange` per request and answer.

Patched on the classes, so every client written in Python is seen, whatever it imported before. asyncio's transports
call the same methods on non-blocking sockets: their bytes are counted, their waiting is not (the loop waits, for all).
AF_UNIX, datagrams, and sockets that were accepted or made before us are left alone.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from threading import get_ident
from types import ModuleType
from typing import Any

from crewdoctor.worker.classify import classify
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.operation import loop
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps import names
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.exchange import Exchange, told
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import Tap, TimedSpan, wire

_monotonic = time.monotonic
_INTERNET = {socket.AF_INET: "v4", socket.AF_INET6: "v6"}


class _Connect(TimedSpan):
    """One blocking connect to one address."""

    __slots__ = ()

    def __init__(self, recorder: Recorder, sock: Any, connection: Connection) -> None:
        super().__init__(
            recorder,
            "tcp.connect",
            "connect",
            peer=connection.peer,
            timeout=wire(sock.gettimeout()),
            host=connection.host,
            port=connection.port,
            address=connection.address,
            family=_INTERNET[sock.family],
        )

    def done(self, result: Any) -> None:
        # connect returns None, connect_ex a number that stands for what connect would have raised.
        self.end(classify(OSError(result, os.strerror(result)), "connect") if result else None)


def connection_to(sock: Any, address: Any) -> Connection | None:
    """Return a new Connection for a TCP address; None for everything that is not one."""
    if sock.family not in _INTERNET or not sock.type & socket.SOCK_STREAM or not isinstance(address, tuple):
        return None
    host, port = str(address[0]), int(address[1])
    return Connection(names.host_of(host), port, host)


def install(recorder: Recorder) -> None:
    """Tap the methods of `socket.socket`, and of `ssl.SSLSocket` once it is there."""
    tap = Tap("sockets", recorder)
    connections = connections_of(recorder)

    def connect(sock: Any, address: Any) -> _Connect | None:
        connection = connection_to(sock, address)
        if connection is None:
            return None
        if sock.gettimeout() == 0.0:
            # A loop connects: its own tap times it. Repeated until it is through, on one Connection.
            known = connections.table.get(sock.fileno())
            if known is None or known.address != connection.address or known.exchanges:
                connections.opened(sock.fileno(), connection)
            return None
        connections.opened(sock.fileno(), connection)
        return _Connect(recorder, sock, connection)

    tap.around(socket.socket, "connect", connect)
    tap.around(socket.socket, "connect_ex", connect)
    traffic = Traffic(tap)
    for name in ("send", "sendall", "sendmsg"):
        tap.replace(socket.socket, name, traffic.sender)
    tap.replace(socket.socket, "recv", traffic.receiver)
    tap.replace(socket.socket, "recv_into", traffic.filler)
    tap.replace(socket.socket, "_real_close", traffic.closer)

    def secure(module: ModuleType) -> None:
        for name in ("send", "write"):
            tap.replace(module.SSLSocket, name, traffic.tls_sender)
        tap.replace(module.SSLSocket, "read", traffic.tls_receiver)

    when_imported("ssl", tap.safely(secure))


class Traffic:
    """Wrappers for the hot path: one dict lookup for a socket that is not ours.

    Each is one function with everything written out, and what it sees is noted in the connection's own state: a call
    of Python's costs as much as the rest of it.
    """

    def __init__(self, tap: Tap) -> None:
        self.tap, self.recorder = tap, tap.recorder
        self.connections = connections_of(tap.recorder)
        self.table = self.connections.table
        self.has_failed = tap.guard(self._failed)

    def sender(self, original: Callable[..., Any], *, tls: bool = False) -> Callable[..., Any]:  # noqa: C901
        """Stand around `send`, `sendall`, `sendmsg` or `write`."""
        table, recorder, tap, inflight = self.table, self.recorder, self.tap, self.recorder.inflight
        begin, has_failed = self.connections.sending, self.has_failed

        def send(sock: Any, data: Any, *args: Any) -> Any:  # noqa: C901, PLR0912
            connection = table.get(sock.fileno())
            if connection is None or (tls and sock._sslobj is None) or (connection.over_tls and not tls):
                return original(sock, data, *args)
            if not tap.active or recorder.idle:
                return original(sock, data, *args)
            key, blocks = 0, False
            try:
                limit = sock.gettimeout()
                exchange = connection.exchange
                if exchange is None:
                    exchange = Exchange(recorder, connection, limit)
                elif exchange.received or exchange.failure is not None:
                    exchange = begin(connection, limit)
                if limit != 0.0:
                    if connection.sender or loop.running():
                        key = recorder.enter("send", peer=connection.peer, timeout=told(limit), span=exchange.id)
                    else:
                        blocks = True
                        connection.sends_since = _monotonic()
                        connection.sender = get_ident()
            except Exception as error:
                tap.disable(error)
            try:
                count = original(sock, data, *args)
            except BaseException as error:
                has_failed(connection, error, "send")
                raise
            finally:
                if blocks:
                    connection.sender = 0
                elif key:
                    inflight.pop(key, None)
            try:
                exchange = connection.exchange
                if exchange is not None:
                    # sendall says nothing; all of it went.
                    exchange.sent += count if count is not None else memoryview(data).nbytes
                    exchange.last = now = _monotonic() - recorder.zero
                    if exchange.first is None:
                        exchange.handed = now
            except Exception as error:
                tap.disable(error)
            return count

        return send

    def tls_sender(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stand around the methods of a TLS socket, which count bytes in the clear."""
        return self.sender(original, tls=True)

    def receiver(  # noqa: C901
        self, original: Callable[..., Any], *, tls: bool = False, flags: int = 1
    ) -> Callable[..., Any]:
        """Stand around `recv`, `recv_into` or `read`; `flags`: where those stand among its arguments."""
        table, recorder, tap, inflight = self.table, self.recorder, self.tap, self.recorder.inflight
        begin, has_failed, was_received = self._begin_receive, self.has_failed, self.connections.received

        def receive(sock: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: C901, PLR0912
            connection = table.get(sock.fileno())
            if connection is None or (tls and sock._sslobj is None) or (connection.over_tls and not tls):
                return original(sock, *args, **kwargs)
            if not tap.active or recorder.idle:
                return original(sock, *args, **kwargs)
            key, blocks = 0, False
            try:
                limit = sock.gettimeout()
                if limit != 0.0:
                    exchange = connection.exchange
                    if exchange is None or connection.reader or loop.running():
                        key = begin(connection, limit)
                    else:
                        blocks = True
                        exchange.limit = limit
                        connection.reads_since = _monotonic()
                        connection.reader = get_ident()
            except Exception as error:
                tap.disable(error)
            try:
                data = original(sock, *args, **kwargs)
            except BaseException as error:
                has_failed(connection, error, "recv")
                raise
            finally:
                if blocks:
                    connection.reader = 0
                elif key:
                    connection.reading -= 1
                    inflight.pop(key, None)
            try:
                count = data if type(data) is int else len(data)
                exchange = connection.exchange
                if exchange is None or (len(args) > flags and args[flags] & socket.MSG_PEEK):
                    return data
                if count:
                    exchange.last = now = _monotonic() - recorder.zero
                    if exchange.first is None:
                        exchange.first = now
                    exchange.received += count
                    exchange.failure = None
                    recorder.moved = True
                else:
                    was_received(connection, 0)
            except Exception as error:
                tap.disable(error)
            return data

        return receive

    def filler(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stand around `recv_into`."""
        return self.receiver(original, flags=2)

    def tls_receiver(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stand around `SSLSocket.read`, beneath its recv and recv_into."""
        return self.receiver(original, tls=True, flags=2)

    def closer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Stand around the one place every close of a socket comes to."""
        closed = self.tap.guard(self.connections.closed)

        def close(sock: Any, *args: Any, **kwargs: Any) -> Any:
            fd = sock.fileno()
            if fd in self.table:
                closed(fd)
                self.table.pop(fd, None)
            return original(sock, *args, **kwargs)

        return close

    def _begin_receive(self, connection: Connection, limit: float | None) -> int:
        """A receive that needs an entry of its own: before any send, of a second thread, or within a task."""
        recorder, exchange = self.recorder, connection.exchange
        if exchange is not None:
            exchange.limit = limit
        key = recorder.enter("recv", peer=connection.peer, timeout=wire(limit), span=connection.span)
        connection.reading += 1
        recorder.inflight[key].bytes = connection.received
        return key

    def _failed(self, connection: Connection, error: BaseException, doing: str) -> None:
        if not _is_want(error):
            self.connections.failed(connection, error, doing)


def _is_want(error: BaseException) -> bool:
    """Whether a non-blocking call merely says "not yet"."""
    return isinstance(error, BlockingIOError) or type(error).__name__ in {"SSLWantReadError", "SSLWantWriteError"}
