"""What asyncio does with sockets: `tcp.connect` as long as it really takes, and TLS counted in the clear.

A non-blocking `connect` returns at once; the loop's `sock_connect` is the one that lasts. Bytes of plain transports
pass through `socket.send` and `socket.recv` (`sockets.py`). With TLS the socket carries ciphertext, handshakes and
session tickets, so the exchange is counted where asyncio's and anyio's TLS layers read and write plaintext. uvloop has
a file of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.shared import connections_of, wrapping
from crewdoctor.worker.taps.sockets import connection_to
from crewdoctor.worker.taps.tap import Tap, TimedSpan

_UNKNOWN = {"timeout": "unknown"}
"""A loop's sockets never time out by themselves; what bounds them is the library's clock (`http.request`)."""


def install(recorder: Recorder) -> None:
    """Tap the selector loop, asyncio's TLS protocol, anyio's TLS stream, and `ssl.SSLObject` beneath both."""
    taps = Loops(Tap("asyncio_sockets", recorder))
    when_imported("asyncio.selector_events", taps.tap.safely(taps.loop))
    when_imported("asyncio.sslproto", taps.tap.safely(taps.asyncio_tls))
    when_imported("anyio.streams.tls", taps.tap.safely(taps.anyio_tls))
    when_imported("ssl", taps.tap.safely(taps.objects))


class Loops:
    """The hooks, one per module they patch."""

    def __init__(self, tap: Tap) -> None:
        self.tap = tap
        self.connections = connections_of(tap.recorder)

    def loop(self, module: ModuleType) -> None:
        """`sock_connect` of selector loops."""
        self.tap.around_coroutine(module.BaseSelectorEventLoop, "sock_connect", self.connect)

    def asyncio_tls(self, module: ModuleType) -> None:
        """TLS protocol of asyncio: it makes its SSLObject and takes the first step of the handshake in one go."""
        prepare, link = self.tap.guard(self._before_tls), self.tap.guard(self._after_tls)

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            def start(protocol: Any) -> Any:
                prepare(protocol)
                try:
                    return original(protocol)
                finally:
                    link(protocol)

            return start

        self.tap.replace(module.SSLProtocol, "_start_handshake", make)
        # The socket itself stays open for the peer's farewell, half a minute if need be, or for ever with its loop.
        self.tap.around(module._SSLProtocolTransport, "close", self._closing)
        self.tap.around(module.SSLProtocol, "eof_received", self._hung_up)

    def anyio_tls(self, module: ModuleType) -> None:
        """TLS stream of anyio: every use of its SSLObject passes one method."""
        link = self.tap.guard(self._link_anyio)

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            async def call(stream: Any, function: Any, *args: Any) -> Any:
                link(stream, function)
                return await original(stream, function, *args)

            return call

        self.tap.replace(module.TLSStream, "_call_sslobject_method", make)

    def objects(self, module: ModuleType) -> None:
        """Plaintext in and out of an SSLObject that is linked to a connection."""
        table = self.connections.table
        sending = self.tap.guard(self.connections.sending)
        sent = self.tap.guard(self.connections.sent)
        received = self.tap.guard(self.connections.received)

        def writer(original: Callable[..., Any]) -> Callable[..., Any]:
            def write(tls: Any, data: Any) -> Any:
                connection = table.get(getattr(tls, "crewdoctor_fd", -1))
                if connection is None:
                    return original(tls, data)
                sending(connection, _UNKNOWN)
                count = original(tls, data)
                sent(connection, count)
                return count

            return write

        def reader(original: Callable[..., Any]) -> Callable[..., Any]:
            def read(tls: Any, *args: Any, **kwargs: Any) -> Any:
                data = original(tls, *args, **kwargs)
                connection = table.get(getattr(tls, "crewdoctor_fd", -1))
                if connection is not None:
                    received(connection, data if isinstance(data, int) else len(data))
                return data

            return read

        self.tap.replace(module.SSLObject, "write", writer)
        self.tap.replace(module.SSLObject, "read", reader)

    def connect(self, _loop: Any, sock: Any, address: Any) -> TimedSpan | None:
        """What watches a loop's `sock_connect`."""
        connection = connection_to(sock, address)
        if connection is None:
            return None
        self.connections.opened(sock.fileno(), connection)
        return TimedSpan(
            self.tap.recorder,
            "tcp.connect",
            "connect",
            peer=connection.peer,
            timeout=_UNKNOWN,
            host=connection.host,
            port=connection.port,
            address=connection.address,
            family="v6" if ":" in connection.address else "v4",
        )

    def _before_tls(self, protocol: Any) -> None:
        # The socket carries ciphertext from here on, and the first flight leaves before the object can be linked.
        wrapping.fd = protocol._transport.get_extra_info("socket").fileno()
        connection = self.connections.table.get(wrapping.fd)
        if connection is not None:
            connection.over_tls = True

    def _after_tls(self, protocol: Any) -> None:
        wrapping.fd = -1
        self._link(protocol._transport.get_extra_info("socket"), _object_of(protocol))

    def _closing(self, transport: Any) -> None:
        connection = self._of(transport._ssl_protocol)
        if connection is not None:
            self.connections.left(connection)

    def _hung_up(self, protocol: Any) -> None:
        connection = self._of(protocol)
        if connection is not None:
            self.connections.received(connection, 0)

    def _of(self, protocol: Any) -> Connection | None:
        transport = getattr(protocol, "_transport", None)
        sock = transport.get_extra_info("socket") if transport is not None else None
        return self.connections.table.get(sock.fileno()) if sock is not None else None

    def _link_anyio(self, stream: Any, function: Any) -> None:
        tls = getattr(function, "__self__", None)
        if tls is not None and getattr(tls, "crewdoctor_fd", None) is None:
            get = stream.transport_stream.extra_attributes.get(sys.modules["anyio.abc"].SocketAttribute.raw_socket)
            if get is not None:
                self._link(get(), tls)

    def _link(self, transport_socket: Any, tls: Any) -> None:
        fd = transport_socket.fileno()
        connection = self.connections.table.get(fd)
        if connection is not None and tls is not None and not tls.server_side:
            connection.over_tls = True
            tls.crewdoctor_fd = fd


def _object_of(protocol: Any) -> Any:
    """Return the `ssl.SSLObject` of asyncio's protocol; Python 3.10 keeps it one level deeper."""
    pipe = getattr(protocol, "_sslpipe", None)
    return getattr(protocol, "_sslobj", None) or getattr(pipe, "ssl_object", None)
