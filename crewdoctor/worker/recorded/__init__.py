"""A program that records itself: `crewdoctor run`, or `worker/hook` on PYTHONPATH and CREWDOCTOR_RECORD.

The same recorder and taps as in a worker, armed in the user's own process for as long as it lives. It observes: what a
worker is kept from (telemetry, questions, writing tools) happens here as it would without us.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import VERBOSE
from crewdoctor.wire.redact import learn_environment, redact
from crewdoctor.worker import context, late, taps
from crewdoctor.worker.high_descriptors import pipe
from crewdoctor.worker.recorded import crews, exits, imports, prompts
from crewdoctor.worker.recorded.held import Held
from crewdoctor.worker.recorded.place import Place, opened
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.watchdog import Watchdog

_FOREVER = float("inf")


class _Beating(Watchdog):
    """Says at every look that something still blocks: nobody else will know when this process was killed."""

    held: Held

    def look(self, *, everything: bool = False) -> None:
        """Look once, and say that there was somebody to look."""
        self.held.wind()
        super().look(everything=everything)
        if self._due or self._recorder.in_flight():
            self._recorder.move()


class Recorded:
    """This process, recording itself."""

    def __init__(self, place: Place, began: float) -> None:
        self.place, self.began = place, began
        self.recorder = Recorder()
        self._watchdog: Watchdog | None = None
        self._control = -1
        self._held: Held | None = None
        self._within = ""
        """The span in which this process was forked off, or is about to fork."""

    def begin(self) -> None:
        """Arm the recorder for this process, and say which one it is."""
        number = self.place.number
        self.recorder.arm(
            self.place.fd,
            step=f"crew.kickoff@{number}",
            number=number,
            zero=self.place.zero,
            seconds=_FOREVER,
            layer=Layer.CREW,
        )
        argv = [redact(each) for each in (sys.orig_argv or [sys.executable])]
        self._held = Held(self.recorder)
        told = {
            "held": self._held.fd,
            "argv": argv,
            "pid": os.getpid(),
            "parent": os.getppid(),
            "began": self.began - self.place.zero,
        }
        self.recorder.fact("program", {**told, "python": sys.version.split()[0]})
        self.watch()

    def watch(self) -> None:
        """Look at what blocks from now on."""
        reading, self._control = pipe()
        self._watchdog = _Beating(self.recorder, reading, os.path.realpath(Path.cwd()))
        assert self._held is not None
        self._watchdog.held = self._held
        self._held.wind()
        self._watchdog.start()

    def rest(self) -> None:
        """Stop looking: no thread of ours may run while this process forks."""
        self._within = self.recorder.current.get() or self.recorder.thread_spans.get(threading.get_ident()) or ""
        watchdog, self._watchdog = self._watchdog, None
        if self._held is not None:
            self._held.rest()
        if watchdog is not None:
            watchdog.stop()
            for fd in (self._control, watchdog._control):
                with suppress(OSError):
                    os.close(fd)

    def forked(self) -> None:
        """In a child: a process of its own from here on."""
        self.place = replace(self.place, again=0)
        if self._held is not None:
            self._held.close()
        crews.forked()
        self.begin()


def start(began: float) -> Any:
    """Record this process from now on; returns the finder whose hooks wait for modules. Raises OSError.

    `began`: when it started, on the monotonic clock.
    """
    learn_environment(os.environ)
    recorded = Recorded(opened(began, [redact(each) for each in sys.orig_argv]), began)
    recorder = recorded.recorder
    context.install(recorder)
    taps.install_all(recorder)
    recorded.begin()
    for line in recorder.own_lines:
        recorder.own(line)
    exits.install(recorder)
    if os.environ.get(VERBOSE):
        from crewdoctor.worker.recorded.lines import install, verbose

        install(recorder)
        crews.install(recorder, verbose)
    else:
        crews.install(recorder)
    prompts.install(recorder)
    imports.install(recorder)
    os.register_at_fork(before=recorded.rest, after_in_parent=recorded.watch, after_in_child=recorded.forked)
    return late.finder()


__all__ = ["Recorded", "start"]
