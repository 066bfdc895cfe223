"""Waits for a call no longer than there is time, and leaves it going: a start without an end is the diagnosis."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """A call that came back."""

    value: T | None
    error: BaseException | None


def within(seconds: float, call: Callable[[], T]) -> Ended[T] | None:
    """Run `call` in a thread of this context; None when it is still going after `seconds` (it is left going)."""
    ended: list[Ended[T]] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            ended.append(Ended(context.run(call), None))
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread
            ended.append(Ended(None, error))

    thread = threading.Thread(target=run, name="crewdoctor-call", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    return ended[0] if ended else None
