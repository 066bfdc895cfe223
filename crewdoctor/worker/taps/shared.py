"""What taps share in one process: the table of connections, made once, by whichever tap comes first."""

from __future__ import annotations

import threading
from contextvars import ContextVar

from crewdoctor.worker.inflight import settlers
from crewdoctor.worker.operation import Recorded
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.connections import Connections
from crewdoctor.worker.taps.tap import Tap

wrapping = threading.local()
"""`fd` of the connection an event loop is putting TLS on, in this thread, right now."""

wrapped: ContextVar[int] = ContextVar("crewdoctor_wrapped_fd", default=-1)
"""The same for a loop that does it later, in the context of whoever asked."""

_made: dict[int, Connections] = {}


def connections_of(recorder: Recorder) -> Connections:
    """Return the table of this process."""
    made = _made.get(id(recorder))
    if made is None:
        made = _made[id(recorder)] = Connections(recorder)
        settlers.append(Tap("connections", recorder).guard(made.settle_idle))
    return made


def received(recorder: Recorder, span: str | None) -> tuple[int, Recorded | None]:
    """Bytes of the exchange a span is, or has started, and the span around it; nothing where there is none."""
    for connection in list(connections_of(recorder).table.values()):
        exchange = connection.exchange
        if exchange is None or span is None:
            continue
        if span == exchange.id or (exchange.above is not None and span == exchange.above.id):
            return exchange.received, exchange.above
    return 0, None
