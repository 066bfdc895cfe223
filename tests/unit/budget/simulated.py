"""A clock that only moves when somebody waits, and a network that is silent from a chosen phase on.

The libraries' own code runs: their retry policies, their connection code, CPython's and urllib3's loops over addresses.
Only `time`, name resolution and the socket itself are played.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import time
from dataclasses import dataclass, field
from unittest import mock


class WaitsForEver(BaseException):
    """Somebody waits without a limit; no `except Exception` may swallow it."""


@dataclass
class Clock:
    now: float = 0.0
    slept: float = 0.0

    def sleep(self, seconds):
        self.now += seconds
        self.slept += seconds

    def wait(self, seconds):
        if seconds is None:
            raise WaitsForEver
        self.now += seconds
        raise TimeoutError("timed out")


@dataclass
class Network:
    """All but the last of `addresses` drop what is sent to them; the last goes silent at `silent`."""

    clock: Clock
    addresses: int = 1
    silent: str = "answer"
    """connect tls answer"""
    last: str = field(init=False)

    def __post_init__(self):
        self.last = f"10.0.0.{self.addresses}"

    def resolve(self, _host, port, *_args, **_kwargs):
        where = [f"10.0.0.{number + 1}" for number in range(self.addresses)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in where]


class _Answer(io.RawIOBase):
    def __init__(self, held):
        self.held = held

    def readable(self):
        return True

    def readinto(self, _buffer):
        return self.held.clock.wait(self.held.timeout)


class Socket:
    """As much of a socket as clients touch before an answer comes."""

    network: Network

    def __init__(self, *_args, **_kwargs):
        self.clock = self.network.clock
        self.timeout = socket.getdefaulttimeout()

    def settimeout(self, timeout):
        self.timeout = timeout

    def gettimeout(self):
        return self.timeout

    def connect(self, where):
        if where[0] != self.network.last or self.network.silent == "connect":
            self.clock.wait(self.timeout)

    def send(self, given):
        return len(given)

    def sendall(self, given):
        self.send(given)

    def recv(self, _size, *_flags):
        return self.clock.wait(self.timeout)

    def makefile(self, *_args, **_kwargs):
        return io.BufferedReader(_Answer(self))

    def fileno(self):
        return -1

    def nothing(self, *_args, **_kwargs):
        return None

    setsockopt = bind = close = shutdown = detach = nothing


class Handshake(ssl.SSLContext):
    """Its peer sends no ServerHello."""

    def wrap_socket(self, sock, *_args, **_kwargs):
        if sock.network.silent == "tls":
            sock.clock.wait(sock.gettimeout())
        return sock


def handshake():
    return Handshake(ssl.PROTOCOL_TLS_CLIENT)


@contextlib.contextmanager
def played(network):
    kind = type("Socket", (Socket,), {"network": network})
    clock = network.clock
    with (
        mock.patch.object(time, "sleep", clock.sleep),
        mock.patch.object(time, "monotonic", lambda: clock.now),  # noqa: PT008 - it moves
        mock.patch.object(socket, "socket", kind),
        mock.patch.object(socket, "getaddrinfo", network.resolve),
    ):
        yield clock
