"""One level of the ramp: so many kickoffs kept going at once, started one after the other. No probe.

Each of `n` callers kicks off a copy of the crew, and when that has ended the next one: a closed loop. They start spread
over one kickoff, never as a burst. A copy is what `kickoff_for_each` makes, so nothing is shared that would not be.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.model.probe import Bench
from crewdoctor.model.span import Failure

BEAT = 0.05
"""Seconds between two looks at how late the event loop is."""
POLL = 0.04


@dataclass(slots=True)
class Kickoff:
    """One of them. Times are `time.monotonic()`."""

    start: float
    end: float = 0.0
    failure: Failure | None = None


@dataclass(slots=True)
class Level:
    """What is to run, and how it went."""

    n: int
    rounds: int
    spread: float
    """Seconds over which the callers start."""
    style: str
    pool: str
    """`default`, `sized`, or anything else for no bound."""
    workers: int
    inputs: dict[str, Any]
    subject: str
    simulated: bool
    kickoffs: list[Kickoff] = field(default_factory=list)
    lag: float = 0.0
    """Seconds the event loop was late, at most."""
    late: list[float] = field(default_factory=list)
    """Seconds a thread of ours that only sleeps woke up late, look by look: the machine, or Python's lock."""
    complete: bool = False
    stop: bool = False
    """Set from outside: no caller starts another kickoff."""


def run(bench: Bench, level: Level, copies: list[list[Any]], until: Callable[[], bool]) -> None:
    """Run the level; `copies` holds `rounds` crews for each caller. Returns early, threads still at work, when `until`.

    What is still going then has a span without an end.
    """
    body = _threads if level.style == "threads" else _on_a_loop
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(body, bench, level, copies), name="crewdoctor-level", daemon=True
    )
    thread.start()
    while thread.is_alive() and not until():
        due = time.monotonic() + POLL
        time.sleep(POLL)
        level.late.append(time.monotonic() - due)
    level.stop = True
    level.complete = not thread.is_alive()


def _caller(bench: Bench, level: Level, number: int, crews: list[Any], pool: Executor | None) -> None:
    time.sleep(level.spread * number / level.n)
    for crew in crews:
        if level.stop:
            return
        kickoff = Kickoff(time.monotonic())
        level.kickoffs.append(kickoff)
        try:
            with bench.span("scale.kickoff", subject=level.subject, layer=Layer.CREW, n=level.n):
                if pool is None:
                    _kick(bench, level, crew)
                else:
                    pool.submit(_kick, bench, level, crew).result()
        except BaseException as error:
            kickoff.failure = bench.classify(error)
        kickoff.end = time.monotonic()


def _kick(bench: Bench, level: Level, crew: Any) -> None:
    # crewai's own event of the kickoff finds this span, and takes it for its own.
    with bench.span("crew.kickoff", subject=level.subject, layer=Layer.CREW, simulated=level.simulated):
        crew.kickoff(inputs=dict(level.inputs) or None)


def _threads(bench: Bench, level: Level, copies: list[list[Any]]) -> None:
    pool = _pool(level)
    callers = []
    for number, crews in enumerate(copies):
        context = contextvars.copy_context()
        given = (_caller, bench, level, number, crews, pool)
        callers.append(threading.Thread(target=context.run, args=given, daemon=True))
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    if pool is not None:
        pool.shutdown(wait=False)


def _pool(level: Level) -> ThreadPoolExecutor | None:
    """The executor the user's code uses; None for one that is no bound."""
    if level.pool == "sized":
        return ThreadPoolExecutor(level.workers)
    return ThreadPoolExecutor() if level.pool == "default" else None


def _on_a_loop(bench: Bench, level: Level, copies: list[list[Any]]) -> None:
    asyncio.run(_gathered(bench, level, copies))


async def _gathered(bench: Bench, level: Level, copies: list[list[Any]]) -> None:
    if level.pool != "default":
        size = level.workers if level.pool == "sized" else 32 * level.n
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(size))
    beat = asyncio.create_task(_beat(level))
    await asyncio.gather(*(_awaiting(bench, level, number, crews) for number, crews in enumerate(copies)))
    beat.cancel()


async def _beat(level: Level) -> None:
    while True:
        due = time.monotonic() + BEAT
        await asyncio.sleep(BEAT)
        level.lag = max(level.lag, time.monotonic() - due)


async def _awaiting(bench: Bench, level: Level, number: int, crews: list[Any]) -> None:
    await asyncio.sleep(level.spread * number / level.n)
    for crew in crews:
        if level.stop:
            return
        kickoff = Kickoff(time.monotonic())
        level.kickoffs.append(kickoff)
        try:
            with bench.span("scale.kickoff", subject=level.subject, layer=Layer.CREW, n=level.n):
                await _begin(level, crew)
        except Exception as error:
            kickoff.failure = bench.classify(error)
        kickoff.end = time.monotonic()


def _begin(level: Level, crew: Any) -> Coroutine[Any, Any, Any]:
    """What `kickoff_for_each_async` and `akickoff_for_each` call for each copy."""
    given = dict(level.inputs) or None
    begun: Coroutine[Any, Any, Any] = (
        crew.akickoff(inputs=given) if level.style == "akickoff-each" else crew.kickoff_async(inputs=given)
    )
    return begun
