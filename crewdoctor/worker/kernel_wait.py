"""What the kernel says a thread of this process is doing: the answer for C clients no tap sees. Linux only.

Numbers are those of <asm/unistd.h>; on another machine or without /proc nothing is claimed.
"""

from __future__ import annotations

import os
import platform
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from crewdoctor.worker.descriptors import kinds_of, peer_of, polled, registered, selected

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
_X86 = platform.machine() == "x86_64"
_CALLS = {"x86_64": _X86_64, "aarch64": _AARCH64}.get(platform.machine(), {})
_READS = {0} if _X86 else {63}
_BY_DESCRIPTOR = _READS | ({42, 44, 45, 46, 47} if _X86 else {203, 206, 207, 211, 212})
_POLL, _PPOLL = ({7}, {271}) if _X86 else (set(), {73})
_SELECTS = {23, 270} if _X86 else {72}
_EPOLLS = {232, 281} if _X86 else {22}
_ENDLESS = {61, 73, 247} if _X86 else {32, 95, 260}
"""Calls that take no timeout: wait4, waitid, flock."""
_FCNTL = 72 if _X86 else 25
_F_SETLKW = 7
_FUTEX_TIMEOUT = _SELECT_TIMEOUT = _EPOLL_TIMEOUT = 3
"""Which argument of a call is, or points to, its timeout, counted from 0."""
_POLL_TIMEOUT = 2
_ARGUMENTS = 6
_WAKES = "anon_inode"
_SIGN = 1 << 31


class KernelWait(NamedTuple):
    """What a thread blocks in."""

    kind: str = ""
    """As `Stack.waiting`; empty when unknown."""
    peer: str = ""
    """Of the one socket it waits for."""
    endless: bool = False
    """The call itself has no limit; who made it may have one."""


def kernel_wait(native_id: int, pid: int = 0) -> KernelWait:
    """What a thread blocks in, of this process or (without a peer) of another."""
    number, given = _call_of(native_id, pid)
    if not given:
        return KernelWait()
    kind = _CALLS.get(number, "")
    endless = _without_limit(number, kind, given)
    if pid or kind not in {"recv", "send", "connect"}:
        return KernelWait(kind, "", endless)
    descriptors = _descriptors(number, given)
    held = kinds_of(descriptors)
    if kind == "recv" and held and "socket" not in held:
        # An eventfd and its like are how one thread wakes another.
        return KernelWait("file" if held - {_WAKES} else "lock", "", endless or number in _READS)
    return KernelWait(kind, peer_of(descriptors), endless)


def native_id_of(thread: threading.Thread | None) -> int:
    """As the kernel counts threads. A forked process still has its parent's id of the main one (Python < 3.13)."""
    return os.getpid() if thread is threading.main_thread() else getattr(thread, "native_id", None) or 0


def kind_of(operation: str, native_id: int) -> str:
    """What an operation waits for; of a statement of a database only the kernel knows whether it works or waits."""
    if operation != "database":
        return operation
    held = kernel_wait(native_id).kind
    return "lock" if held == "sleep" else held or "cpu"


def descriptors_of(native_id: int) -> list[int]:
    """Descriptors of the call a thread of this process blocks in; empty when it does in none, or nobody can say."""
    number, given = _call_of(native_id, 0)
    return _descriptors(number, given) if given and number in _CALLS else []


def _call_of(native_id: int, pid: int) -> tuple[int, list[int]]:
    """Number and arguments of the system call a thread is in; no arguments where it is in none."""
    try:
        fields = Path(f"/proc/{pid or 'self'}/task/{native_id}/syscall").read_text().split()
    except OSError:
        return 0, []
    if len(fields) <= _ARGUMENTS or not fields[0].isdigit():
        return 0, []
    return int(fields[0]), [int(each, 16) for each in fields[1 : _ARGUMENTS + 1]]


def _descriptors(number: int, given: list[int]) -> list[int]:
    if number in _BY_DESCRIPTOR:
        return [given[0]]
    if number in _POLL | _PPOLL:
        return polled(given[0], given[1])
    if number in _SELECTS:
        return selected(*given[:3])
    return registered(given[0]) if number in _EPOLLS else []


def _without_limit(number: int, kind: str, given: list[int]) -> bool:
    if kind == "lock":
        return given[_FUTEX_TIMEOUT] == 0
    if number in _SELECTS:
        return given[_SELECT_TIMEOUT + 1] == 0
    if number in _POLL:
        return bool(given[_POLL_TIMEOUT] & _SIGN)
    if number in _PPOLL:
        return given[_POLL_TIMEOUT] == 0
    if number in _EPOLLS:
        return bool(given[_EPOLL_TIMEOUT] & _SIGN)
    return number in _ENDLESS or (number == _FCNTL and given[1] == _F_SETLKW)


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
