"""The process between the supervisor and a worker: it outlives whatever happens in either, and leaves nothing behind.

It runs no code but this, so nothing can hold it up: no import of crewai, no user code, no thread. When its leash ends
(the supervisor is gone, however it went) or the worker dies, everything beneath is killed.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from contextlib import suppress

from crewdoctor.wire.channel import Channel
from crewdoctor.wire.descent import adopt_orphans, children, die_with_parent, end_tree

_LOOK_EVERY = 0.2


def keep(channel_fd: int, leash: int) -> None:
    """Fork the worker and watch over it; never returns."""
    adopt_orphans()
    keeper = os.getpid()
    worker = os.fork()
    if worker == 0:
        die_with_parent(keeper)
        os.close(leash)
        from crewdoctor.worker.serving import serve

        serve(Channel(socket.socket(fileno=channel_fd)))
        os._exit(0)
    os.close(channel_fd)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    status = _watch(worker, leash)
    end_all()
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF if status is not None else 0)


def _watch(worker: int, leash: int) -> int | None:
    """Wait for the end of the leash (None) or of the worker (its wait status)."""
    watched = [leash]
    with suppress(AttributeError, OSError):  # no pidfd here: looking five times a second does as well
        watched.append(os.pidfd_open(worker))
    while True:
        ready, _, _ = select.select(watched, [], [], 10.0 if len(watched) > 1 else _LOOK_EVERY)
        if leash in ready:
            return None
        with suppress(ChildProcessError):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == worker:
                return status


def end_all() -> None:
    """Kill everything beneath this process and reap it."""
    until = time.monotonic() + 2.0
    while time.monotonic() < until and children(os.getpid()):
        end_tree(os.getpid(), spare_root=True)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)
