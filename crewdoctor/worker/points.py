"""Where a process can be led: every way Python takes to a name, an address or a trust store, with a switch.

Installed before the taps, so that it lies beneath them: spans go on saying whom the user's code wanted to reach. Until
somebody leads, each point is one look at a plain attribute. What goes past these points is C's (libpq, gRPC, c-ares) or
a child's, and only a network namespace holds it.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol

from crewdoctor.worker.late import when_imported


class Lead(Protocol):
    """Who leads, once somebody does."""

    own_names: bool
    """Whether names are resolved here, not by the system."""

    def target(self, sock: Any, address: Any) -> Any:
        """Return where a socket shall connect to instead of `address`. Raises OSError."""

    def resolved(self, host: Any) -> Any:
        """Return the address, as text, that stands for a name; a literal address and None stay what they are."""

    def trusting(self, context: Any) -> None:
        """Make a client's SSL context trust our authority too."""

    def end(self) -> None:
        """The step is over."""


class _Switch:
    lead: Lead | None = None


switch = _Switch()


def install() -> None:
    """Put the points in place; nothing changes until `switch.lead` is set."""
    for name in ("connect", "connect_ex"):
        _put(socket.socket, name, _connecting)
    _put(socket.socket, "sendto", _sending_to)
    _put(socket, "getaddrinfo", _looking_up)
    for name in ("gethostbyname", "gethostbyname_ex"):
        _put(socket, name, _by_name)
    _put(socket, "gethostbyaddr", _by_address)
    _put(socket, "getnameinfo", _naming)
    when_imported("ssl", _secure)
    when_imported("uvloop", _uvloop)


def _put(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name, None)
    if original is not None:
        setattr(owner, name, functools.wraps(original)(make(original)))


def _connecting(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(sock: Any, address: Any) -> Any:
        lead = switch.lead
        return original(sock, address if lead is None else lead.target(sock, address))

    return connect


def _sending_to(original: Callable[..., Any]) -> Callable[..., Any]:
    def sendto(sock: Any, data: Any, *rest: Any) -> Any:
        lead = switch.lead
        if lead is not None and rest:
            rest = (*rest[:-1], lead.target(sock, rest[-1]))
        return original(sock, data, *rest)

    return sendto


def _looking_up(original: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        lead = switch.lead
        if lead is not None and lead.own_names:
            host = lead.resolved(host)
        return original(host, port, *rest, **more)

    return getaddrinfo


def _by_name(original: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(host: Any) -> Any:
        lead = switch.lead
        return original(lead.resolved(host) if lead is not None and lead.own_names else host)

    return look_up


def _by_address(original: Callable[..., Any]) -> Callable[..., Any]:
    def look_back(host: Any) -> Any:
        lead = switch.lead
        if lead is None or not lead.own_names:
            return original(host)
        return str(host), [], [lead.resolved(host)]  # the original asks a nameserver, for a literal address too

    return look_back


def _naming(original: Callable[..., Any]) -> Callable[..., Any]:
    def getnameinfo(address: Any, flags: int) -> Any:
        lead = switch.lead
        numeric = socket.NI_NUMERICHOST if lead is not None and lead.own_names else 0
        return original(address, flags | numeric)

    return getnameinfo


def _secure(module: ModuleType) -> None:
    for name in ("wrap_socket", "wrap_bio"):
        _put(module.SSLContext, name, _wrapping)


def _wrapping(original: Callable[..., Any]) -> Callable[..., Any]:
    def wrap(context: Any, *args: Any, **kwargs: Any) -> Any:
        lead = switch.lead
        if lead is not None and not kwargs.get("server_side"):
            lead.trusting(context)
        return original(context, *args, **kwargs)

    return wrap


def _uvloop(module: ModuleType) -> None:
    """Its loop asks for names and connects in C: the names are resolved here first, the socket is made here."""
    loop = module.Loop
    get, connect, make = loop.getaddrinfo, loop.sock_connect, loop.create_connection

    @functools.wraps(get)
    async def getaddrinfo(self: Any, host: Any, port: Any, **more: Any) -> Any:
        lead = switch.lead
        if lead is None or not lead.own_names:
            return await get(self, host, port, **more)
        return await self.run_in_executor(None, functools.partial(socket.getaddrinfo, host, port, **more))

    @functools.wraps(connect)
    async def sock_connect(self: Any, sock: Any, address: Any) -> Any:
        lead = switch.lead
        return await connect(self, sock, address if lead is None else lead.target(sock, address))

    @functools.wraps(make)
    async def create_connection(self: Any, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
        if switch.lead is None or host is None:
            return await make(self, factory, host, port, **more)
        found = await self.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await self.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        if more.get("ssl") and more.get("server_hostname") is None:
            more["server_hostname"] = host
        return await make(self, factory, sock=sock, **more)

    loop.getaddrinfo, loop.sock_connect, loop.create_connection = getaddrinfo, sock_connect, create_connection
