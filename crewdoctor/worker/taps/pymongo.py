"""pymongo, async: an answer that is waited for, with the timeout of its socket, which a loop's socket does not have.

The blocking client uses Python's sockets and needs no tap of its own.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.asyncio_limits import Receiving
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import Tap, wire


def install(recorder: Recorder) -> None:
    """Tap the one place it receives at, before its pool takes the name along."""
    tap = Tap("pymongo", recorder)

    def receive(connection: Any, *_args: Any, **_more: Any) -> Receiving | None:
        sock = connection.conn.sock
        known = connections_of(recorder).table.get(sock.fileno()) if sock is not None else None
        return None if known is None else Receiving(recorder, known, wire(connection.conn.gettimeout))

    def network(module: ModuleType) -> None:
        if hasattr(module, "AsyncNetworkingInterface"):
            tap.around_coroutine(module, "async_receive_message", receive)

    when_imported("pymongo.network_layer", tap.safely(network))
