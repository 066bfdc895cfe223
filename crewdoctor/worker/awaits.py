"""Await chains: where a coroutine really waits. A thread's frames end at the event loop and do not say."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from crewdoctor.worker.stacks import Place, idle, places, whose

_MOST_LINKS = 64
_WHOLE_FROM = 10
OTHERS = "other tasks"
_FOR_OTHERS = frozenset({"wait", "_wait", "wait_for"})


def loops(frames: dict[int, FrameType]) -> list[tuple[int, Any]]:
    """Every event loop running in a thread: (thread id, loop)."""
    if "asyncio" not in sys.modules:
        return []
    found = []
    for thread_id, frame in frames.items():
        held: FrameType | None = frame
        while held is not None:
            code = held.f_code
            if code.co_name in ("run_forever", "run") and "asyncio" in code.co_filename:
                owner = held.f_locals.get("self")
                loop = owner if hasattr(owner, "call_soon") else getattr(owner, "_loop", None)
                if loop is not None:
                    found.append((thread_id, loop))
                    break
            held = held.f_back
    return found


def tasks(frames: dict[int, FrameType]) -> Iterator[tuple[int, Any, list[Place]]]:
    """Every unfinished task of every running loop, with its await chain, innermost first."""
    asyncio = sys.modules.get("asyncio")
    for thread_id, loop in loops(frames):
        assert asyncio is not None
        try:
            held = list(asyncio.all_tasks(loop))
        except RuntimeError:  # the set changed while another thread read it: the next look will do
            continue
        for task in held:
            if not task.done():
                yield thread_id, task, chain(task.get_coro())


def awaited(task: Any, stack: list[Place]) -> str:
    """What a task waits for that somebody else must do, in words; empty where it waits for none of these.

    A library's bare future may stand for its network: only one that asyncio or the user's own line awaits is told.
    """
    asyncio = sys.modules.get("asyncio")
    waiter = getattr(task, "_fut_waiter", None)
    if asyncio is None or not stack or waiter is None:
        return ""
    code = stack[0][0]
    file = code.co_filename.replace("\\", "/")
    if isinstance(waiter, asyncio.Task) or type(waiter).__name__ == "_GatheringFuture":
        return OTHERS
    if type(waiter) is not asyncio.Future:
        return ""
    if file.endswith("/asyncio/tasks.py"):
        return OTHERS if code.co_name in _FOR_OTHERS else ""
    if file.endswith("/asyncio/taskgroups.py"):
        return OTHERS
    if file.endswith("/asyncio/locks.py"):
        return "an event of asyncio" if code.co_name == "wait" else "a lock of asyncio"
    return "the result of a future" if whose(code.co_filename) == "user" else ""


def held_up(frames: dict[int, FrameType]) -> dict[int, int]:
    """Thread id → tasks that cannot go on, for loops whose thread is in the code of one task and not in its selector.

    Tasks that only wait for others of their own (`gather`, `await task`) lose nothing, and are not counted.
    """
    asyncio = sys.modules.get("asyncio")
    found: dict[int, int] = {}
    for thread_id, loop in loops(frames):
        assert asyncio is not None
        if idle(list(places(frames[thread_id]))):
            continue
        try:
            running, held = asyncio.current_task(loop), list(asyncio.all_tasks(loop))
        except RuntimeError:
            continue
        others = [task for task in held if task is not running and not task.done() and not _for_others(task)]
        if running is not None and others:
            found[thread_id] = len(others)
    return found


def _for_others(task: Any) -> bool:
    return awaited(task, chain(task.get_coro())) == OTHERS


def chain(awaitable: Any) -> list[Place]:
    """From the innermost awaiting line outwards."""
    found: list[Place] = []
    for _ in range(_MOST_LINKS):
        frame = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "ag_frame", None)
        frame = frame or getattr(awaitable, "gi_frame", None)
        if frame is None:
            break
        found.append((frame.f_code, frame.f_lineno))
        awaitable = (
            getattr(awaitable, "cr_await", None)
            or getattr(awaitable, "ag_await", None)
            or getattr(awaitable, "gi_yieldfrom", None)
        )
    return found[::-1]


def seconds_left(task: Any) -> float | None:
    """Seconds until a timer of its loop ends what a task waits for; infinite: no timer runs; None: not known."""
    loop = task.get_loop()
    scheduled = getattr(loop, "_scheduled", None)
    if scheduled is None:  # uvloop keeps its timers in C
        return None
    timers = [handle for handle in list(scheduled) if not handle.cancelled()]
    known = {id(each) for each in _waiters(task)}
    ends = [handle.when() for handle in timers if any(id(each) in known for each in _ended_by(handle))]
    if ends:
        return float(max(0.0, min(ends) - loop.time()))
    return None if timers else float("inf")


def _waiters(task: Any) -> Iterator[Any]:
    """A task, what it awaits, and the tasks and futures that directly wait for it."""
    waiting = [task]
    for _ in range(_MOST_LINKS):
        if not waiting:
            return
        here = waiting.pop()
        yield here
        if (awaited := getattr(here, "_fut_waiter", None)) is not None:
            yield awaited
        for callback, _context in getattr(here, "_callbacks", None) or ():
            waiting += [each for each in (getattr(callback, "__self__", None),) if hasattr(each, "_fut_waiter")]
            yield from getattr(callback, "args", None) or ()


def _ended_by(timer: Any) -> Iterator[Any]:
    """Tasks and futures a timer ends: of `asyncio.timeout`, `wait_for` before Python 3.12, and anyio's scopes."""
    owner = getattr(timer._callback, "__self__", None)
    yield from timer._args or ()
    for name in ("_task", "_host_task"):
        yield getattr(owner, name, None)
    yield from getattr(owner, "_tasks", None) or ()


def as_set(seconds: float, late: float) -> float:
    """A timeout as it was set, of which all was seen but at most `late` seconds: from ten on people set whole ones."""
    whole = math.ceil(seconds - 0.1)
    return float(whole) if whole >= _WHOLE_FROM and whole - seconds <= late + 0.1 else round(seconds, 1)
