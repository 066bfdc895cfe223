"""A network of this process's own, with no way out: every address leads back to this machine.

Linux alone, by system calls: a new network namespace whose only device is the loopback, with one route that declares
all addresses, of both families, to be local. What C code and child processes connect to arrives at our server as well.
Sockets in the file system are covered up in a mount namespace of its own. As an ordinary user the same within a user
namespace, where the system allows it.
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from crewdoctor.wire.descent import LINUX

_NEWNS, _NEWUSER, _NEWNET = 0x20000, 0x10000000, 0x40000000
_SIOCSIFFLAGS, _UP = 0x8914, 0x1 | 0x8 | 0x40
_RTM_NEWROUTE, _REQUEST = 24, 0x1 | 0x4 | 0x400
_LOCAL_TABLE, _BOOT, _HOST, _LOCAL = 255, 3, 254, 2
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_NETLINK = 16
_DEEP, _MANY = 3, 4000


def enter() -> str:
    """Leave the network for one of our own; why it could not be done, empty where it was.

    The process must have one thread. It cannot come back.
    """
    if not LINUX:
        return "network namespaces are Linux's"
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - a listing of numbers
        return "another thread runs, which would stay in the network as it is"
    try:
        covered = list(dict.fromkeys(_socket_files()))
        _unshare()
        _loopback_up()
        _all_is_local(socket.AF_INET)
        with suppress(OSError):  # a kernel without IPv6
            _all_is_local(socket.AF_INET6)
        Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
        _cover(covered)
    except OSError as error:
        return f"a network namespace of its own was refused: {error.strerror or error}"
    if not _alone():
        return "the new network is not empty"
    _state.entered = True
    return ""


def entered() -> bool:
    """Whether this process is in a network of its own, and still alone in it."""
    return _state.entered and _alone()


class _State:
    entered = False


_state = _State()


def _alone() -> bool:
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines] == ["lo"]


def _unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEWNET | _NEWNS) == 0:
        return
    if libc.unshare(_NEWUSER | _NEWNET | _NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _loopback_up() -> None:
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _UP))


def _all_is_local(family: int) -> None:
    """`ip route add local default dev lo`, of one family, over netlink."""
    route = struct.pack("BBBBBBBBI", family, 0, 0, 0, _LOCAL_TABLE, _BOOT, _HOST, _LOCAL, 0)
    device = struct.pack("HHi", 8, 4, socket.if_nametoindex("lo"))
    size = 16 + len(route) + len(device)
    with socket.socket(_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        netlink.send(struct.pack("IHHII", size, _RTM_NEWROUTE, _REQUEST, 1, 0) + route + device)
        (number,) = struct.unpack_from("i", netlink.recv(4096), 16)
    if number:
        raise OSError(-number, os.strerror(-number))


def _cover(paths: list[str]) -> None:
    """Put nothing over socket files: they lead to services on this very machine, whatever the network."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for path in paths:
        libc.mount(b"/dev/null", os.fsencode(path), None, _MS_BIND, None)


def _socket_files() -> Iterator[str]:
    """Socket files somebody listens on, as far as they can be found."""
    with suppress(OSError):
        for line in Path("/proc/self/net/unix").read_text(errors="replace").splitlines()[1:]:
            bound = "".join(line.split(maxsplit=7)[7:])
            if bound.startswith("/") and _is_socket(bound):
                yield bound
    looked = 0
    for top in ("/run", "/tmp"):  # noqa: S108 - where servers put theirs
        for folder, folders, files in os.walk(top):
            if folder.count(os.sep) >= _DEEP + top.count(os.sep):
                folders.clear()
            for name in files:
                looked += 1
                path = f"{folder}/{name}"
                if looked <= _MANY and _is_socket(path):
                    yield path


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116 - many of them
    return False
