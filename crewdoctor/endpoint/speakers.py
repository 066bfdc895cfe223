"""The first words of protocols other than HTTP, so that a client gets as far as its request: that one is not answered.

PostgreSQL 3.0, Redis (RESP), SMTP. A protocol that is not spoken here is met with silence after its first bytes.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Callable
from typing import BinaryIO

Said = Callable[[bytes], None]
Heard = Callable[[str], None]

MAIL_PORTS = frozenset({25, 465, 587, 2525})
SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
_STARTUP, _CANCEL = 196608, 80877102
_WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _SETTINGS = 1, 4
_LEAST, _MOST = 8, 10_000


def is_postgres(first: bytes) -> bool:
    """Whether a conversation begins as a PostgreSQL client's does."""
    if len(first) < _LEAST:
        return False
    size, code = struct.unpack_from("!II", first)
    return size < _MOST and code in {SSL_REQUEST, GSS_REQUEST, _STARTUP, _CANCEL}


def postgres(stream: BinaryIO, say: Said, heard: Heard) -> None:
    """Let a client in without a password; returns after its first statement, or when it has gone."""
    (size,) = struct.unpack("!I", _exactly(stream, 4))
    (code,) = struct.unpack("!I", _exactly(stream, 4))
    _exactly(stream, size - 8)
    if code != _STARTUP:
        return
    settings = {"server_version": "16.0", "client_encoding": "UTF8", "standard_conforming_strings": "on"}
    told = [_message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()]
    say(_message(b"R", struct.pack("!I", 0)) + b"".join(told) + _message(b"Z", b"I"))
    kind = _exactly(stream, 1)
    (size,) = struct.unpack("!I", _exactly(stream, 4))
    _exactly(stream, size - 4)
    if kind != b"X":
        heard("statement")


def redis(stream: BinaryIO, say: Said, heard: Heard) -> None:
    """Agree to whatever opens a connection; returns after the first command that asks for something."""
    openings = {
        "HELLO": b"%3\r\n+server\r\n+redis\r\n+version\r\n+7.4.0\r\n+proto\r\n:3\r\n",
        **dict.fromkeys(("CLIENT", "AUTH", "SELECT", "READONLY"), b"+OK\r\n"),
        "PING": b"+PONG\r\n",
    }
    while True:
        count = int(_line(stream)[1:])
        words = []
        for _ in range(count):
            size = int(_line(stream)[1:])
            words.append(_exactly(stream, size + 2)[:-2])
        command = words[0].decode("ascii", "replace").upper() if words else ""
        if command not in openings:
            heard(command)
            return
        say(openings[command])


def smtp(stream: BinaryIO, say: Said, heard: Heard) -> None:
    """Take a letter; returns when it has arrived whole, unanswered."""
    say(b"220 mail.invalid ESMTP\r\n")
    while line := stream.readline():
        verb = line.strip().split(b" ")[0].upper()
        if verb == b"EHLO":
            say(b"250-mail.invalid\r\n250 AUTH PLAIN LOGIN\r\n")
        elif verb == b"AUTH":
            say(b"235 2.7.0 accepted\r\n")
        elif verb == b"DATA":
            say(b"354 go ahead\r\n")
            while stream.readline().rstrip(b"\r\n") != b".":
                pass
            heard("DATA")
            return
        elif verb == b"QUIT":
            say(b"221 bye\r\n")
        else:
            say(b"250 ok\r\n")


def http2(stream: BinaryIO, say: Said, heard: Heard) -> None:
    """Let a client begin (RFC 9113); returns when its first request has come."""
    _exactly(stream, len(HTTP2))
    say(_frame(_SETTINGS) + _frame(_SETTINGS, flags=1))
    while True:
        head = _exactly(stream, 9)
        _exactly(stream, int.from_bytes(head[:3], "big"))
        if head[3] == _HEADERS:
            heard("HTTP/2")
            return


def _frame(kind: int, flags: int = 0) -> bytes:
    return b"\0\0\0" + bytes((kind, flags)) + b"\0\0\0\0"


def upgraded(headers: dict[str, str]) -> bytes:
    """Agree to a WebSocket (RFC 6455); empty where none was asked for."""
    key = headers.get("sec-websocket-key")
    if not key:
        return b""
    accept = base64.b64encode(hashlib.sha1(key.encode() + _WEBSOCKET, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _exactly(stream: BinaryIO, size: int) -> bytes:
    held = stream.read(size) if size else b""
    if len(held) < size:
        raise EOFError
    return held


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline()
    if not line:
        raise EOFError
    return line.rstrip(b"\r\n")
