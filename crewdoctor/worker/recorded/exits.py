"""The third clock: from the end of the program's main thread to the end of its process, and what it waits for there.

Python joins the threads that are no daemons, then runs what `atexit` was given, the last one first. Ours is registered
before the program's own and so comes after them.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import FailureKind
from crewdoctor.wire.codec import encode
from crewdoctor.worker.inflight import settle_idle
from crewdoctor.worker.recorded import crews
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.source_place import users_place


class _Exit:
    """The end of this process."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.pid = 0
        self.span: Any = None
        self.over = False

    def begun(self) -> None:
        """The main thread has come to its end; its exception, if one ended it, has been printed."""
        if self.pid == os.getpid():
            return
        self.pid, self.over = os.getpid(), False
        self._tell_outcome()
        self.span = self.recorder.span("process.exit", subject="program", layer=Layer.ENVIRONMENT)
        self.span.__enter__()

    def ended(self) -> None:
        """Everything `atexit` was given has run."""
        self.begun()
        if self.over:
            return
        self.over = True
        crews.finish()
        settle_idle()
        self.span.__exit__(None, None, None)
        self.recorder.fact("load_at_end", round(os.getloadavg()[0], 2))
        self.recorder.end("ok")

    def _tell_outcome(self) -> None:
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if error is None:
            self.recorder.fact("result", "completed")
            return
        failure = self.recorder.classify(error)
        self.recorder.fact("result", failure.kind.value)
        self.recorder.fact("error", failure.text)
        self.recorder.fact("exception", failure.exception)
        self.recorder.fact("raised_at", encode(users_place(error.__traceback__)))
        if failure.kind is FailureKind.INTERRUPTED:
            main = threading.main_thread().ident
            for span_id, known in reversed(list(self.recorder.open_spans().items())):
                if known.thread_id == main:
                    self.recorder.close(span_id, failure=failure)


def install(recorder: Recorder) -> None:
    """Stand around the join of threads, and behind everything `atexit` is given from now on."""
    clock = _Exit(recorder)
    module: Any = threading
    shutdown = module._shutdown

    def timed_shutdown() -> None:
        try:
            clock.begun()
            waited = _held()
        except Exception as error:
            recorder.own(f"the exit was not timed: {error!r}")
            shutdown()
            return
        try:
            if waited:
                with recorder.span("exit.threads", subject="program", layer=Layer.ENVIRONMENT, threads=waited):
                    shutdown()
            else:
                shutdown()
        finally:  # Python's own fails in a child that a thread forked
            if _of_multiprocessing():
                last()

    def last() -> None:
        try:
            clock.ended()
        except Exception as error:
            recorder.own(f"the exit was not timed to its end: {error!r}")

    module._shutdown = timed_shutdown
    atexit.register(last)


def _of_multiprocessing() -> bool:
    """Whether this is a child multiprocessing forked: it leaves by `os._exit`, past everything `atexit` was given."""
    process: Any = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


def _held() -> list[str]:
    """Names of the threads Python is about to wait for."""
    return [each.name for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon]
