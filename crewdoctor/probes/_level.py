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
HELD, MOST_LOOKS = 0.25, 40
"""Seconds the loop may be late before somebody holds it (rules.md: CD606); looks at who does, at most, in a level."""


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
    gate: int = 0
    """Kickoffs let through at once, the others taking their turn before their clocks run; 0: no gate."""
    kickoffs: list[Kickoff] = field(default_factory=list)
    lag: float = 0.0
    """Seconds the event loop was late, at most."""
    beaten: float = 0.0
    """When the event loop last had its turn; 0: there is none."""
    loop: int = 0
    """Its thread."""
    held: float = 0.0
    """Seconds in which it was held for longer than `HELD` at a time."""
    late: list[float] = field(default_factory=list)
    """Seconds a thread of ours that only sleeps woke up late, look by look: the machine, or Python's lock."""
    asleep: float = 0.0
    """When a kickoff was first seen to sleep for `max_rpm`; 0: never."""
    complete: bool = False
    stop: bool = False
    """Set from outside: no caller starts another kickoff."""


def run(bench: Bench, level: Level, copies: list[list[Any]], until: Callable[[], bool], span: str = "") -> None:
    """Run the level; `copies` holds `rounds` crews for each caller. Returns early, threads still at work, when `until`.

    What is still going then has a span without an end. `span`: the level's, for looks at who holds the event loop.
    """
    looked: list[float] = []
    body = _threads if level.style == "threads" else _on_a_loop
    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(body, bench, level, copies), name="crewdoctor-level", daemon=True
    )
    thread.start()
    while thread.is_alive() and not until():
        due = time.monotonic() + POLL
        time.sleep(POLL)
        now = time.monotonic()
        level.late.append(now - due)
        if level.beaten and now - level.beaten > HELD and level.beaten not in looked and len(looked) < MOST_LOOKS:
            looked.append(level.beaten)
            bench.look_at(level.loop, seconds=round(now - level.beaten, 3), span=span, loop_late=True)
    level.stop = True
    level.complete = not thread.is_alive()


def _caller(bench: Bench, level: Level, number: int, crews: list[Any], bounds: _Bounds) -> None:
    time.sleep(level.spread * number / level.n)
    for crew in crews:
        with bounds.gate:
            if level.stop:
                return
            kickoff = Kickoff(time.monotonic())
            level.kickoffs.append(kickoff)
            try:
                with bench.span("scale.kickoff", subject=level.subject, layer=Layer.CREW, n=level.n):
                    if bounds.pool is None:
                        _kick(bench, level, crew)
                    else:
                        bounds.pool.submit(_kick, bench, level, crew).result()
            except BaseException as error:
                kickoff.failure = bench.classify(error)
            kickoff.end = time.monotonic()


@dataclass(slots=True)
class _Bounds:
    """What holds callers back: the user's executor, and a gate of ours."""

    pool: Executor | None
    gate: threading.Semaphore


def _kick(bench: Bench, level: Level, crew: Any) -> None:
    # crewai's own event of the kickoff finds this span, and takes it for its own.
    with bench.span("crew.kickoff", subject=level.subject, layer=Layer.CREW, simulated=level.simulated):
        crew.kickoff(inputs=dict(level.inputs) or None)


def _threads(bench: Bench, level: Level, copies: list[list[Any]]) -> None:
    bounds = _Bounds(_pool(level), threading.Semaphore(level.gate or level.n))
    callers = []
    for number, crews in enumerate(copies):
        context = contextvars.copy_context()
        given = (_caller, bench, level, number, crews, bounds)
        callers.append(threading.Thread(target=context.run, args=given, daemon=True))
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    if bounds.pool is not None:
        bounds.pool.shutdown(wait=False)


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
    gate = asyncio.Semaphore(level.gate or level.n)
    await asyncio.gather(*(_awaiting(bench, level, number, crews, gate) for number, crews in enumerate(copies)))
    beat.cancel()
    level.beaten = 0.0


async def _beat(level: Level) -> None:
    level.loop = threading.get_ident()
    while True:
        level.beaten = time.monotonic()
        await asyncio.sleep(BEAT)
        late = time.monotonic() - level.beaten - BEAT
        level.lag = max(level.lag, late)
        level.held += late if late > HELD else 0.0


async def _awaiting(bench: Bench, level: Level, number: int, crews: list[Any], gate: asyncio.Semaphore) -> None:
    await asyncio.sleep(level.spread * number / level.n)
    for crew in crews:
        async with gate:
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
