"""What the rules of many kickoffs at once are shown: a ramp of levels, each a closed loop of `n` callers."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from recordings import AGENT, CREW, LLM, TOOL, Scene

from crewdoctor.model.setting import Location
from crewdoctor.model.span import FailureKind

ALONE = 2.0
"""Seconds of a kickoff: a model call of 0.7, a tool call of 0.6, a model call of 0.7."""
MODEL, LOOKUP = 0.7, 0.6


@dataclass
class Loaded:
    """What is slow at a level."""

    queue: float = 0.0
    """Seconds a kickoff waits for what nobody saw."""
    workers: int = 0
    """Threads of its pool; 0: none."""
    model: float = MODEL
    tool: float = LOOKUP
    pool: float = 0.0
    """Seconds a request of the model waits for a connection."""
    status: int = 200
    failure: FailureKind | None = None
    """Of the tool's call."""
    cores: float = 0.1
    late: float = 0.002

    @property
    def kickoff(self) -> float:
        return 2 * (self.model + self.pool) + self.tool


def ramp(scene: Scene, levels: dict[int, Loaded], stopped_by: str, **facts: object) -> str:
    """Two kickoffs a caller. Returns the step."""
    at, rows = 20.0, []
    step = scene.step("scale.ramp", CREW, at, at, style="async-each", pool="default", workers=0, **facts)
    for n, loaded in levels.items():
        level = scene.span(step, "scale.level", at, None, n=n, style="async-each", simulated=False)
        runs = list(_schedule(at, n, loaded))
        for start, begun, end in runs:
            _kickoff(scene, step, level, (start, begun, end), n, loaded)
        took = [end - start for start, _, end in runs]
        over = max(end for _, _, end in runs) + 0.05
        scene.lines.append({"k": "close", "id": level, "end": over, "failure": None, "attrs": {}})
        row = {"n": n, "started": 2 * n, "ended": 2 * n, "failed": 0, "median": median(took), "longest": max(took)}
        row |= {"per_second": n / median(took), "seconds": over - at, "cores": loaded.cores, "late": loaded.late}
        rows.append({**row, "complete": True})
        at = over + 0.2
    result = scene.results[-1]
    result.facts.update(levels=rows, stopped_by=stopped_by)
    object.__setattr__(result, "end", at)
    scene.end = at
    return step


def _schedule(at: float, n: int, loaded: Loaded) -> Iterator[tuple[float, float, float]]:
    """Two kickoffs of each caller: handed over, begun in a thread, over. Without a pool each begins at once."""
    waiting = [(at + ALONE * caller / n, caller, 2) for caller in range(n)]
    threads = [at] * (loaded.workers or n)
    while waiting:
        start, caller, left = heapq.heappop(waiting)
        begun = max(start + loaded.queue, heapq.heappop(threads))
        end = begun + loaded.kickoff
        heapq.heappush(threads, end)
        yield start, begun, end
        if left > 1:
            heapq.heappush(waiting, (end + 0.001, caller, left - 1))


def _kickoff(scene: Scene, step: str, level: str, times: tuple[float, float, float], n: int, loaded: Loaded) -> None:
    start, begun, end = times
    whole = scene.span(step, "scale.kickoff", start, end, parent=level, n=n)
    if loaded.workers and begun > start:
        scene.span(step, "thread.wait", start, begun, parent=whole, workers=loaded.workers)
    kickoff = scene.span(step, "crew.kickoff", begun, end, parent=whole)
    agent = scene.span(step, "agent.execution", begun, end, subject=AGENT, parent=kickoff)
    middle = begun + loaded.pool + loaded.model
    _call(scene, step, agent, begun, loaded)
    scene.tool(step, middle, middle + loaded.tool, parent=agent, failure=loaded.failure, source="model", timeout=30.0)
    _call(scene, step, agent, middle + loaded.tool, loaded)


def _call(scene: Scene, step: str, agent: str, start: float, loaded: Loaded) -> None:
    """One call of the model with its one request and what lies on the wire."""
    end = start + loaded.pool + loaded.model
    limited = FailureKind.HTTP_RATE_LIMITED if loaded.status == 429 else None
    call = scene.span(step, "llm.call", start, end, subject=LLM, parent=agent, failure=limited, model="gpt-4o")
    peer = {"host": "model.internal", "port": 8000}
    request = scene.span(
        step,
        "http.request",
        start,
        end,
        subject=LLM,
        parent=call,
        failure=limited,
        client="httpx",
        status=loaded.status,
        first_byte=end - start,
        **peer,
    )
    if loaded.pool:
        scene.span(step, "pool.wait", start, start + loaded.pool, subject=LLM, parent=request, client="httpx", size=2)
    scene.span(step, "net.exchange", start + loaded.pool, end, subject=LLM, parent=request, **peer)


def flat(*levels: int) -> dict[int, Loaded]:
    """Nothing is slow at any of these."""
    return {n: Loaded() for n in levels}


def cd601_fires(scene: Scene) -> None:
    """Eight take four times as long as one, and nothing that is known takes the time."""
    scene.crew()
    ramp(scene, {**flat(1, 2), 4: Loaded(queue=0.5), 8: Loaded(queue=4.0)}, "knee")


def cd601_quiet(scene: Scene) -> None:
    """Eight take as long as one."""
    scene.crew()
    ramp(scene, flat(1, 2, 4, 8), "max-concurrency")


def cd602_fires(scene: Scene) -> None:
    """Six threads for sixteen."""
    scene.crew()
    ramp(scene, {**flat(1, 4), 16: Loaded(workers=6)}, "knee")


def cd602_quiet(scene: Scene) -> None:
    """The pool has a thread for each; what a tool hands to its own pool waits there, which is the tool's business."""
    scene.crew()
    step = ramp(scene, flat(1, 2, 4, 8), "max-concurrency")
    level = next(line["id"] for line in reversed(scene.lines) if line.get("name") == "scale.level")
    start = next(line["start"] for line in scene.lines if line.get("id") == level)
    call = scene.span(step, "tool.call", start, start + 3.0, subject=TOOL, parent=level)
    scene.span(step, "thread.wait", start, start + 2.0, subject=TOOL, parent=call, workers=2)


def cd223_fires(scene: Scene) -> None:
    """Eight kickoffs, answers four times as slow as alone."""
    scene.crew()
    ramp(scene, {**flat(1, 2), 8: Loaded(model=3.2)}, "knee")


def cd223_quiet(scene: Scene) -> None:
    """As slow, on a machine that was itself out of breath: the server is not blamed."""
    scene.crew()
    ramp(scene, {**flat(1, 2), 8: Loaded(model=3.2, cores=0.95, late=0.3)}, "knee")


def cd604_fires(scene: Scene) -> None:
    """With eight kickoffs every call is turned away."""
    scene.crew()
    ramp(scene, {**flat(1, 2), 8: Loaded(status=429)}, "errors")


def cd604_quiet(scene: Scene) -> None:
    """It turns away whoever asks, one alone as well: no question of scale."""
    scene.crew()
    ramp(scene, {n: Loaded(status=429) for n in (1, 2)}, "errors")


def cd230_fires(scene: Scene) -> None:
    """Requests wait as long for a connection as for their answer."""
    scene.crew()
    ramp(scene, {**flat(1, 2), 8: Loaded(pool=0.9)}, "knee")


def cd230_quiet(scene: Scene) -> None:
    """They wait for a moment, as on any full pool."""
    scene.crew()
    ramp(scene, {**flat(1, 2), 8: Loaded(pool=0.02)}, "max-concurrency")


CHECK = Location("crew.py", 31, "check", "requests.get(RULES, timeout=20)")


def _held(scene: Scene, looks: int) -> None:
    """The loop of eight kickoffs is held for half of the time; `looks` of ours found it at a line of the user's."""
    scene.crew()
    step = ramp(scene, {**flat(1, 2), 8: Loaded(queue=4.0)}, "knee")
    scene.results[-1].facts["levels"][-1] |= {"lag": 0.6, "held": 8.0, "seconds": 14.0}
    level = next(line for line in reversed(scene.lines) if line.get("name") == "scale.level")
    for look in range(looks):
        scene.stack(step, level["start"] + look, level["id"], "recv", seconds=0.3, line=CHECK, loop_late=True)


def cd606_fires(scene: Scene) -> None:
    """Five looks, one line."""
    _held(scene, 5)


def cd606_quiet(scene: Scene) -> None:
    """One look: whoever was there may have been there by chance."""
    _held(scene, 1)
