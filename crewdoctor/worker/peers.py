"""Whom a process talks to while it loads the target, seen by CPython's own audit events: nothing is patched."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_active: list[Peers] = []
_installed = threading.Event()


@dataclass(slots=True)
class Peers:
    """Names looked up and addresses connected to, in order."""

    names: list[tuple[str, int]] = field(default_factory=list)
    addresses: list[tuple[str, int]] = field(default_factory=list)

    @property
    def last(self) -> str:
        """`host:port` of the last one, by the name it was looked up under; an empty string for none."""
        if self.addresses:
            host, port = self.addresses[-1]
            asked = [name for name, wanted in self.names if wanted == port]
            return f"{asked[-1] if asked else host}:{port}"
        return f"{self.names[-1][0]}:{self.names[-1][1]}" if self.names else ""


@contextmanager
def noted_peers() -> Iterator[Peers]:
    """Note peers within. The audit hook itself stays, silent: CPython has no way to take one back."""
    peers = Peers()
    if not _installed.is_set():
        sys.addaudithook(_heard)
        _installed.set()
    _active.append(peers)
    try:
        yield peers
    finally:
        _active.remove(peers)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active or event not in ("socket.connect", "socket.getaddrinfo"):
        return
    try:
        if event == "socket.connect":
            host, port = arguments[1][:2]
        else:
            host, port = arguments[:2]
        if not isinstance(host, (str, bytes)) or not str(port).isdigit():
            return
        peer = (host.decode() if isinstance(host, bytes) else host, int(port))
        for peers in _active:
            (peers.addresses if event == "socket.connect" else peers.names).append(peer)
    except Exception:  # an AF_UNIX path, or a host that is no name: nobody to tell about
        return
