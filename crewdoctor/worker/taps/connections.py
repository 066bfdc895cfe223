"""Every stream connection this process opened, by file descriptor, and the exchange that is going on over it.

An exchange (`net.exchange`) is one request and its answer: it starts with the first byte sent and ends with the last
byte received before the next send or the close. Receives get no span each; they are counted in it. The descriptor is
the key because it survives the wrapping of a socket in TLS and the hand-over to an event loop.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Hashable
from typing import Any

from crewdoctor.model.span import Failure
from crewdoctor.worker.classify import classify
from crewdoctor.worker.operation import Operation
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.exchange import Exchange, in_request, told

IDLE = 1.0
"""Seconds of silence after which an answered exchange nobody reads from counts as over."""

_numbers = itertools.count(1)


class Connection:
    """One TCP connection and its current exchange."""

    __slots__ = (
        "address",
        "exchange",
        "exchanges",
        "host",
        "number",
        "over_tls",
        "peer",
        "port",
        "reader",
        "reading",
        "reads_since",
        "sender",
        "sends_since",
    )

    def __init__(self, host: str, port: int, address: str) -> None:
        self.host, self.port, self.address = host, port, address
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.number = next(_numbers)
        self.exchanges = 0
        self.exchange: Exchange | None = None
        self.over_tls = False
        """An event loop's TLS sits on top: bytes are counted there, in the clear, not at the socket."""
        self.reading = 0
        """Of those that wait for bytes right now: how many have an entry in flight."""
        self.reader = self.sender = 0
        """Thread in a receive, or in a send, right now, without one: it is told by these."""
        self.reads_since = self.sends_since = 0.0
        """`time.monotonic()` of that."""

    @property
    def span(self) -> str | None:
        """Id of the exchange."""
        return self.exchange.id if self.exchange is not None else None

    @property
    def received(self) -> int:
        """Bytes, in the exchange."""
        return self.exchange.received if self.exchange is not None else 0


class Connections:
    """The table. Plain dict operations only: taps run in any thread."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.table: dict[int, Connection] = {}
        self._gone: list[Connection] = []
        """Closed while a thread was still in a receive or a send."""
        recorder.also_in_flight.append(self.in_flight)
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self._gone.clear()
        for connection in list(self.table.values()):
            connection.exchange = None
            connection.reading = connection.reader = connection.sender = 0

    def opened(self, fd: int, connection: Connection) -> None:
        """A connect begins on `fd`, whatever that number meant before."""
        if fd >= 0:
            self.table[fd] = connection

    def sending(self, connection: Connection, limit: Any) -> Exchange:
        """Bytes are about to be sent; after an answer they begin the next exchange."""
        exchange = connection.exchange
        if exchange is not None and (exchange.received or exchange.failure is not None):
            exchange.over()
            exchange = None
        return exchange if exchange is not None else Exchange(self.recorder, connection, limit)

    def sent(self, connection: Connection, count: int) -> None:
        """`count` bytes left."""
        exchange = connection.exchange
        if exchange is not None:
            exchange.sent += count
            exchange.last = self.recorder.now()
            if exchange.first is None:
                exchange.handed = exchange.last

    def received(self, connection: Connection, count: int) -> None:
        """`count` bytes arrived; 0: the peer closed."""
        exchange = connection.exchange
        if exchange is None:
            return
        if not count:
            if exchange.received == 0:
                exchange.failure = classify(ConnectionResetError("the peer closed the connection without an answer"))
            exchange.over()
            return
        now = self.recorder.now()
        if exchange.first is None:
            exchange.first = now
        exchange.received += count
        exchange.last = now
        exchange.failure = None
        self.recorder.moved = True

    def failed(self, connection: Connection, error: BaseException, doing: str) -> None:
        """A send or receive raised. A timeout may be a poll: the exchange ends with what comes next."""
        exchange = connection.exchange
        if exchange is None:
            return
        exchange.failure = classify(error, doing)
        exchange.last = self.recorder.now()
        if not isinstance(error, TimeoutError):
            exchange.over()

    def closed(self, fd: int) -> None:
        """The descriptor is being closed."""
        connection = self.table.pop(fd, None)
        if connection is not None:
            if connection.reader or connection.sender:
                self._gone.append(connection)
            self.left(connection)

    def left(self, connection: Connection) -> None:
        """Nobody will read from it any more. Where no answer came, the request above is about to say why."""
        exchange = connection.exchange
        if exchange is None:
            return
        if exchange.received or exchange.failure is not None or not in_request(exchange):
            exchange.over()

    def settle(self, connection: Connection, failure: Failure | None = None) -> None:
        """End the exchange, at the last byte seen."""
        if connection.exchange is not None:
            connection.exchange.over(failure)

    def settle_idle(self) -> None:
        """Close exchanges, answered or given up, that are quiet and nobody waits for: no thread, no request above."""
        now = self.recorder.now()
        for connection in list(self.table.values()):
            exchange = connection.exchange
            if exchange is None or not (exchange.received or exchange.failure is not None):
                continue
            quiet = now - exchange.last >= IDLE and not (connection.reading or connection.reader)
            if quiet and not in_request(exchange):
                exchange.over()

    def in_flight(self) -> dict[Hashable, Operation]:
        """Receives and sends that are told by their connection, and the waits of coroutines by their request."""
        held: dict[Hashable, Operation] = {}
        zero = self.recorder.zero
        self._gone = [each for each in self._gone if each.reader or each.sender]
        for connection in (*list(self.table.values()), *self._gone):
            exchange = connection.exchange
            waits = (
                ("recv", connection.reader, connection.reads_since),
                ("send", connection.sender, connection.sends_since),
            )
            for kind, thread, since in waits:
                if thread:
                    span, limit = (exchange.id, told(exchange.limit)) if exchange is not None else (None, None)
                    count = connection.received if kind == "recv" else 0
                    told_of = Operation(kind, connection.peer, limit, since - zero, span, thread, count)
                    held[kind, connection.number, since] = told_of
        for span, known in self.recorder.open_spans().items():
            waiting = known.waits() if known.is_request else None
            if waiting is not None:
                held["recv", span, waiting.started] = waiting
        return held
