"""Kickoffs queue for a thread: a pool runs fewer of them at once than were started.

## What it compares
How many kickoffs were at work at once, at each level of the ramp, with the size of the pool their work waited for. It
speaks where exactly as many were at work as the pool has threads, more had been started, and waiting for a thread was
at least a tenth of the kickoffs' time (ours).

## Why it matters
`kickoff_async`, `kickoff_for_each_async` and `akickoff_for_each` run every kickoff, or its model and tool calls, in the
event loop's default executor. It has min(32, cpu + 4) threads: 5 on one core, 32 on the largest machine, and a
container counts the cores of its node. Everybody else waits without a word, and the clocks around the crew run.

## Example
16 kickoffs on two cores: 6 at work at once, the others waited up to 3.1 s, while the model answered as fast as alone.

## How to fix
Give the loop a larger executor before the first kickoff, or start no more kickoffs than it has threads (a semaphore).

## References
- Python documentation, `concurrent.futures.ThreadPoolExecutor`: max_workers defaults to min(32, cpu + 4)
- crewAI `crew.py`, `kickoff_async` (`asyncio.to_thread`), seen in 1.15.30; `crews/utils.py`, `run_for_each_async`
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from crewdoctor import wording
from crewdoctor.calls import overlap, overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Span
from crewdoctor.ramp import LARGEST, MORE, Level, Ramp, ramp

SHARE = 0.1
_DEFAULT = "asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(max_workers={n}))"
_THREADS = "ThreadPoolExecutor(max_workers={n})"
_AT_WORK = {"": ("crew.kickoff",), " calls of models and tools": ("llm.call", "tool.call")}
"""What a thread is needed for, in words: the first that ran exactly as often at once as there are threads is told."""


@rule("CD602", since="0.1", needs=("span:scale.level", "result:scale.ramp"), uses=("inventory",))
def thread_pool_starved(evidence: Evidence) -> Iterator[Finding]:
    """One finding about the pool most was waited for, at the level where that was longest."""
    climbed = ramp(evidence)
    if climbed is None:
        return
    for level in reversed(climbed.loaded):
        starved = _starved(evidence, level)
        if starved:
            waits, workers, kind = starved
            yield _finding(evidence, climbed, level, waits, workers, kind)
            return


def _starved(evidence: Evidence, level: Level) -> tuple[list[Span], int, str] | None:
    """The waits, the size of the pool, and what was at work in it."""
    # What a tool hands to a pool of its own is the tool's business.
    waits = [each for each in level.named("thread.wait") if not each.subject.startswith("tool:")]
    sizes = {size for each in waits if isinstance(size := each.attrs.get("workers"), int) and size < level.n}
    spent = sum(each.seconds(evidence.end_of(each)) for each in level.named("scale.kickoff"))
    for size in sorted(sizes):
        held = [each for each in waits if each.attrs.get("workers") == size]
        waited = sum(each.seconds(evidence.end_of(each)) for each in held)
        at_work = {words: [each for name in names for each in level.named(name)] for words, names in _AT_WORK.items()}
        kind = next((words for words, spans in at_work.items() if overlap(spans, evidence) == size), None)
        if kind is not None and waited >= SHARE * spent:
            return held, size, kind
    return None


def _finding(evidence: Evidence, climbed: Ramp, level: Level, waits: list[Span], workers: int, kind: str) -> Finding:
    seen = evidence.inventory.kickoffs
    longest = max(each.seconds(evidence.end_of(each)) for each in waits)
    cpus = evidence.recording.header.cpus
    default = f", min({LARGEST}, {cpus} cores + {MORE})" if workers == min(LARGEST, cpus + MORE) else ""
    threads = climbed.result.facts.get("style") == "threads"
    pool = "the executor they were handed to" if threads or not default else "the event loop's default executor"
    crew = f"crew:{evidence.inventory.crew}" if evidence.inventory.crew else "crew"
    where = wording.place(seen.location, evidence.inventory.project_root) if seen else ""
    return Finding(
        code="CD602",
        slug="thread_pool_starved",
        severity=Severity.WARNING,
        layer=Layer.CREW,
        subject=crew,
        message=(
            f"Of {level.n} kickoffs started at once, {workers}{kind} were at work: {pool} has {workers} "
            f"threads{default}. One waited {wording.seconds(longest)} for a thread{_flat(evidence, climbed, level)}."
            f"{overload(evidence)}"
        ),
        evidence=(level.span.id, climbed.alone.span.id, *(each.id for each in waits)),
        measured=Quantity("kickoffs started at once", level.n, "kickoffs", n=len(level.named("scale.kickoff"))),
        limit=Quantity("threads of the pool", workers, "threads", where=where or "default of Python"),
        location=seen.location if seen else None,
        fix=Fix(
            f"Give it {level.n} threads, or start at most {workers} at once",
            (_THREADS if threads else _DEFAULT).format(n=level.n),
        ),
        lost=sum(each.seconds(evidence.end_of(each)) for each in waits),
        attrs={"change": f"executor:{level.n}"},
    )


def _flat(evidence: Evidence, climbed: Ramp, level: Level) -> str:
    """How long the model took meanwhile, and alone."""
    before, now = (
        [each.seconds(evidence.end_of(each)) for each in held.named("http.request") if each.subject.endswith("/llm")]
        for held in (climbed.alone, level)
    )
    if not before or not now:
        return ""
    return f", while the model took {wording.seconds(median(now))} (alone {wording.seconds(median(before))})"
