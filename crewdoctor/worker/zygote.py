"""A process that has paid for the imports, and forks one child per step. It never runs a step or a line of user code.

The loaded zygote is the exception that keeps the rule: the child that inspected the target, found afterwards to hold no
thread, socket or process of it, goes on as a zygote whose children have the crew already.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crewdoctor.wire.channel import Channel, ChannelError
from crewdoctor.wire.descent import LINUX, adopt_orphans, children, descendants, die_with_parent, end_tree
from crewdoctor.worker import bus_loop
from crewdoctor.worker.stepping import INSPECT, CrewHolder, Order, perform

_LOOK_EVERY = 0.05


def _kernel_handles() -> frozenset[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a listing of numbers
        with suppress(OSError):
            link = str(Path(f"/proc/self/fd/{name}").readlink())
            if link.startswith(("socket:", "anon_inode:[eventpoll]")):
                found.add(link)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds that a fork would break."""

    handles: frozenset[str] = field(default_factory=lambda: _kernel_handles() if LINUX else frozenset())
    tasks: int = field(default_factory=lambda: len(os.listdir("/proc/self/task")) if LINUX else 0)  # noqa: PTH208


def unsafe(before: Footprint, steps: Iterable[int] = ()) -> str:
    """Why this process must not fork, given what it held `before` and the `steps` it forked; empty when it may."""
    if not LINUX:
        return "forking is only safe on Linux"
    running = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if running:
        return f"the thread {running[0]} is running"
    now = Footprint()
    until = time.monotonic() + 0.2
    while now.tasks > before.tasks and time.monotonic() < until:
        time.sleep(0.005)  # a joined thread is gone for Python a moment before it is for the kernel
        now = Footprint()
    if now.tasks > before.tasks:
        return "a native thread was started"
    if now.handles - before.handles:
        return "a connection is open"
    if children(os.getpid()) - set(steps):
        return "a child process is running"
    bus = sys.modules.get("crewai.events.event_bus")
    if getattr(getattr(bus, "crewai_event_bus", None), "_executor_initialized", False):
        return "crewai's event bus is running"
    return ""


class Zygote:
    """The loop: orders in, forks and ends out."""

    def __init__(self, channel: Channel, holder: CrewHolder) -> None:
        self.channel, self.holder = channel, holder
        self.base = Footprint()
        self._live: dict[int, int] = {}
        """pid → step number."""
        self._watched: dict[int, int] = {}
        """pidfd → pid."""

    def serve(self) -> None:
        """Serve until the supervisor hangs up; everything beneath is dead when this returns."""
        adopt_orphans()
        try:
            while self._turn():
                pass
        finally:
            end_tree(os.getpid(), spare_root=True)

    def _turn(self) -> bool:
        every = 5.0 if len(self._watched) == len(self._live) else _LOOK_EVERY
        ready, _, _ = select.select([self.channel.fileno(), *self._watched], [], [], every)
        self._reap()
        if self.channel.fileno() not in ready:
            return True
        why = unsafe(self.base, self._live)  # looked at before the order's own descriptors are here
        try:
            received = self.channel.receive()
        except ChannelError:
            return False
        if received is None:
            return False
        self._fork(Order.read(*received), why)
        return True

    def _fork(self, order: Order, why: str) -> None:
        if why:
            self.channel.send({"r": "refused", "number": order.number, "why": why})
            _close(order)
            return
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                self._child(order, zygote)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(70)
        _close(order)
        self._live[pid] = order.number
        with suppress(AttributeError, OSError):  # no pidfd: looking twenty times a second does as well
            self._watched[os.pidfd_open(pid)] = pid
        self.channel.send({"r": "forked", "number": order.number, "pid": pid})

    def _child(self, order: Order, zygote: int) -> None:
        die_with_parent(zygote)
        os.setsid()
        adopt_orphans()
        self.channel.close()
        for pidfd in self._watched:
            os.close(pidfd)
        before = Footprint()
        bus_loop.resume()
        perform(order, self.holder)
        if order.step.probe != INSPECT or order.zygote < 0 or not self.holder.loaded:
            os._exit(0)
        bus_loop.park()
        why = unsafe(before)
        channel = Channel(socket.socket(fileno=order.zygote))
        channel.send({"r": "ready", "pid": os.getpid(), "fork": not why, "why": why, "own": [], "failure": ""})
        if why:
            os._exit(0)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)
        os.close(silent)
        Zygote(channel, self.holder).serve()
        os._exit(0)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                number = self._live.pop(pid, None)
                if number is None:
                    continue
                for pidfd in [each for each, held in self._watched.items() if held == pid]:
                    del self._watched[pidfd]
                    os.close(pidfd)
                strays = self._end_strays()
                exited = {"r": "exited", "number": number, "status": status, "strays": strays, "again": True}
                self.channel.send(exited)

    def _end_strays(self) -> int:
        """Kill what a dead step left behind: every child that is no live step was reparented to this process."""
        found: set[int] = set()
        for _ in range(20):
            strays = children(os.getpid()) - set(self._live)
            if not strays:
                break
            for stray in strays:
                found |= {stray, *descendants(stray)}
                end_tree(stray)
        return len(found)


def _close(order: Order) -> None:
    for fd in (order.frames, order.control, order.dump, order.stderr, order.zygote):
        if fd >= 0:
            os.close(fd)
