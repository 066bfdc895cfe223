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
_ENDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    """As a shell tells it: 128 + the number of the signal that ended it."""
    interrupted: str
    """`SIGINT`, `SIGTERM`, ... where one came before the end, else empty."""


def run_program(command: Sequence[str], options: Options, recording: Path, *, verbose: bool = False) -> Ended:
    """Run `command` to its end; the recording holds what it did. Raises Refusal where it cannot be started."""
    zero = time.monotonic()
    writer = RecordingWriter(recording)
    writer.write(header(options))
    environment = _recorded(os.environ, f"{zero!r}:{recording.absolute()}", recording, verbose=verbose)
    interrupted = ""

    def note(number: int, *, passed_on: bool) -> None:
        nonlocal interrupted
        name = signal.Signals(number).name
        if number in _ENDS:
            interrupted = name
        writer.write(_event("program.signal", zero, signal=name, passed_on=passed_on))

    code = -1
    try:
        code = _wait(command, environment, note)
    finally:
        told = signal.Signals(-code).name if code < 0 and code != -1 else ""
        writer.write(_event("program.ended", zero, code=code, signal=told))
        writer.write({"k": "last", "at": time.monotonic() - zero, "interrupted": interrupted})
        writer.close()
    return Ended(128 - code if code < 0 else code, interrupted)


def _event(name: str, zero: float, **attrs: object) -> dict[str, object]:
    at = time.monotonic() - zero
    return {"k": "event", "id": f"0.{round(at * 1e6)}", "step": "", "name": name, "at": at, "attrs": attrs}


def _recorded(environment: Mapping[str, str], handed_on: str, recording: Path, *, verbose: bool) -> dict[str, str]:
    path = environment.get("PYTHONPATH")
    added = {
        "PYTHONPATH": os.pathsep.join([str(HOOK), *([path] if path else [])]),
        RECORD: str(recording.absolute()),
        RECORDING: handed_on,
        **({VERBOSE: "1"} if verbose else {}),
    }
    return {**environment, **added}


def _wait(command: Sequence[str], environment: Mapping[str, str], note: Callable[..., None]) -> int:
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
            told = signal.sigwaitinfo(watched)
            if told.si_signo == signal.SIGCHLD:
                continue
            passed_on = told.si_code != _FROM_THE_TERMINAL
            note(told.si_signo, passed_on=passed_on)
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
