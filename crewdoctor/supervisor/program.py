"""A user's own program, run unchanged and recorded: same terminal, same streams, same exit; signals are passed on.

The program keeps the process group, so what the terminal sends it gets from the terminal. It dies with this process: a
wrapper that is killed must not leave behind what it was asked to run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crewdoctor.model.options import Options
from crewdoctor.model.recording import RECORD, RECORDING, VERBOSE
from crewdoctor.model.refusal import Refusal
from crewdoctor.supervisor.held import Held
from crewdoctor.wire.descent import LINUX, die_with_parent
from crewdoctor.wire.recording import RecordingWriter, header

HOOK = Path(__file__).resolve().parents[1] / "worker" / "hook"
"""The folder that holds `sitecustomize.py`, and nothing else."""
NOT_FOUND, NOT_EXECUTABLE = 127, 126
_PASSED_ON = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGWINCH),
)
_FROM_THE_TERMINAL = 0x80
"""`si_code` of what the kernel itself sends, a terminal's Ctrl-C among it: the whole process group has it already."""
LINGERS = 3.0
"""Seconds after a signal that should have ended it from which a program that goes on is told of (ours)."""
LOOKS = 1.0
"""Seconds between two looks at what C code holds."""
_ENDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    """As a shell tells it: 128 + the number of the signal that ended it."""
    interrupted: str
    """`SIGINT`, `SIGTERM`, ... where one came before the end, else empty."""


def run_program(
    command: Sequence[str],
    options: Options,
    recording: Path,
    *,
    verbose: bool = False,
    lingers: Callable[[str], None] = lambda _: None,
) -> Ended:
    """Run `command` to its end; the recording holds what it did. Raises Refusal where it cannot be started.

    `lingers` is called once, with the signal, where the program goes on after one that should have ended it.
    """
    watch = _Watch(recording, options, lingers)
    environment = _recorded(os.environ, f"{watch.zero!r}:0:{recording.absolute()}", recording, verbose=verbose)
    code = 0
    try:
        code = _wait(command, environment, watch)
    finally:
        watch.ended(code)
    return Ended(128 - code if code < 0 else code, watch.interrupted)


class _Watch:
    """What this process adds to the recording: signals, and the end."""

    def __init__(self, recording: Path, options: Options, lingers: Callable[[str], None]) -> None:
        self.zero = time.monotonic()
        self.interrupted = ""
        self._since = 0.0
        self._lingers = lingers
        self._writer = RecordingWriter(recording)
        self._writer.write(header(options))
        self._held = Held(recording)

    @property
    def patience(self) -> float:
        """Seconds until the next look: at what C code holds, or at a program that lingers."""
        return min(LOOKS, self._left) if self._since else LOOKS

    @property
    def _left(self) -> float:
        return max(0.0, self._since + LINGERS - time.monotonic())

    def signalled(self, number: int, *, passed_on: bool) -> None:
        """This process was sent a signal."""
        name = signal.Signals(number).name
        if number in _ENDS:
            self._since = 0.0 if self.interrupted else time.monotonic()
            self.interrupted = name
        self._event("program.signal", signal=name, passed_on=passed_on)

    def look(self) -> None:
        """Note what C code holds, and tell of a program that goes on."""
        at = time.monotonic() - self.zero
        for number, each in enumerate(self._held.look(at)):
            self._writer.write({**each, "id": f"0.{round(at * 1e6)}.{number}"})
        if self._since and not self._left:
            self._since = 0.0
            self._event("program.lingers", signal=self.interrupted)
            self._lingers(self.interrupted)

    def ended(self, code: int) -> None:
        """It has ended; negative: by that signal."""
        self._event("program.ended", code=code, signal=signal.Signals(-code).name if code < 0 else "")
        self._writer.write({"k": "last", "at": time.monotonic() - self.zero, "interrupted": self.interrupted})
        self._writer.close()

    def _event(self, name: str, **attrs: object) -> None:
        at = time.monotonic() - self.zero
        told = {"k": "event", "id": f"0.{round(at * 1e6)}", "step": "", "name": name, "at": at, "attrs": attrs}
        self._writer.write(told)


def _recorded(environment: Mapping[str, str], handed_on: str, recording: Path, *, verbose: bool) -> dict[str, str]:
    path = environment.get("PYTHONPATH")
    added = {
        "PYTHONPATH": os.pathsep.join([str(HOOK), *([path] if path else [])]),
        RECORD: str(recording.absolute()),
        RECORDING: handed_on,
        **({VERBOSE: "1"} if verbose else {}),
    }
    return {**environment, **added}


def _wait(command: Sequence[str], environment: Mapping[str, str], watch: _Watch) -> int:
    """Start it, pass on what this process is sent, and return its code; negative: the signal that ended it."""
    watched = {signal.SIGCHLD, *_PASSED_ON}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    me = os.getpid()

    def in_child() -> None:
        if LINUX:
            die_with_parent(me)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    try:
        sys.stdout.flush()
        sys.stderr.flush()
        program = _started(command, environment, in_child)
        while True:
            if (code := program.poll()) is not None:
                return code
            told = signal.sigtimedwait(watched, watch.patience)
            watch.look()
            if told is None or told.si_signo == signal.SIGCHLD:
                continue
            passed_on = told.si_code != _FROM_THE_TERMINAL
            watch.signalled(told.si_signo, passed_on=passed_on)
            if passed_on and program.poll() is None:
                program.send_signal(told.si_signo)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(
    command: Sequence[str], environment: Mapping[str, str], in_child: Callable[[], None]
) -> subprocess.Popen[bytes]:
    try:
        # What was left open for the program (a socket of its supervisor) is left open.
        return subprocess.Popen(list(command), env=dict(environment), close_fds=False, preexec_fn=in_child)  # noqa: PLW1509 - no thread runs here
    except FileNotFoundError:
        raise Refusal(f"{command[0]}: no such program; write `crewdoctor run -- python main.py`", NOT_FOUND) from None
    except OSError as error:
        raise Refusal(f"{command[0]}: cannot be started: {error.strerror}", NOT_EXECUTABLE) from None
