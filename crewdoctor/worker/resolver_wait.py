"""Which nameserver the system's resolver waits for: glibc asks one after the other, and the kernel knows whom.

Linux only. It connects its socket before it asks, so the peer of the descriptor it polls is the nameserver. A resolver
that asks all of them over one socket without a peer (musl), or a service of its own (nss-resolve), is not told.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from crewdoctor.worker.descriptors import kinds_of
from crewdoctor.worker.kernel_wait import descriptors_of

_DOMAIN = 53
_NEVER_BLOCKS = getattr(socket, "SOCK_NONBLOCK", 0)


def nameserver_of(native_id: int) -> str:
    """Address of the nameserver a thread within getaddrinfo waits for; empty where nobody can say."""
    asked = {peer for fd in descriptors_of(native_id) if (peer := _peer(fd))}
    return asked.pop() if len(asked) == 1 else ""


def _peer(fd: int) -> str:
    if kinds_of([fd]) != {"socket"}:
        return ""
    with suppress(OSError):
        held = socket.socket(-1, socket.SOCK_DGRAM | _NEVER_BLOCKS, -1, fileno=fd)
        try:
            told = held.getpeername()
        finally:
            held.detach()
        if isinstance(told, tuple) and told[1] == _DOMAIN:
            return str(told[0]).partition("%")[0]
    return ""
