"""Connections no other tap has seen, by a look at the kernel's sockets once a second: `net.connection`, `kernel: true`.

Clients written in C (grpc, libpq, uvloop's loop) and child processes connect where nothing of Python's can be stood
around. The kernel still knows with whom, in which state, how many bytes went and came, and for how long none did. What
it does not know, phases and timeouts, is not claimed. Linux only.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from crewdoctor.worker import kernel_sockets
from crewdoctor.worker.inflight import settlers
from crewdoctor.worker.kernel_sockets import KernelSocket
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps import names
from crewdoctor.worker.taps.connections import Connection
from crewdoctor.worker.taps.shared import connections_of
from crewdoctor.worker.taps.tap import Tap

EVERY = 1.0
"""Seconds between two looks."""
_CALLS = ("http.request", "tool.call", "llm.call")
"""Spans a connection may belong to, nearest first."""
_LEAD = 1.0
"""Seconds by which the first look of a step may come late."""


class _Seen:
    """One connection between looks."""

    __slots__ = ("first", "last", "span", "started")

    def __init__(self, span: str, started: float, last: KernelSocket) -> None:
        self.span, self.started, self.last = span, started, last
        self.first: float | None = None


class Looks:
    """What the looks of one step have found."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._connections = connections_of(recorder)
        self._lock = threading.Lock()
        self._step = -1
        self._began = self._looked = 0.0
        self._seen: dict[int, _Seen] = {}
        self._others: dict[int, tuple[Connection, int]] = {}
        """Descriptor → what another tap sees there, and its inode."""

    def look(self) -> None:
        """Look, unless it was done less than a second ago."""
        with self._lock:
            now = self.recorder.now()
            if self._is_new_step(now) or now - self._looked >= EVERY:
                self._look_now(now)

    def _is_new_step(self, now: float) -> bool:
        number = self.recorder.number
        if number == self._step:
            return False
        self._step, self._began, self._seen, self._others = number, now - _LEAD, {}, {}
        return True

    def glance(self, port: int) -> None:
        """Look now if no connection to `port` is known: a call that is over in less than a second is seen as well."""
        with self._lock:
            now = self.recorder.now()
            self._is_new_step(now)
            if not any(seen.last.port == port for seen in self._seen.values()):
                self._look_now(now)

    def _look_now(self, now: float) -> None:
        self._looked = now
        held = self._own_sockets()
        held.update(self._of_children())
        for inode in [inode for inode in self._seen if inode not in held]:
            self._gone(self._seen.pop(inode))
        for inode, (sock, program) in held.items():
            seen = self._seen.get(inode)
            if seen is None:
                self._found(sock, program, now)
            else:
                self._again(seen, sock, now)

    def _own_sockets(self) -> dict[int, tuple[KernelSocket, str]]:
        found: dict[int, KernelSocket] = {}
        descriptors = {int(entry) for entry in os.listdir("/proc/self/fd")}  # noqa: PTH208 - strings alone
        for fd in [fd for fd in self._others if fd not in descriptors]:
            self._forget(fd)
        for fd in descriptors:
            connection = self._connections.table.get(fd)
            inode = kernel_sockets.inode_of(fd)
            if not inode and fd in self._others:
                self._forget(fd)
            if not inode or self._is_anothers(fd, connection, inode):
                continue
            sock = kernel_sockets.ask(fd, inode)
            if sock is not None:
                found[inode] = sock
        serving = {sock.local_port for sock in found.values() if sock.state == "listening"}
        if any(sock.state == "connecting" for sock in found.values()):
            connecting = {inode for inode, sock in found.items() if sock.state == "connecting"}
            found.update(kernel_sockets.table(connecting))
        return {inode: (sock, "") for inode, sock in found.items() if sock.port and sock.local_port not in serving}

    def _is_anothers(self, fd: int, connection: Connection | None, inode: int) -> bool:
        """Whether another tap sees this socket; a descriptor that has become another socket is not that one."""
        if connection is None:
            self._others.pop(fd, None)
            return fd in self._connections.table
        if self._connections.table.get(fd) is not connection:
            return True  # it has just been opened anew
        known = self._others.get(fd)
        if known is None or known[0] is not connection:
            known = self._others[fd] = (connection, inode)
        if known[1] != inode:
            self._forget(fd)
        return known[1] == inode

    def _forget(self, fd: int) -> None:
        """What another tap sees there is gone and nobody said so: a socket that was thrown away."""
        connection, _ = self._others.pop(fd)
        if self._connections.table.get(fd) is connection:
            self._connections.closed(fd)

    def _of_children(self) -> dict[int, tuple[KernelSocket, str]]:
        found = {}
        for pid, program in kernel_sockets.descendants().items():
            theirs = kernel_sockets.inodes(pid)
            mine = list(kernel_sockets.table(theirs, pid).values()) if theirs else []
            serving = {sock.local_port for sock in mine if sock.state == "listening"}
            found.update({each.inode: (each, program) for each in mine if each.port and each.local_port not in serving})
        return found

    def _found(self, sock: KernelSocket, program: str, now: float) -> None:
        before = sock.sent is not None and now - sock.quiet < self._began
        if sock.state.startswith("clos") or before:
            return  # nothing has moved on it since the step began: a pool's connection of before
        host = names.host_of(sock.address)
        named: dict[str, Any] = {"program": program} if program else {}
        span = self.recorder.open(
            "net.connection",
            parent=self._owner(sock, process=bool(program)),
            kernel=True,
            host=host,
            port=sock.port,
            peer=sock.address,
            state=sock.state,
            seen_within=EVERY,
            sent_bytes=sock.sent,
            received_bytes=sock.received,
            **named,
        )
        self._seen[sock.inode] = seen = _Seen(span, now, sock)
        self._again(seen, sock, now)

    def _again(self, seen: _Seen, sock: KernelSocket, now: float) -> None:
        moved = (sock.sent, sock.received) != (seen.last.sent, seen.last.received)
        if seen.first is None and sock.received:
            seen.first = now - seen.started
        seen.last = sock
        if moved:
            self.recorder.move()

    def _gone(self, seen: _Seen) -> None:
        self.recorder.close(
            seen.span,
            state=seen.last.state,
            sent_bytes=seen.last.sent,
            received_bytes=seen.last.received,
        )

    def _owner(self, sock: KernelSocket, *, process: bool) -> str | None:
        """The call it belongs to: the one to the same port, else the only one going on; None where it is not known."""
        if process:
            waiting = [each for each in list(self.recorder.inflight.values()) if each.kind == "process"]
            return waiting[0].span if len(waiting) == 1 else None
        going = self.recorder.open_spans()
        same = [
            span
            for span, known in going.items()
            if known.attrs.get("port") == sock.port and known.name != "net.connection"
        ]
        if same:
            return same[-1]
        for name in _CALLS:
            named = [span for span, known in going.items() if known.name == name]
            if named:
                return named[0] if len(named) == 1 else None
        return None


_made: dict[int, Looks] = {}


def looks_of(recorder: Recorder) -> Looks | None:
    """Return the looks of this process; None where there is no such table."""
    return _made.get(id(recorder))


def install(recorder: Recorder) -> None:
    """Have the watchdog's tick look, on a machine that shows its sockets."""
    if id(recorder) in _made:
        return
    with suppress(OSError):
        if Path("/proc/self/net/tcp").exists() and Path("/proc/self/fd").exists():
            looks = _made[id(recorder)] = Looks(recorder)
            look: Any = Tap("kernel", recorder).guard(looks.look)
            settlers.append(look)
