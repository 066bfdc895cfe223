"""One connection that was led to us, from its first byte: as far as the phase in play allows, and then silence."""

from __future__ import annotations

import io
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from crewdoctor.endpoint import speakers
from crewdoctor.endpoint.authority import Authority
from crewdoctor.model.phase import Phase

_TLS, _POSTGRES_HEAD = b"\x16\x03", 8
_HALF = b'{"results": ["'
_PASSED = frozenset({Phase.ANSWER, Phase.LOOKUP, Phase.CONNECT, Phase.TLS})
"""Phases that a request which has come this far did not meet, or has behind it."""
_PROMISED = 4096
"""Bytes an answer promises that stops in its middle."""


@dataclass(slots=True)
class Play:
    """What is being played."""

    phase: Phase = Phase.ANSWER
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


class Conversation:
    """A connection; `tell(what, **more)` hears of what came over it."""

    def __init__(self, connection: socket.socket, port: int, play: Callable[[], Play], authority: Authority) -> None:
        self.connection: Any = connection
        self.port, self.play, self.authority = port, play, authority
        self.tell: Callable[..., None] = lambda *_args, **_more: None
        self.host = ""
        """What the client says it wants to talk to."""
        self.addresses: tuple[str, ...] = ()
        """Whose certificate is shown to a client that names nobody."""

    def run(self) -> None:
        """Converse to the end, which is the client's to make."""
        try:
            with suppress(OSError, EOFError, ValueError, struct.error):
                self._converse()
        finally:
            with suppress(OSError):
                self.connection.close()
            self.tell("left")

    def _converse(self) -> None:
        if self.port in speakers.MAIL_PORTS - {465} and self._reads():
            with self._stream() as stream:
                speakers.smtp(stream, self._say, self._heard)
                return self._silence()
        first = self.connection.recv(_POSTGRES_HEAD, socket.MSG_PEEK)
        if first[:2] == _TLS:
            if not self._secured():
                return self._silence()
            if self.port in speakers.MAIL_PORTS and self._reads():
                with self._stream() as stream:
                    speakers.smtp(stream, self._say, self._heard)
                    return self._silence()
        elif speakers.is_postgres(first):
            return self._postgres()
        with self._stream() as stream:
            self._by_first_word(stream)
        return None

    def _reads(self) -> bool:
        return self.play().phase not in {Phase.TLS, Phase.CONNECT}

    def _by_first_word(self, stream: Any) -> None:
        first = stream.peek(1)[:1]
        if stream.peek(4)[:4] == speakers.HTTP2[:4]:
            speakers.http2(stream, self._say, self._heard)
        elif first == b"*":
            speakers.redis(stream, self._say, self._heard)
        elif first.isalpha():
            while self._http(stream):
                pass
            return  # it said what the phase lets it say
        elif first:
            self._heard("bytes")
        self._silence()

    def _postgres(self) -> None:
        while True:
            first = self.connection.recv(_POSTGRES_HEAD, socket.MSG_PEEK)
            if first[:2] == _TLS:
                if not self._secured():
                    return self._silence()
                break
            if len(first) < _POSTGRES_HEAD or struct.unpack_from("!I", first, 4)[0] not in {
                speakers.SSL_REQUEST,
                speakers.GSS_REQUEST,
            }:
                break
            secure = struct.unpack_from("!I", self.connection.recv(_POSTGRES_HEAD), 4)[0] == speakers.SSL_REQUEST
            if secure and self.play().phase is Phase.TLS:
                self.tell("hello")
                return self._silence()
            self._say(b"S" if secure else b"N")
        if self._reads():
            with self._stream() as stream:
                speakers.postgres(stream, self._say, self._heard)
        return self._silence()

    def _secured(self) -> bool:
        """Answer the handshake, where it is answered; the certificate is for whoever is asked for."""
        self.tell("hello")
        if not self._reads():
            return False

        def named(tls: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            self.host = name or self.host
            tls.context = self.authority.context(*((name,) if name else self.addresses))

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1", "h2"])
        context.sni_callback = named
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.tell("secured", host=self.host)
        return True

    def _http(self, stream: Any) -> bool:
        """Read one request, answer as the phase says; False where nothing follows."""
        head = stream.readline().decode("latin-1").split()
        if len(head) < 3:  # noqa: PLR2004 - method, target, version
            return False
        headers: dict[str, str] = {}
        while line := stream.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self._say(b"HTTP/1.1 100 Continue\r\n\r\n")
        _read_body(stream, headers)
        host = headers.get("host", self.host).rpartition(":")[0] or headers.get("host", self.host)
        self.tell("request", host=host, method=head[0])
        if head[0] == "CONNECT":  # a proxy was asked for; what is tunnelled begins anew
            self._say(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._converse()
            return False
        return self._answered(head[1], headers)

    def _answered(self, target: str, headers: dict[str, str]) -> bool:
        play = self.play()
        if upgrade := speakers.upgraded(headers):
            if play.phase is not Phase.REQUEST:
                self._say(upgrade)
            self._silence()
            return False
        if target == CANARY_PATH:
            play = Play(body=headers.get("x-canary", "").encode())
        if play.phase in _PASSED:
            body = play.body
            told = {"Content-Type": "application/json", **play.headers, "Content-Length": str(len(body))}
            self._say(_head(play.status, told) + body)
            return True
        if play.phase in {Phase.BODY, Phase.TRICKLE}:
            told = {"Content-Type": "application/json", **play.headers, "Content-Length": str(_PROMISED)}
            self._say(_head(play.status, told) + (play.body if len(play.body) > len(_HALF) else _HALF))
            while play.phase is Phase.TRICKLE:
                time.sleep(1.0)
                self._say(b" ")
        self._silence()
        return False

    def _say(self, said: bytes) -> None:
        self.connection.sendall(said)

    def _heard(self, what: str) -> None:
        self.tell("request", host=self.host, method=what)

    def _silence(self) -> None:
        """Read on, say nothing, until the client leaves."""
        while self.connection.recv(65536):
            pass

    def _stream(self) -> io.BufferedReader:
        return cast("io.BufferedReader", self.connection.makefile("rb"))


CANARY_PATH = "/crewdoctor-canary"


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} crewdoctor\r\n{lines}\r\n".encode("latin-1")


def _read_body(stream: Any, headers: dict[str, str]) -> None:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int(stream.readline().split(b";")[0] or b"0", 16):
            stream.read(size + 2)
        stream.readline()
    else:
        stream.read(int(headers.get("content-length") or 0))
