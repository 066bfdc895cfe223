"""What libpq does on a connection, from the states its driver waits in and the kernel's count of bytes.

The driver (`psycopg.py`) tells when it waits for the socket and when the socket is ready; libpq itself connects, sends
and reads in C. TLS begins with the server's `S` and lasts until libpq has more to say after its first flight.
"""

from __future__ import annotations

import re
import weakref
from typing import Any

from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.worker import kernel_sockets
from crewdoctor.worker.classify import classify
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import TimedSpan, wire

_SETS = re.compile(r"\bstatement_timeout\b|\bset_config\b", re.IGNORECASE)

limited: weakref.WeakSet[Any] = weakref.WeakSet()
"""Connections whose session has set a limit for its statements: how long it is, the server knows."""

_TICK = 0.1
"""Seconds between two looks of psycopg at its own clock."""


def note_limit(cursor: Any, statement: Any) -> None:
    """Remember a session that sets a limit of its own. Told by `statements.py`, which stands around `execute`."""
    if isinstance(statement, (str, bytes)) and _SETS.search(str(statement)):
        limited.add(cursor.connection)


class Exchange:
    """What one generator does on its connection, from the kernel's count of bytes."""

    def __init__(self, recorder: Recorder, connection: Connection | None, fd: int, timeout: dict[str, Any]) -> None:
        self._recorder, self.connection, self._fd, self._timeout = recorder, connection, fd, timeout
        self._told = timeout
        """The same as the exchange tells it."""
        self._connections = connections_of(recorder)
        self._key = 0
        self._before = (0, 0)
        self._before = self._bytes()

    def waits(self, _state: Any) -> None:
        """The generator waits for the socket. Having sent nothing it goes on with an answer, or waits for news."""
        connection = self.connection
        if connection is None or self._key:
            return
        if self._has_sent():
            self._connections.sending(connection, self._told)
            self._count()
        self._key = self._recorder.enter("recv", peer=connection.peer, timeout=self._timeout, span=connection.span)
        connection.reading += 1

    def _has_sent(self) -> bool:
        told = kernel_sockets.ask(self._fd)
        return told is None or told.sent is None or told.sent > self._before[0]

    def ready(self, _ready: Any) -> None:
        """The socket is ready."""
        self._count()

    def done(self, _result: Any) -> None:
        """The generator has its result."""
        self._over()

    def failed(self, error: BaseException) -> None:
        """It raised, or was given up. An error of the server's is an answer."""
        answered = getattr(error, "sqlstate", None) is not None
        why = self._why(error, "recv")
        self._over(None if answered and not why.kind.is_timeout else why)

    def _why(self, error: BaseException, doing: str) -> Failure:
        if not isinstance(error, GeneratorExit):
            return classify(error, doing)
        limit = self._timeout.get("timeout")
        late = isinstance(limit, float) and self._age() >= limit - _TICK
        if late:
            return classify(TimeoutError("timed out"), doing)
        return Failure(FailureKind.CANCELLED, "the wait was given up")

    def _age(self) -> float:
        exchange = self.connection.exchange if self.connection else None
        return self._recorder.now() - exchange.start if exchange else 0.0

    def _over(self, failure: Failure | None = None) -> None:
        connection = self.connection
        if connection is None or not self._key:
            return
        self._count()
        self._recorder.leave(self._key)
        self._key = 0
        connection.reading -= 1
        if connection.exchange is not None:
            connection.exchange.failure = failure
            connection.exchange.over()

    def _count(self) -> None:
        now = self._bytes()
        connection = self.connection
        if connection is None:
            return
        sent, received = now[0] - self._before[0], now[1] - self._before[1]
        if sent > 0 and not connection.received:
            self._connections.sent(connection, sent)
        if received > 0:
            self._connections.received(connection, received)
        if self._key:
            self._recorder.inflight[self._key].bytes = connection.received
        self._before = now

    def _bytes(self) -> tuple[int, int]:
        """Sent and received on the connection; as before where it has gone since."""
        told = kernel_sockets.ask(self._fd) if self._fd >= 0 else None
        return self._before if told is None or told.sent is None else (told.sent, told.received or 0)


class Login(Exchange):
    """One attempt to connect: to one address, TLS where the server agrees to it, then the login."""

    def __init__(self, recorder: Recorder, host: str, port: int, address: str, limit: Any) -> None:
        super().__init__(recorder, None, -1, wire(limit))
        self._told = {"connect": self._timeout}  # it bounds no later answer
        family = "v6" if ":" in address else "v4"
        self._place: dict[str, Any] = {"host": host, "port": port, "address": address}
        self._peer = f"{host}:{port}"
        self._connect: TimedSpan | None = None
        self._tls: TimedSpan | None = None
        self._hello = 0
        """Bytes that were out when the first flight of the handshake was."""
        self._family = family
        self._began = recorder.now()

    def waits(self, state: Any) -> None:
        """First of all it connects; then it waits for an answer in the clear, for TLS, for the login."""
        if self._connect is None:
            self._fd = state[0]
            made = Connection(self._place["host"], self._place["port"], self._place["address"])
            self._connections.opened(self._fd, made)
            self._connect = self._span("tcp.connect", "connect", family=self._family)
        elif self._tls is not None:
            out = self._bytes()[0]
            if not self._hello:
                self._hello = out
            elif out > self._hello:
                self._shaken()
        if self.connection is not None and self._tls is None:
            super().waits(state)

    def ready(self, ready: Any) -> None:
        """Connected, or bytes have come: an `S` agrees to TLS."""
        if self.connection is not None:
            if self._tls is None and not self._hello and kernel_sockets.peeked(self._fd) == b"S":
                self._over()
                self._tls = self._span("tls.handshake", "tls", trust="libpq")
            elif self._tls is None:
                super().ready(ready)
        elif ready and self._connect is not None:
            told = kernel_sockets.ask(self._fd)
            if told is not None and told.address:
                self._connect.end()
                self.connection = self._connections.table.get(self._fd)

    def done(self, result: Any) -> None:
        """Logged in."""
        self._shaken()
        super().done(result)

    def failed(self, error: BaseException) -> None:
        """Whatever was going on failed, and the descriptor is closed."""
        if self.connection is None:
            if self._connect is None:  # refused at once: libpq never came to wait
                self._connect = self._span("tcp.connect", "connect", family=self._family)
            self._connect.end(self._why(error, "connect"))
        self._shaken(self._why(error, "tls"))
        super().failed(error)
        if self._fd >= 0:
            self._connections.closed(self._fd)

    def _has_sent(self) -> bool:
        return True

    def _shaken(self, failure: Failure | None = None) -> None:
        tls, self._tls = self._tls, None
        if tls is not None:
            self._before = self._bytes()
            tls.end(failure)

    def _span(self, name: str, doing: str, **more: Any) -> TimedSpan:
        return TimedSpan(self._recorder, name, doing, peer=self._peer, timeout=self._timeout, **self._place, **more)

    def _age(self) -> float:
        return self._recorder.now() - self._began
