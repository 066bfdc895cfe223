"""SIGINT and SIGTERM while steps run: noted at once, acted upon between two turns of the loop, never in the middle."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, final

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@final
class Interrupts:
    """Within: `arrived` names the first signal. After: the handler that stood before is called with it.

    A signal that is ignored (`nohup`, a job in the background) stays ignored.
    """

    def __init__(self) -> None:
        self.arrived: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in _NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.arrived = self.arrived or number

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.arrived is None or error is not None:
            return
        handler = self._before[self.arrived]
        if callable(handler):
            handler(self.arrived, None)
        elif handler == signal.SIG_DFL:
            os.kill(os.getpid(), self.arrived)
