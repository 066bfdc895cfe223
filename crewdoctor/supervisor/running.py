"""One ordered step: its pipes, and the way to its end."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from contextlib import suppress
from enum import Enum
from typing import Any

from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.supervisor.computing import computing
from crewdoctor.supervisor.live import LiveStep, read_ready
from crewdoctor.supervisor.worker import Worker, exit_words
from crewdoctor.wire.codec import WireError, decode, encode
from crewdoctor.wire.descent import end_tree, send
from crewdoctor.wire.dumped import stacks_of

BEGIN_WITHIN = 15.0
"""Seconds from the order to the step's first frame; a fork takes 25 ms, a loaded machine its time."""
GO_WITHIN = 3.0
"""Seconds from the last frame to the end of the process."""
_FRESH = 1.4
"""A stack so old still says what the step was doing when its deadline came."""
_ANSWER_WITHIN = 0.6
_WHOLE_ANSWER = 0.15
"""Without another stack, the look is over."""
_DUMP_WITHIN = 0.3
_GONE_WITHIN = 1.0
_MOST_READS = 256
_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031


class Phase(Enum):
    """Where a step is on its way to its end."""

    RUNNING = 0
    ASKED = 1
    """Its watchdog was asked what is blocked."""
    DUMPED = 2
    """faulthandler was asked, the watchdog being silent."""
    KILLED = 3
    OVER = 4


class Running:
    """A step from its order to its result."""

    def __init__(self, step: Step, number: int, worker: Worker, zero: float) -> None:
        now = time.monotonic() - zero
        self.live = LiveStep(step, number, now, now)
        self.worker = worker
        self.zero = zero
        self.pid = 0
        self.phase = Phase.RUNNING
        self.reason = ""
        """Why it was killed; set together with leaving RUNNING."""
        self.status: int | None = None
        """Wait status, once it has gone."""
        self.lost = ""
        """How its worker went, when that went under it."""
        self._until = 0.0
        self._asked_at = 0.0
        self._ended_at = 0.0
        self.frames, self._frames_end = _pipe()
        self.stderr, self._stderr_end = _pipe()
        self._control_end, self._control = os.pipe()
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the step

    def order(self, inspect: dict[str, Any], zygote: int = -1) -> None:
        """Hand it to its worker. Raises OSError when that is gone."""
        fds = [self._frames_end, self._control_end, self._dump.fileno(), self._stderr_end]
        message = {"step": encode(self.live.step), "number": self.live.number, "inspect": inspect}
        try:
            self.worker.channel.send(message, fds if zygote < 0 else [*fds, zygote])
        finally:
            for fd in (self._frames_end, self._control_end, self._stderr_end):
                os.close(fd)
        self.worker.held.add(self.live.number)

    # --- ending --------------------------------------------------------------------------------------------------

    def end(self, reason: str, *, ask: bool = False, at_once: bool = False) -> None:
        """Begin to end it, for `reason`. `ask` its watchdog first what is blocked; `at_once`: ask nobody."""
        if self.phase is not Phase.RUNNING:
            return
        self.reason = reason
        if ask and not at_once:
            with suppress(OSError):
                os.write(self._control, b"?")
            self._asked_at = time.monotonic() - self.zero
            self._enter(Phase.ASKED, _ANSWER_WITHIN)
        elif at_once or self._has_fresh_stack():
            self._kill()
        else:
            self._ask_faulthandler()

    def tend(self) -> list[dict[str, Any]]:
        """Take the next step towards the end where one is due; returns records made here."""
        now = time.monotonic()
        live = self.live
        if self.phase is Phase.RUNNING:
            self._tend_running(now)
        elif self.phase is Phase.ASKED and (self._has_answered() or now >= self._until):
            self._kill() if self._has_fresh_stack() else self._ask_faulthandler()
        elif self.phase is Phase.DUMPED:
            complete = b"most recent call first" in self._dumped() and now >= self._until - _DUMP_WITHIN + 0.05
            if complete or self._has_fresh_stack() or now >= self._until:
                made = self._read_dump()
                self._kill()
                return made
        elif self.phase is Phase.KILLED and now >= self._until:
            self.status = self.status if self.status is not None else int(signal.SIGKILL)
        if self.status is not None or self.lost:
            self.phase = Phase.OVER
            self._ended_at = live.end["at"] if live.end else now - self.zero
        return []

    def _tend_running(self, now: float) -> None:
        live = self.live
        if live.end is not None:
            if now - self.zero > float(live.end["at"]) + GO_WITHIN:
                self.end("its process did not go", at_once=True)
        elif not live.begun:
            if now - self.zero > live.started + BEGIN_WITHIN:
                self.end("its process did not start", at_once=True)
        elif now - self.zero >= live.deadline:
            self.end(f"crewdoctor ended it at its deadline of {live.step.deadline:g} s")

    def _has_fresh_stack(self) -> bool:
        stacks = self.live.stacks
        return bool(stacks) and stacks[-1]["at"] >= time.monotonic() - self.zero - _FRESH

    def _has_answered(self) -> bool:
        """Whether its watchdog has looked since it was asked, and has told of everybody it saw."""
        stacks = self.live.stacks
        last = stacks[-1]["at"] if stacks else -1.0
        return bool(last >= self._asked_at and time.monotonic() - self.zero - last >= _WHOLE_ANSWER)

    def _ask_faulthandler(self) -> None:
        if self.pid and self.live.begun and send(self.pid, signal.SIGUSR2):
            self._enter(Phase.DUMPED, _DUMP_WITHIN)
        else:
            self._kill()

    def _dumped(self) -> bytes:
        size = os.fstat(self._dump.fileno()).st_size
        return os.pread(self._dump.fileno(), min(size, 1 << 18), 0)

    def _read_dump(self) -> list[dict[str, Any]]:
        at = time.monotonic() - self.zero
        text = self._dumped().decode("utf-8", "replace")
        if not text:
            return []
        span = next(reversed(self.live.open_spans), None)
        since = self.live.last_moved
        made = stacks_of(text, at=at, seconds=at - since, computing=computing(self.pid), span=span)
        step, number = self.live.step.id, self.live.number
        records = [{**each, "step": step, "id": f"{number}.d{index}"} for index, each in enumerate(made)]
        self.live.stacks.extend(reversed(records))  # the main thread's is the one `waiting` tells
        return records

    def _kill(self) -> None:
        if self.pid:
            end_tree(self.pid)
        elif self.worker.pid:
            end_tree(self.worker.pid)  # it never said whom it forked: nothing of it can be trusted
        self._enter(Phase.KILLED, _GONE_WITHIN)

    def _enter(self, phase: Phase, seconds: float) -> None:
        self.phase, self._until = phase, time.monotonic() + seconds

    # --- the result ----------------------------------------------------------------------------------------------

    def read_frames(self) -> tuple[list[dict[str, Any]], bool]:
        """Frames that have arrived; False when its pipe is at its end."""
        data = read_ready(self.frames)
        return (self.live.feed(data), True) if data is not None else ([], False)

    def read_stderr(self) -> bool:
        """Drain its stderr; False at its end."""
        data = read_ready(self.stderr)
        if data:
            self.live.heard(data)
        return data is not None

    def drain(self) -> list[dict[str, Any]]:
        """Read whatever is left once it has gone: frames outlive their writer."""
        frames: list[dict[str, Any]] = []
        for _ in range(_MOST_READS):  # a bound: a stray that got away could write for ever
            data = read_ready(self.frames)
            if not data:
                break
            frames += self.live.feed(data)
        for _ in range(_MOST_READS):
            data = read_ready(self.stderr)
            if not data:
                break
            self.live.heard(data)
        return frames

    def close(self) -> None:
        """Close our ends."""
        for fd in (self.frames, self.stderr, self._control):
            os.close(fd)
        self._dump.close()

    def result(self) -> StepResult:
        """Classify how it ended."""
        status, reason, failure = self._verdict()
        live = self.live
        return StepResult(
            live.step, status, live.started, max(live.started, self._ended_at), reason, failure, live.facts
        )

    def _verdict(self) -> tuple[Status, str, Failure | None]:
        live = self.live
        if live.end is not None:
            told = Status.OK if live.end.get("status") == "ok" else Status.FAILED
            return told, str(live.end.get("reason") or ""), _failure(live.end.get("failure"))
        if self.reason:
            waiting = f"; it was waiting: {live.waiting}" if live.waiting else ""
            return Status.KILLED, self.reason + waiting, Failure(FailureKind.DEADLINE, self.reason)
        words = self.lost or exit_words(os.waitstatus_to_exitcode(self.status or 0))
        last = f"; its last words: {live.last_words}" if live.last_words else ""
        how = f"went down with its worker: {words}" if self.lost else f"ended by itself, {words}"
        reason = f"its process {how}, before the probe was done{last}"
        return Status.CRASHED, reason, Failure(FailureKind.PROCESS_EXITED, words)


def _failure(held: Any) -> Failure | None:
    try:
        return None if held is None else decode(Failure, held)
    except WireError:
        return None


def _pipe() -> tuple[int, int]:
    """Return a pipe with room, its read end non-blocking."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    with suppress(ImportError, OSError):  # a limit of this user or system: then the default of 64 KiB
        import fcntl

        fcntl.fcntl(write, _F_SETPIPE_SZ, _PIPE_SIZE)
    return read, write
