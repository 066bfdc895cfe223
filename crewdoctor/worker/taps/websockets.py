"""websockets: a `recv` in flight, with its timeout, where a thread or a loop of the library's own reads the bytes.

The exchange on the wire is told by the taps below; who waits for it, and for how long at most, is known here alone.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.asyncio_limits import Receiving, beneath, in_force
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import Tap, wire


def install(recorder: Recorder) -> None:
    """Tap both kinds of connection, now or when they are imported."""
    tap = Tap("websockets", recorder)

    def blocking(connection: Any, timeout: Any = None, *_args: Any, **_more: Any) -> Receiving | None:
        known = connections_of(recorder).table.get(connection.socket.fileno())
        return None if known is None else Receiving(recorder, known, wire(timeout))

    def awaited(connection: Any, *_args: Any, **_more: Any) -> Receiving | None:
        known = beneath(recorder, connection.transport)
        return None if known is None else Receiving(recorder, known, in_force())

    def sync(module: ModuleType) -> None:
        tap.around(module.Connection, "recv", blocking)

    def asynchronous(module: ModuleType) -> None:
        tap.around_coroutine(module.Connection, "recv", awaited)

    when_imported("websockets.sync.connection", tap.safely(sync))
    when_imported("websockets.asyncio.connection", tap.safely(asynchronous))
