"""Whom a system call waits for, by the descriptors it was given: read from our own memory and /proc. Linux only."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crewdoctor.worker.kernel_sockets import ask

_MOST = 64
_POLLFD = struct.Struct("ihh")
_MOST_BITS = 1024


def polled(address: int, count: int) -> list[int]:
    """Descriptors of an array of `struct pollfd`; empty when it cannot be read."""
    held = _memory(address, _POLLFD.size * min(count, _MOST))
    return [fd for fd, _, _ in _POLLFD.iter_unpack(held) if fd >= 0]


def selected(count: int, *addresses: int) -> list[int]:
    """Descriptors in some `fd_set`s of the first `count` bits; empty when they cannot be read."""
    size = (min(count, _MOST_BITS) + 7) // 8
    bits = 0
    for address in addresses:
        bits |= int.from_bytes(_memory(address, size) if address else b"", "little")
    return [fd for fd in range(min(count, _MOST_BITS)) if bits >> fd & 1]


def registered(epoll: int) -> list[int]:
    """Descriptors an epoll instance watches."""
    try:
        lines = Path(f"/proc/self/fdinfo/{epoll}").read_text().splitlines()
    except OSError:
        return []
    return [int(line.split()[1]) for line in lines if line.startswith("tfd:")][:_MOST]


def peer_of(descriptors: Iterable[int]) -> str:
    """host:port at the other end, where it is one."""
    peers = {peer for fd in descriptors if (peer := _peer(fd))}
    return peers.pop() if len(peers) == 1 else ""


def kinds_of(descriptors: Iterable[int]) -> set[str]:
    """`socket`, `pipe`, `anon_inode`, or `file` for what has a path; what cannot be read is left out."""
    found = set()
    for fd in descriptors:
        with suppress(OSError):
            kind, colon, _ = str(Path(f"/proc/self/fd/{fd}").readlink()).partition(":")
            found.add(kind if colon and not kind.startswith("/") else "file")
    return found


def others_peer(known: Iterable[int]) -> str:
    """The peer of the one connection of this process that is not among `known`: a client written in C made it."""
    with suppress(OSError):
        held = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
        return peer_of(held - set(known))
    return ""


def shown(host: str, port: int) -> str:
    """host:port, brackets around IPv6; an IPv4 address that travels in an IPv6 one as what it is."""
    host = host.removeprefix("::ffff:") if "." in host else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _memory(address: int, size: int) -> bytes:
    with suppress(OSError, OverflowError):
        memory = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            held = os.pread(memory, size, address)
        finally:
            os.close(memory)
        return held if len(held) == size else b""
    return b""


def _peer(fd: int) -> str:
    told = ask(fd) if kinds_of([fd]) == {"socket"} else None
    return shown(told.address, told.port) if told is not None and told.port else ""
