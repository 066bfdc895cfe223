"""A server that accepts and never answers, with what it heard: the counterpart of every stall experiment."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Heard:
    """One connection."""

    at: float
    """`time.monotonic()` of the accept."""
    peer: tuple[str, int]
    data: bytearray = field(default_factory=bytearray)
    closed: float | None = None
    """`time.monotonic()` when the client gave up, None while it still waits."""


class SilentServer:
    """Accepts on loopback, reads, says `opening` (nothing by default), and then never a byte more."""

    def __init__(self, opening: bytes = b"", host: str = "127.0.0.1", port: int = 0) -> None:
        self.opening = opening
        """Sent after the first bytes arrive: half an HTTP response makes it a stall in the body."""
        self.heard: list[Heard] = []
        self.listener = socket.create_server((host, port), backlog=128)
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="crewdoctor-silent", daemon=True)

    def start(self) -> None:
        """Serve in a thread."""
        self._thread.start()

    def close(self) -> None:
        """Drop every connection and stop."""
        self._wake.send(b"x")
        self._thread.join(5)
        self._wake.close()
        self._woken.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as waiting, contextlib.ExitStack() as held:
            held.callback(self.listener.close)
            waiting.register(self.listener, selectors.EVENT_READ)
            waiting.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in waiting.select():
                    if key.fileobj is self._woken:
                        return
                    if key.fileobj is self.listener:
                        self._accept(waiting, held)
                    else:
                        self._read(waiting, key)

    def _accept(self, waiting: selectors.BaseSelector, held: contextlib.ExitStack) -> None:
        with contextlib.suppress(OSError):
            connection, peer = self.listener.accept()
            connection.setblocking(False)
            held.enter_context(connection)
            heard = Heard(time.monotonic(), (str(peer[0]), int(peer[1])))
            self.heard.append(heard)
            waiting.register(connection, selectors.EVENT_READ, heard)

    def _read(self, waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        connection: Any = key.fileobj
        heard: Heard = key.data
        try:
            data = connection.recv(65536)
            if data and not heard.data and self.opening:
                connection.sendall(self.opening)
        except OSError:
            data = b""
        heard.data.extend(data)
        if not data:
            heard.closed = time.monotonic()
            waiting.unregister(connection)
            connection.close()


@contextlib.contextmanager
def silence(opening: bytes = b"") -> Iterator[SilentServer]:
    """Run a silent server for a while."""
    server = SilentServer(opening)
    server.start()
    try:
        yield server
    finally:
        server.close()


def run(args: dict[str, Any], ready: Callable[[int], None]) -> None:
    """Be silent until the end of the process. `args`: {"opening": str}."""
    with silence(str(args.get("opening") or "").encode("latin-1")) as server:
        ready(server.port)
        threading.Event().wait()
