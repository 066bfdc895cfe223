"""TCP sockets as the kernel holds them: state, peer, bytes, silence. Linux only; elsewhere nothing is claimed.

A socket of our own is asked directly (TCP_INFO, some 5 µs). One that is still connecting has no peer to ask for, and
one of a child process cannot be asked: those are looked up by inode in the kernel's own table.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STATES = {
    1: "established",
    2: "connecting",
    3: "connecting",
    4: "closing",
    5: "closing",
    6: "closed",
    7: "closed",
    8: "closed by the peer",
    9: "closing",
    10: "listening",
    11: "closing",
}
_LISTENING, _CONNECTING, _CLOSED = 10, 2, 7
_INFO = struct.Struct("<44xI4xI64xQQ")
"""Of `struct tcp_info`: last_data_sent, last_data_recv (ms ago), bytes_acked, bytes_received."""
_SENT = struct.Struct("<200xQQ")
"""Of the same, since Linux 4.19: bytes_sent, bytes_retrans."""
_NEVER_BLOCKS = getattr(socket, "SOCK_NONBLOCK", 0)
"""Told to a socket object, it leaves the descriptor's own mode alone, whatever `setdefaulttimeout` says."""


@dataclass(slots=True)
class KernelSocket:
    """One TCP socket at one look."""

    inode: int
    state: str
    address: str = ""
    port: int = 0
    local_port: int = 0
    sent: int | None = None
    """None where only the table knows the socket."""
    received: int | None = None
    quiet: float = 0.0
    """Seconds since data last moved; since the connect where none did."""
    quiet_out: float = 0.0
    """Seconds since data was last sent."""


def inode_of(fd: int) -> int:
    """Inode of a socket's descriptor; 0 for anything else."""
    with suppress(OSError, ValueError):
        name = os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - once a second for every descriptor: five times faster
        return int(name[8:-1]) if name.startswith("socket:[") else 0
    return 0


def ask(fd: int, inode: int = 0) -> KernelSocket | None:
    """What the kernel says of our own descriptor; None when it is no TCP socket, or gone."""
    sock = None
    try:
        sock = socket.socket(-1, socket.SOCK_STREAM | _NEVER_BLOCKS, -1, fileno=fd)
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return None
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
        local = sock.getsockname()[1]
        if told[0] in (_CONNECTING, _LISTENING, _CLOSED):
            return KernelSocket(inode, STATES[told[0]], local_port=local)
        address, port = sock.getpeername()[:2]
        out, back, acked, received = _INFO.unpack_from(told)
        sent = max(0, acked - 1)  # the SYN counts as one
        if len(told) >= _SENT.size:
            whole, again = _SENT.unpack_from(told)
            sent = whole - again
    except (OSError, struct.error, AttributeError):
        return None
    finally:
        if sock is not None:
            sock.detach()
    quiet = min(out, back) / 1000
    return KernelSocket(inode, STATES.get(told[0], ""), _plain(address), port, local, sent, received, quiet, out / 1000)


def peeked(fd: int) -> bytes:
    """The next byte that has arrived on our own descriptor and that nobody has read; empty for none."""
    sock = None
    try:
        sock = socket.socket(-1, socket.SOCK_STREAM | _NEVER_BLOCKS, -1, fileno=fd)
        return sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return b""
    finally:
        if sock is not None:
            sock.detach()


def table(wanted: Container[int], pid: int | str = "self") -> dict[int, KernelSocket]:
    """Rows of the kernel's table of TCP sockets, as one process sees it, by inode; of those wanted alone."""
    found = {}
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if int(fields[9]) not in wanted:
                    continue
                address, port = _decoded(fields[2])
                state = STATES.get(int(fields[3], 16), "")
                inode = int(fields[9])
                found[inode] = KernelSocket(inode, state, address, port, _decoded(fields[1])[1])
    return found


def inodes(pid: int) -> list[int]:
    """Inodes of the sockets another process has open."""
    found = []
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError, ValueError):
                name = str(entry.readlink())
                if name.startswith("socket:["):
                    found.append(int(name[8:-1]))
    return found


def descendants() -> dict[int, str]:
    """Every process beneath this one, with its program's name."""
    found: dict[int, str] = {}
    waiting = [os.getpid()]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("[0-9]*"):
            with suppress(OSError, ValueError):
                for child in map(int, (task / "children").read_text().split()):
                    if child not in found:
                        found[child] = ""
                        waiting.append(child)
    for pid in list(found):
        with suppress(OSError):
            found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
    return found


def _plain(address: str) -> str:
    return address[7:] if address.startswith("::ffff:") and "." in address else address.partition("%")[0]


def _decoded(text: str) -> tuple[str, int]:
    """`0100007F:1F90` as address and port: words of four bytes in the machine's order."""
    packed, _, port = text.partition(":")
    words = struct.unpack(f">{len(packed) // 8}I", bytes.fromhex(packed))
    raw = struct.pack(f"={len(words)}I", *words)
    family = socket.AF_INET if len(raw) == 4 else socket.AF_INET6  # noqa: PLR2004 - bytes of an IPv4 address
    return _plain(socket.inet_ntop(family, raw)), int(port, 16)
