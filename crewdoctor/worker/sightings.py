"""What a look of the watchdog saw blocked, and which of it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from crewdoctor.worker.stacks import Place, whose

WAITERS = frozenset({"lock", "queue"})
"""Ways of waiting for another thread or task."""


@dataclass(slots=True)
class Sighting:
    """Something blocked, at one look."""

    key: Hashable
    since: float
    stack: list[Place]
    thread: str
    waiting: str
    span: str | None
    attrs: dict[str, Any] = field(default_factory=dict)
    waiter: int = 0
    """1: it waits for another thread, or for something to be set: who does not is told instead, where seen. 2: it
    waits for other tasks: any of them tells more."""


def told_of(sightings: list[Sighting], subject: Callable[[Sighting], str], now: float) -> list[Sighting]:
    """Not those that only wait for another one's work, but for their limits; the user's own lines come last."""
    least: dict[str, int] = {}
    for each in sightings:
        least[subject(each)] = min(each.waiter, least.get(subject(each), each.waiter))
    told = [each for each in sightings if each.waiter == least[subject(each)]]
    waiters = [each for each in sightings if (each.waiter or each.waiting in WAITERS) and "timeout" in each.attrs]
    told = [_within(each, [other for other in waiters if subject(other) == subject(each)], now) for each in told]
    return sorted(told, key=_telling)


def _within(each: Sighting, waiters: Iterable[Sighting], now: float) -> Sighting:
    """`each` with the limits of the threads and tasks that wait for the same work as it does."""
    held = [_limit(other, now) for other in waiters]
    return (
        replace(each, attrs={**each.attrs, "around": held})
        if held and not each.waiter and each.waiting not in WAITERS
        else each
    )


def _limit(waiter: Sighting, now: float) -> dict[str, Any]:
    return {
        "peer": waiter.attrs.get("peer", waiter.waiting),
        "timeout": waiter.attrs["timeout"],
        "seconds": round(max(0.0, now - waiter.since), 3),
    }


def _telling(each: Sighting) -> tuple[bool, bool]:
    return each.waiting not in WAITERS, any(whose(code.co_filename) == "user" for code, _ in each.stack)


def name_of(thread: threading.Thread | None, task: Any) -> str:
    """A thread or a task, in words."""
    if task is not None:
        with suppress(Exception):
            return f"task {task.get_name()}"
    return thread.name if thread is not None else "a thread Python does not know"
