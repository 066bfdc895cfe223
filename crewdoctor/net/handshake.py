"""One TLS handshake, directly or through a proxy's tunnel, that counts what came back."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from crewdoctor.net.certificate import Certificate, read
from crewdoctor.net.exchange import Hop, secured, status_of

GOOD = range(200, 300)


@dataclass(slots=True)
class Handshake:
    """A handshake over memory buffers: an SSLSocket does not tell whether any byte was answered."""

    connection: socket.socket
    host: str
    received: int = 0
    """Bytes that came back so far."""

    def run(self, context: ssl.SSLContext, timeout: float) -> ssl.SSLObject:
        """Shake hands. Raises OSError; TimeoutError where it did not end within `timeout` seconds."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=self.host)
        until = time.monotonic() + timeout
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(outgoing)
            except BaseException:
                self._flush(outgoing)  # the alert that says why
                raise
            else:
                self._flush(outgoing)
                return tls
            piece = self._receive(until)
            self.received += len(piece)
            if piece:
                incoming.write(piece)
            else:
                incoming.write_eof()

    def _flush(self, outgoing: ssl.MemoryBIO) -> None:
        if outgoing.pending:
            self.connection.sendall(outgoing.read())

    def _receive(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left > 0:
            self.connection.settimeout(left)
            try:
                return self.connection.recv(65536)
            except TimeoutError:
                pass
        raise TimeoutError("The handshake operation timed out")


def reach(host: str, port: int, proxy: Hop | None, timeout: float) -> socket.socket:
    """A connection to `host`, through the proxy's tunnel where there is one. Raises OSError."""
    if proxy is None:
        return socket.create_connection((host, port), timeout)
    if proxy.scheme.startswith("socks"):
        raise ConnectionError("the way through a SOCKS proxy is not examined")
    plain = socket.create_connection((proxy.host, proxy.port), timeout)
    try:
        return _tunnel(plain, proxy, f"{f'[{host}]' if ':' in host else host}:{port}")
    except BaseException:
        plain.close()
        raise


def _tunnel(plain: socket.socket, proxy: Hop, target: str) -> socket.socket:
    connection = secured(plain, proxy.host) if proxy.scheme == "https" else plain
    status = status_of(connection, "CONNECT", target, target, proxy.authorization, whole=True)
    if status not in GOOD:
        raise ConnectionError(f"{proxy.url} answered {status} to CONNECT {target}")
    return connection


def presented(connection: socket.socket, host: str, timeout: float) -> Certificate | None:
    """Whatever certificate the server shows, trusted or not; None where it could not be read. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    der = Handshake(connection, host).run(context, timeout).getpeercert(binary_form=True)
    try:
        return read(der) if der else None
    except ValueError:
        return None
