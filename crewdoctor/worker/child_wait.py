"""What a child process that is waited for does itself: its program, what it blocks in, and with whom. Linux only."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.worker.descendants import children_of
from crewdoctor.worker.descriptors import shown
from crewdoctor.worker.kernel_wait import kernel_wait

_DEEPEST = 8
_CONNECTING, _ESTABLISHED = "02", "01"
_NETWORK = frozenset({"recv", "send", "connect"})


def child_wait(program: str = "") -> dict[str, Any]:
    """`pid program waiting peer` of the one child that is running, or of the one called `program`; empty for none.

    A child that only waits for its own single child speaks for it: a shell for the command in it.
    """
    found = [pid for pid in children_of(os.getpid()) if _running(pid)]
    named = [pid for pid in found if _name(pid) == program[:15]]
    pid = named[0] if len(named) == 1 else found[0] if len(found) == 1 else 0
    if not pid:
        return {}
    for _ in range(_DEEPEST):
        beneath = [each for each in children_of(pid) if _running(each)]
        if len(beneath) != 1 or kernel_wait(pid, pid).kind != "process":
            break
        pid = beneath[0]
    waiting, peer = kernel_wait(pid, pid).kind, _peer(pid)
    if peer[1] and waiting in {*_NETWORK, "sleep", "lock", ""}:
        waiting = peer[1]
    held = {"pid": pid, "program": _name(pid), "waiting": waiting, "peer": peer[0]}
    return {name: value for name, value in held.items() if value}


def _running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    return False


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _peer(pid: int) -> tuple[str, str]:
    """host:port of the one TCP connection of a process, and whether it is made (`recv`) or being made (`connect`)."""
    inodes = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    rows = [row for name in ("tcp", "tcp6") for row in _rows(pid, name) if row[2] in inodes]
    if len(rows) != 1:
        return "", ""
    remote, state, _ = rows[0]
    return remote, "connect" if state == _CONNECTING else "recv"


def _rows(pid: int, name: str) -> list[tuple[str, str, str]]:
    """(remote, state, inode) of the connections in one table that are made or being made."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in {_CONNECTING, _ESTABLISHED}:
                found.append((_address(fields[2]), fields[3], fields[9]))
    return found


def _address(text: str) -> str:
    """`0100007F:1B59` as `127.0.0.1:7001`: words in the machine's order, in hex."""
    host, _, port = text.partition(":")
    words = [int(host[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(host), 8)]
    raw = b"".join(words)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return shown(socket.inet_ntop(family, raw), int(port, 16))
