"""A worker process as the parent holds it: its channel, its leash, and what it said of itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crewdoctor.supervisor.live import read_ready
from crewdoctor.wire.channel import Channel
from crewdoctor.wire.descent import end_tree
from crewdoctor.wire.redact import clean, redact

BOOTSTRAP = Path(__file__).resolve().parent.parent / "worker" / "bootstrap.py"
START_WITHIN = 90.0
"""Seconds a worker may take to import crewai (measured: 12-31 s on a loaded machine)."""
QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "TRUE",
    "CREWAI_TRACING_ENABLED": "FALSE",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "ANONYMIZED_TELEMETRY": "False",
}
"""CrewAI's and chromadb's traffic and prompts. Not OTEL_SDK_DISABLED: that would silence the user's exporter too.

In capitals, which are read the same: so what the target itself sets is told apart.
"""
BEFORE = "CREWDOCTOR_BEFORE"
"""What a worker is told of the program it stands for: `{"quiet": {name: [ours, theirs]}, "tty": bool}`."""


@dataclass(slots=True)
class Worker:
    """Something that takes orders: a process we started, or the loaded zygote beneath the crew's."""

    kind: str
    """`own`, `crew` or `loaded`."""
    channel: Channel
    process: subprocess.Popen[bytes] | None = None
    leash: int = -1
    """Write end: when it closes, everything of the worker dies."""
    started: float = field(default_factory=time.monotonic)
    ready: bool = False
    forks: bool = False
    failure: str = ""
    """Why it serves nothing, one sentence."""
    pid: int = 0
    """Of the process that serves orders."""
    gone: bool = False
    held: set[int] = field(default_factory=set)
    """Numbers of the steps it runs."""
    _tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=16))

    @property
    def free(self) -> bool:
        """Whether it takes an order now."""
        return self.ready and not self.gone and (self.forks or not self.held)

    def read_stderr(self) -> bool:
        """Drain its stderr, the tail is kept; False at its end."""
        assert self.process is not None
        assert self.process.stderr is not None
        data = read_ready(self.process.stderr.fileno())
        if data:
            self._tail.append(data[-2000:])
        return data is not None

    def ended(self) -> str:
        """How it ended, in words, and its last words."""
        code: int | None = None
        if self.process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = self.process.wait(2.5)
            while data := read_ready(self.process.stderr.fileno()) if self.process.stderr is not None else None:
                self._tail.append(data[-2000:])
        lines = b"".join(self._tail).decode("utf-8", "replace").strip().splitlines()
        last = f": {clean(redact(lines[-1].strip()))[:300]}" if lines else ""
        how = "" if code is None else f" ({exit_words(code)})"
        return f"{how}{last}"

    def close(self) -> None:
        """Hang up: the worker kills everything beneath it and goes."""
        self.gone = True
        self.channel.close()
        if self.leash >= 0:
            os.close(self.leash)
            self.leash = -1

    def end(self, within: float) -> None:
        """Wait for it to go; past `within` seconds kill it and everything beneath."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, within))
        except subprocess.TimeoutExpired:
            end_tree(self.process.pid)
            self.process.wait(2.0)
        if self.process.stderr is not None:
            self.process.stderr.close()


def quieted(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment a worker gets: CrewAI kept quiet, and what was said of it before."""
    held = {name: [ours, environment.get(name)] for name, ours in QUIET.items()}
    before = {"quiet": held, "tty": bool(sys.stdin and not sys.stdin.closed and sys.stdin.isatty())}
    return {**environment, **QUIET, BEFORE: json.dumps(before)}


def start(kind: str, python: str, *, environment: Mapping[str, str], folder: str, hello: dict[str, Any]) -> Worker:
    """Start a worker in `python`. Raises OSError when that cannot be run."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    leash_end, leash = os.pipe()
    try:
        process = subprocess.Popen(
            [python, "-u", str(BOOTSTRAP), str(theirs.fileno()), str(leash_end)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(), leash_end),
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    except OSError:
        ours.close()
        os.close(leash)
        raise
    finally:
        theirs.close()
        os.close(leash_end)
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    worker = Worker(kind, Channel(ours), process, leash)
    with suppress(OSError):  # it died at once: the end of its channel says so
        worker.channel.send(hello)
    return worker


def exit_words(code: int) -> str:
    """An exit code (negative: a signal) in words."""
    if code > 0x80 + 64:
        code -= 0x100  # the keeper passes a signal on as a negative code, cut to a byte
    if code >= 0:
        return f"exit code {code}"
    import signal

    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"
