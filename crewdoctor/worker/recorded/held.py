"""What a recorded program does while C code holds the interpreter: faulthandler's own clock writes it down. Linux.

Our thread cannot look then, and nobody sends the program a signal (one would cut its C code short). faulthandler's
timer needs no interpreter: wound up at every look, it runs out where no look comes, and writes the frames of all
threads into memory that `crewdoctor run` reads from without, by the descriptor in the fact `program`. Where nobody is
around, the process tells of it itself as soon as it can. A program that winds that clock up itself has it to itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Any

from crewdoctor.wire.dumped import stacks_of
from crewdoctor.worker.high_descriptors import high
from crewdoctor.worker.recorder import Recorder

AFTER = 3.0
"""Seconds without a look: six looks missed."""
_MOST = 1 << 18


class Held:
    """The clock of this process."""

    theirs = False
    """The program uses faulthandler's clock itself: from then on ours is still."""
    _original: Any = None

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.fd = _memory()
        self._wound = False
        if self.fd >= 0:
            _make_way()

    def wind(self) -> None:
        """Start the clock anew, and tell what it wrote meanwhile, if nobody has."""
        if self.fd < 0 or Held.theirs:
            return
        try:
            Held._original(AFTER, repeat=True, file=self.fd)
        except (OSError, ValueError, RuntimeError):  # the program closed what it did not open
            self.fd = -1
            return
        self._wound = True
        self._tell()

    def rest(self) -> None:
        """Stop the clock."""
        if self._wound and not Held.theirs:
            import faulthandler

            faulthandler.cancel_dump_traceback_later.__wrapped__()  # type: ignore[attr-defined]
        self._wound = False

    def close(self) -> None:
        """Stop, and give the memory back."""
        self.rest()
        if self.fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self.fd)
        self.fd = -1

    def _tell(self) -> None:
        size = os.fstat(self.fd).st_size
        if not size:
            return
        text = os.pread(self.fd, min(size, _MOST), 0).decode("utf-8", "replace")
        os.ftruncate(self.fd, 0)
        times = text.count("Timeout (")
        now = self._recorder.now()
        for each in stacks_of(
            text.rpartition("Timeout (")[2], at=now, seconds=AFTER * times, computing=False, span=None
        ):
            self._recorder.stack({name: value for name, value in each.items() if name not in {"k", "at"}})


def _memory() -> int:
    """Memory faulthandler may append to, under a descriptor; -1 where there is no such thing."""
    try:
        fd = os.memfd_create("crewdoctor")
        fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_APPEND)
    except (AttributeError, OSError):
        return -1
    return high(fd)


def _make_way() -> None:
    """Notice a program that wants the clock for itself."""
    if Held._original is not None:
        return
    import faulthandler

    Held._original = faulthandler.dump_traceback_later

    def noticing(original: Any) -> Any:
        def theirs(*args: Any, **kwargs: Any) -> Any:
            Held.theirs = True
            return original(*args, **kwargs)

        theirs.__wrapped__ = original  # type: ignore[attr-defined]
        return theirs

    faulthandler.dump_traceback_later = noticing(faulthandler.dump_traceback_later)
    faulthandler.cancel_dump_traceback_later = noticing(faulthandler.cancel_dump_traceback_later)
