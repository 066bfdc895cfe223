"""One HTTP/1.1 request without a body, spoken on a plain socket, for its status alone."""

from __future__ import annotations

import base64
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

LARGEST_HEAD = 65536


@dataclass(frozen=True, slots=True)
class Hop:
    """A proxy as its URL names it."""

    scheme: str
    host: str
    port: int
    authorization: str
    """Value of Proxy-Authorization, empty for none. Never recorded."""

    @property
    def subject(self) -> str:
        """`proxy:<host>:<port>`, IPv6 in brackets."""
        return f"proxy:{self._place}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without its credentials."""
        return f"{self.scheme}://{self._place}:{self.port}"

    @property
    def _place(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


def hop(proxy: str) -> Hop:
    """Read a proxy URL. Raises ValueError for one without a host or with a port that is no number."""
    parts = urlsplit(proxy)
    if not parts.hostname:
        raise ValueError(f"{parts.scheme}://: a proxy URL without a host")
    port = parts.port or {"https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080}.get(parts.scheme, 80)
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
    return Hop(parts.scheme, parts.hostname, port, authorization)


def status_of(
    connection: socket.socket, method: str, target: str, host: str, authorization: str = "", *, whole: bool = False
) -> int:
    """Send `method target` and return the status. Raises OSError, TimeoutError, ConnectionError (closed, not HTTP).

    `whole`: read to the end of the head, so that what comes next on the connection is the tunnel's.
    """
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "User-Agent: crewdoctor", "Connection: close"]
    if authorization:
        lines.append(f"Proxy-Authorization: {authorization}")
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii", "replace"))
    received = b""
    while (b"\r\n\r\n" if whole else b"\r\n") not in received and len(received) < LARGEST_HEAD:
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError("closed the connection without an answer")
        received += piece
    words = received.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():  # noqa: PLR2004 - version, status
        raise ConnectionError(f"answered something that is not HTTP: {received[:40]!r}")
    return int(words[1])


def secured(connection: socket.socket, host: str) -> ssl.SSLSocket:
    """TLS towards a proxy whose URL says https."""
    return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
