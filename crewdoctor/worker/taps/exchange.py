"""One request and its answer on one connection: `net.exchange`, noted as it happens and told when it is written."""

from __future__ import annotations

import time
from collections.abc import Hashable
from threading import get_ident
from typing import TYPE_CHECKING, Any

from crewdoctor.model.span import Failure
from crewdoctor.wire.lines import Lines
from crewdoctor.worker.operation import Recorded, current
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import wire

if TYPE_CHECKING:
    from crewdoctor.worker.taps.connections import Connection

_monotonic = time.monotonic


class Exchange(Recorded):
    """One exchange, and what is to be told of it."""

    __slots__ = (
        "_count",
        "_id",
        "asked",
        "connection",
        "first",
        "handed",
        "last",
        "limit",
        "received",
        "recorder",
        "reused",
        "sent",
    )

    name = "net.exchange"

    def __init__(self, recorder: Recorder, connection: Connection, limit: Any) -> None:
        # All of `Recorder.open`, written out: this stands in the way of every request.
        spans, ident = recorder._spans, get_ident()
        parent = current.get() or recorder.thread_spans.get(ident)
        above: Any = spans.get(parent) if parent else None
        if above is None:
            self.subject, self.layer = recorder.subject, recorder.layer.value
        else:
            self.subject, self.layer = above.subject, above.layer
        self.recorder, self.connection, self.above, self.thread_id = recorder, connection, above, ident
        self.asked = self.limit = limit
        """Timeout as the socket spells it, or its wire form: at the start, and at the last send or receive (urllib3
        changes it between the two)."""
        self.end = self.failure = self.first = None
        self.sent = self.received = self.state = 0
        self.reused = connection.exchanges > 0
        connection.exchanges += 1
        self.start = self.last = self.handed = _monotonic() - recorder.zero
        """When it began, when bytes last moved, when the last of the request was handed over."""
        self._id, self._count = None, next(recorder._counter)
        request = above is not None and above.is_request
        own = not (request and above.exchange is None and above.end is None)
        if own:
            self._id, self._count = f"{recorder.number}.{self._count}", 0
            spans[self._id] = self
        if request:
            if above.exchange is not None:
                above.others = [*(above.others or ()), above.exchange]
            above.exchange = self
        connection.exchange = self  # whole by now: others may look
        if own or above.state:
            recorder._spool.waiting.append(self)

    first: float | None
    _id: str | None
    """None where it is told along with its request, as the first one of that is, until somebody asks for it."""
    _count: int
    """What its id is made of then; 0 for one that stands on its own."""

    @property
    def id(self) -> str:  # type: ignore[override]
        """`<number of the step>.<counter>`; who asks while it is going on can look it up from then on."""
        above, spans = self.above, self.recorder._spans
        if self._id is not None or above is None:
            return self._id or ""
        made = f"{above.id.partition('.')[0]}.{self._count}"
        if self.end is None and above.id in spans:
            self._id = made
            spans[made] = self
            if self.end is not None:  # meanwhile
                spans.pop(made, None)
        return made

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
        above: Any = self.above
        recorder, received = self.recorder, self.received
        if above is not None and above.is_request:
            above.on_wire += received
        if received and self.failure is None and failure is None:
            end = self.last
        else:
            self.failure, end = self.failure or failure, _monotonic() - recorder.zero
        self.end = end
        known = recorder._spans.pop(self._id, None) if self._id is not None else None
        if not self._count:
            if known is not None and self.state:  # gone where another step has begun
                recorder._spool.waiting.append(self)
        elif (self.state or above.exchange is not self) and above.id in recorder._spans:
            recorder._spool.waiting.append(self)


def in_request(exchange: Exchange) -> bool:
    """Whether the request it belongs to is going on."""
    above = exchange.above
    return above is not None and above.is_request and above.end is None


def told(limit: Any) -> dict[str, Any]:
    """Wire form of a socket's timeout, if it is not one already; that of a loop's is not known."""
    if type(limit) is dict:
        return limit
    return {"timeout": "unknown"} if limit == 0.0 else wire(limit)
