"""A thread of ours in a process of the user's: `threading` does not list it.

Programs wait for `threading.active_count()` to be one, or join all that `enumerate()` says: ours is not theirs to wait
for. Like a daemon it ends with the process.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Unseen:
    """One thread; started once."""

    def __init__(self, target: Callable[[], None]) -> None:
        self._target = target
        self._over = _thread.allocate_lock()
        self.ident: int | None = None

    def start(self) -> None:
        """Run the target. Raises RuntimeError where the process can start no thread any more."""
        self._over.acquire()
        try:
            self.ident = _thread.start_new_thread(self._run, ())
        except BaseException:
            self._over.release()
            raise

    def join(self, timeout: float) -> None:
        """Wait until it has ended, at most so many seconds."""
        if self._over.acquire(timeout=timeout):
            self._over.release()

    def _run(self) -> None:
        try:
            self._target()
        except Exception as error:
            with suppress(Exception):
                sys.stderr.write(f"crewdoctor: a thread of its own ended: {error!r}\n")
        finally:
            threads: Any = threading
            with suppress(Exception):  # whatever asked for `current_thread()` here made an entry for it
                threads._active.pop(_thread.get_ident(), None)
            self._over.release()
