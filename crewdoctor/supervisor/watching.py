"""Descriptors that are read when they have something. One selector, no asyncio."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable
from contextlib import suppress
from typing import final


@final
class Watching:
    """Calls back for every descriptor that is ready."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, read: Callable[[], bool]) -> None:
        """Call `read` whenever `fd` has something, until it says that it was the end."""

        def ready() -> None:
            if not read():
                self.forget(fd)

        self._selector.register(fd, selectors.EVENT_READ, ready)

    def forget(self, fd: int) -> None:
        """Watch `fd` no more; nothing where it is not watched."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def wait(self, seconds: float) -> None:
        """Wait for something to happen, for at most `seconds`, and read it."""
        if not self._selector.get_map():
            time.sleep(min(seconds, 0.01))
            return
        for key, _ in self._selector.select(seconds):
            if key.fd in self._selector.get_map():
                key.data()

    def close(self) -> None:
        """Watch nothing any more."""
        self._selector.close()
