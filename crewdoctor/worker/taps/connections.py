"""Every stream connection this process opened, by file descriptor, and the exchange that is going on over it.

An exchange (`net.exchange`) is one request and its answer: it starts with the first byte sent and ends with the last
byte received before the next send or the close. Receives get no span each; they are counted in it. The descriptor is
the key because it survives the wrapping of a socket in TLS and the hand-over to an event loop.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Hashable
from threading import get_ident
from typing import Any

from crewdoctor.model.span import Failure
from crewdoctor.wire.lines import Lines
from crewdoctor.worker.classify import classify
from crewdoctor.worker.operation import Operation, Recorded, current
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import wire

IDLE = 1.0
"""Seconds of silence after which an answered exchange nobody reads from counts as over."""

_numbers = itertools.count(1)
_monotonic = time.monotonic


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


class Exchange(Recorded):
    """One exchange, and what is to be told of it."""

    __slots__ = ("asked", "connection", "first", "handed", "last", "limit", "received", "recorder", "reused", "sent")

    name = "net.exchange"

    def __init__(self, recorder: Recorder, connection: Connection, limit: Any) -> None:
        # All of `Recorder.open`, written out: this stands in the way of every request.
        spans, ident = recorder._spans, get_ident()
        parent = current.get() or recorder.thread_spans.get(ident)
        above = spans.get(parent) if parent else None
        if above is None:
            self.subject, self.layer = recorder.subject, recorder.layer.value
        else:
            self.subject, self.layer = above.subject, above.layer
            if above.is_request:
                above.holds(self)
        self.recorder, self.connection, self.above, self.thread_id = recorder, connection, above, ident
        self.asked = self.limit = limit
        """Timeout as the socket spells it, or its wire form: at the start, and at the last send or receive (urllib3
        changes it between the two)."""
        self.end = self.failure = self.first = None
        self.sent = self.received = self.state = 0
        self.reused = connection.exchanges > 0
        connection.exchanges += 1
        connection.exchange = self
        self.id = span = f"{recorder.number}.{next(recorder._counter)}"
        self.start = self.last = self.handed = _monotonic() - recorder.zero
        """When it began, when bytes last moved, when the last of the request was handed over."""
        spans[span] = self
        recorder._spool.waiting.append(self)

    first: float | None

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes given at the start."""
        connection = self.connection
        return {
            "host": connection.host,
            "port": connection.port,
            "peer": connection.address,
            "phase": "wait",
            "timeout": told(self.asked),
            "connection": connection.number,
            "reused": self.reused,
        }

    @property
    def added(self) -> dict[str, Any]:
        """Attributes given at the end."""
        first = self.first
        return {
            "sent_bytes": self.sent,
            "received_bytes": self.received,
            "send": round(self.handed - self.start, 6),
            "first_byte": None if first is None else round(first - self.start, 6),
            "receive": None if first is None else round(self.last - first, 6),
            "phase": "receive" if self.received else "wait" if self.sent else "send",
            "timeout": told(self.limit),
        }

    @property
    def place(self) -> Hashable:
        """Whose it is and where it leads."""
        return (self.subject, self.connection.peer)

    def opening(self, lines: Lines) -> str:
        """`attrs` as text: the same for every exchange on a connection but the first."""
        asked = self.asked
        if type(asked) is dict:
            return lines.body(self.attrs)
        key = (self.connection.number, asked, self.reused)
        return lines.known(key) or lines.learn(key, self.attrs)

    def closing(self, lines: Lines) -> str:
        """`added` as text."""
        first, limit = self.first, self.limit
        if first is None or type(limit) is dict:
            return lines.members(self.added)
        said = lines.known(limit) or lines.learn(limit, {"phase": "receive", "timeout": told(limit)})
        return (
            f'{{"sent_bytes":{self.sent},"received_bytes":{self.received},"send":{self.handed - self.start:.6f},'
            f'"first_byte":{first - self.start:.6f},"receive":{self.last - first:.6f},{said[1:]}'
        )

    def cut(self, failure: Failure | None) -> None:
        """End it from without."""
        self.over(failure)

    def over(self, failure: Failure | None = None) -> None:
        """End it, at the last byte seen."""
        connection = self.connection
        if connection.exchange is self:
            connection.exchange = None
        if self.end is not None:
            return
        recorder, received, above = self.recorder, self.received, self.above
        if above is not None and above.is_request:
            above.received_on_wire(received)
        if received and self.failure is None and failure is None:
            end = self.last
        else:
            self.failure, end = self.failure or failure, _monotonic() - recorder.zero
        self.end = end
        if recorder._spans.pop(self.id, None) is not None and self.state:  # gone where another step has begun
            recorder._spool.waiting.append(self)


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


def in_request(exchange: Exchange) -> bool:
    """Whether the request it belongs to is going on."""
    above = exchange.above
    return above is not None and above.is_request and above.end is None


def told(limit: Any) -> dict[str, Any]:
    """Wire form of a socket's timeout, if it is not one already; that of a loop's is not known."""
    if type(limit) is dict:
        return limit
    return {"timeout": "unknown"} if limit == 0.0 else wire(limit)
