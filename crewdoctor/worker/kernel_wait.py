"""What the kernel says a thread of this process is doing: the answer for C clients no tap sees. Linux only.

Numbers are those of <asm/unistd.h>; on another machine or without /proc nothing is claimed.
"""

from __future__ import annotations

import os
import platform
import socket
import struct
from contextlib import suppress
from pathlib import Path

_X86_64 = {
    0: "recv",  # read
    7: "recv",  # poll
    23: "recv",  # select
    35: "sleep",  # nanosleep
    42: "connect",
    44: "send",  # sendto
    45: "recv",  # recvfrom
    46: "send",  # sendmsg
    47: "recv",  # recvmsg
    61: "process",  # wait4
    72: "file",  # fcntl
    73: "file",  # flock
    202: "lock",  # futex
    230: "sleep",  # clock_nanosleep
    232: "recv",  # epoll_wait
    247: "process",  # waitid
    270: "recv",  # pselect6
    271: "recv",  # ppoll
    281: "recv",  # epoll_pwait
}
_AARCH64 = {
    22: "recv",
    25: "file",
    32: "file",
    63: "recv",
    72: "recv",
    73: "recv",
    95: "process",
    98: "lock",
    101: "sleep",
    115: "sleep",
    203: "connect",
    206: "send",
    207: "recv",
    211: "send",
    212: "recv",
    260: "process",
}
_CALLS = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine(), {})
_BY_DESCRIPTOR = {"x86_64": {0, 42, 44, 45, 46, 47}, "aarch64": {63, 203, 206, 207, 211, 212}}.get(
    platform.machine(), set()
)
_FUTEX_TIMEOUT = 4
"""Which argument of futex(2) points to its timeout; null: wait for ever."""
_POLLS = {"x86_64": {7, 271}, "aarch64": {73}}.get(platform.machine(), set())


def kernel_wait(native_id: int) -> tuple[str, str, bool]:
    """What a thread blocks in (`Stack.waiting`, empty when unknown), its peer if it is one socket, and if for ever."""
    try:
        fields = Path(f"/proc/self/task/{native_id}/syscall").read_text().split()
    except OSError:
        return "", "", False
    if not fields or not fields[0].isdigit():
        return "", "", False
    number = int(fields[0])
    kind = _CALLS.get(number, "")
    first = int(fields[1], 16) if len(fields) > 1 else -1
    if number in _POLLS:
        first = _polled(first)
    elif number not in _BY_DESCRIPTOR:
        first = -1
    peer, is_socket = _peer(first) if first >= 0 else ("", False)
    if kind == "recv" and first >= 0 and not is_socket:
        kind = "file"
    return kind, peer, kind == "lock" and len(fields) > _FUTEX_TIMEOUT and int(fields[_FUTEX_TIMEOUT], 16) == 0


def wanted_cpu_seconds(native_id: int) -> float:
    """Time a thread spent on a CPU or queueing for one, so that a busy machine hides no loop; 0.0 when unknown."""
    try:
        running, queued, *_ = Path(f"/proc/self/task/{native_id}/schedstat").read_text().split()
        return (int(running) + int(queued)) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def children_cpu_seconds() -> float:
    """Time the descendants of this process, those they have seen end included, spent on a CPU; 0.0 when unknown."""
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(fields[1])
            ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    beneath, size = {os.getpid()}, 0
    while len(beneath) > size:
        size = len(beneath)
        beneath |= {pid for pid, parent in parents.items() if parent in beneath}
    return sum(ticks[pid] for pid in beneath - {os.getpid()}) / os.sysconf("SC_CLK_TCK")


def _polled(address: int) -> int:
    """Descriptor of the first `struct pollfd` at `address` in our own memory, -1 when it cannot be read."""
    with suppress(OSError, OverflowError, struct.error):
        memory = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            (fd,) = struct.unpack("i", os.pread(memory, 4, address))
        finally:
            os.close(memory)
        return int(fd)
    return -1


def _peer(fd: int) -> tuple[str, bool]:
    """host:port at the other end, and whether it is a socket at all."""
    try:
        if not str(Path(f"/proc/self/fd/{fd}").readlink()).startswith("socket:"):
            return "", False
        held = os.dup(fd)
    except OSError:
        return "", False
    with suppress(OSError), socket.socket(fileno=held) as sock:
        address = sock.getpeername()
        if isinstance(address, tuple):
            host = f"[{address[0]}]" if ":" in address[0] else address[0]
            return f"{host}:{address[1]}", True
    return "", True
