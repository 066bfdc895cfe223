"""Every stream connection this process opened, by file descriptor, and the exchange that is going on over it.

An exchange (`net.exchange`) is one request and its answer: it starts with the first byte sent and ends with the last
byte received before the next send or the close. Receives get no span each; they are counted here. The descriptor is
the key because it survives the wrapping of a socket in TLS and the hand-over to an event loop.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

from crewdoctor.model.span import Failure
from crewdoctor.worker.classify import classify
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import span_here

IDLE = 1.0
"""Seconds of silence after which an answered exchange nobody reads from counts as over."""

_numbers = itertools.count(1)


class Connection:
    """One TCP connection and its current exchange."""

    __slots__ = (
        "address",
        "exchanges",
        "failure",
        "first",
        "handed",
        "host",
        "last",
        "number",
        "over_tls",
        "parent",
        "peer",
        "port",
        "reading",
        "received",
        "sent",
        "span",
        "started",
        "timeout",
    )

    def __init__(self, host: str, port: int, address: str) -> None:
        self.host, self.port, self.address = host, port, address
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.number = next(_numbers)
        self.exchanges = 0
        self.over_tls = False
        """An event loop's TLS sits on top: bytes are counted there, in the clear, not at the socket."""
        self.reading = 0
        """Threads blocked in a receive right now."""
        self.forget()

    def forget(self) -> None:
        """Start over: no exchange is going on."""
        self.span: str | None = None
        self.parent: str | None = None
        self.sent = self.received = 0
        self.started = self.last = self.handed = 0.0
        """When it began, when bytes last moved, when the last of the request was handed over."""
        self.first: float | None = None
        self.failure: Failure | None = None
        self.timeout: dict[str, Any] = {"timeout": "unknown"}
        """In force at the last send or receive: urllib3 changes it between the two."""

    @property
    def phase(self) -> str:
        """`send`, `wait` or `receive`: how far the exchange got."""
        if self.received:
            return "receive"
        return "wait" if self.sent else "send"


class Connections:
    """The table. Plain dict operations only: taps run in any thread."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.table: dict[int, Connection] = {}
        self._children: dict[str, list[Connection]] = {}
        """Span → connections whose exchange was started inside it."""
        self._received: dict[str, int] = {}
        """Bytes of exchanges that are over, for spans that asked (`count_beneath`)."""
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._children, self._received = {}, {}
        for connection in list(self.table.values()):
            connection.forget()
            connection.reading = 0

    def opened(self, fd: int, connection: Connection) -> None:
        """A connect begins on `fd`, whatever that number meant before."""
        if fd >= 0:
            self.table[fd] = connection

    def sending(self, connection: Connection, timeout: dict[str, Any]) -> None:
        """Bytes are about to be sent; after an answer they begin the next exchange."""
        if connection.span is not None and (connection.received or connection.failure is not None):
            self.settle(connection)
        if connection.span is None:
            self._begin(connection, timeout)

    def _begin(self, connection: Connection, timeout: dict[str, Any]) -> None:
        connection.forget()
        connection.parent = span_here(self.recorder)
        connection.started = connection.last = connection.handed = self.recorder.now()
        connection.span = self.recorder.open(
            "net.exchange",
            host=connection.host,
            port=connection.port,
            peer=connection.address,
            phase="wait",
            timeout=timeout,
            connection=connection.number,
            reused=connection.exchanges > 0,
        )
        connection.exchanges += 1
        connection.timeout = timeout
        if connection.parent:
            self._children.setdefault(connection.parent, []).append(connection)

    def sent(self, connection: Connection, count: int) -> None:
        """`count` bytes left."""
        connection.sent += count
        connection.last = self.recorder.now()
        if connection.first is None:
            connection.handed = connection.last

    def received(self, connection: Connection, count: int) -> None:
        """`count` bytes arrived; 0: the peer closed."""
        if connection.span is None:
            return
        now = self.recorder.now()
        if not count:
            if connection.received == 0:
                connection.failure = classify(ConnectionResetError("the peer closed the connection without an answer"))
            self.settle(connection)
            return
        if connection.first is None:
            connection.first = now
        connection.received += count
        connection.last = now
        connection.failure = None
        self.recorder.move()

    def failed(self, connection: Connection, error: BaseException, doing: str) -> None:
        """A send or receive raised. A timeout may be a poll: the exchange ends with what comes next."""
        if connection.span is None:
            return
        connection.failure = classify(error, doing)
        connection.last = self.recorder.now()
        if not isinstance(error, TimeoutError):
            self.settle(connection)

    def closed(self, fd: int) -> None:
        """The descriptor is being closed."""
        connection = self.table.pop(fd, None)
        if connection is not None:
            self.left(connection)

    def left(self, connection: Connection) -> None:
        """Nobody will read from it any more. Where no answer came, the request above is about to say why."""
        waited_for = connection.received == 0 and connection.failure is None and connection.parent in self._received
        if not waited_for:
            self.settle(connection)

    def settle(self, connection: Connection, failure: Failure | None = None) -> None:
        """End the exchange, at the last byte seen."""
        span, connection.span = connection.span, None
        if span is None:
            return
        if connection.parent:
            siblings = self._children.get(connection.parent)
            if siblings is not None and connection in siblings:
                siblings.remove(connection)
                if not siblings:
                    self._children.pop(connection.parent, None)
            if connection.parent in self._received:
                self._received[connection.parent] += connection.received
        answered = connection.received > 0 and connection.failure is None
        self.recorder.close(
            span,
            failure=connection.failure or failure,
            end=connection.last if answered and failure is None else None,
            sent_bytes=connection.sent,
            received_bytes=connection.received,
            send=round(connection.handed - connection.started, 6),
            first_byte=None if connection.first is None else round(connection.first - connection.started, 6),
            receive=None if connection.first is None else round(connection.last - connection.first, 6),
            phase=connection.phase,
            timeout=connection.timeout,
        )

    def count_beneath(self, span: str) -> None:
        """Add up what exchanges inside `span` receive, until `settle_beneath`."""
        self._received[span] = 0

    def settle_beneath(self, span: str, failure: Failure | None) -> int:
        """The operation `span` is over: so are the exchanges it started. Return the bytes they received."""
        for connection in list(self._children.pop(span, ())):
            if connection.parent == span and connection.span is not None:
                self.settle(connection, None if connection.received else failure)
        return self._received.pop(span, 0)

    def settle_idle(self) -> None:
        """Close exchanges, answered or given up, that are quiet and nobody waits for: no thread, no request above."""
        now = self.recorder.now()
        for connection in list(self.table.values()):
            quiet = now - connection.last >= IDLE and not connection.reading
            if (
                connection.span is not None
                and (connection.received or connection.failure is not None)
                and quiet
                and connection.parent not in self._received
            ):
                self.settle(connection)
