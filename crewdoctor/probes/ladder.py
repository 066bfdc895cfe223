"""The same work from a bare connection to a whole agent: the rung where time jumps is the layer that takes it.

All rungs take turns in one process, so that drift hits them alike. A jump is claimed only where an exact test supports
it (`sampling.jumps`); a paid model affords too few rounds for that, and the report then shows the figures alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crewdoctor.llm import targets
from crewdoctor.llm.rungs import Rungs
from crewdoctor.llm.samples import retry_after
from crewdoctor.llm.waiting import within
from crewdoctor.model.inventory import Inventory, LlmEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.sampling import conclusive, jumps, median

PROBE = Probe(id="ladder", layer=Layer.LLM, question="no layer above the wire adds time of its own", spends_tokens=True)

DEADLINE = 22.0
TOKENS_PER_CALL = 300
"""Of a one-word answer, an agent's own instructions included."""


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step, on the model of the first agent that has one to be called."""
    llm = _model(inventory, options)
    if llm is None:
        yield Skip(PROBE.id, PROBE.layer, f"crew:{inventory.crew}", "no model of this crew can be called raw")
        return
    embedded = options.llm == "embedded"
    rounds = targets.rounds(inventory, options)
    if not rounds:
        reason = (
            f"two rounds cost {2 * targets.CALLS_PER_ROUND} calls; --max-llm-calls {options.max_llm_calls} spares fewer"
        )
        yield Skip(PROBE.id, PROBE.layer, llm.subject, reason)
        return
    raw = f"llm.sdk@{llm.subject}"
    calls = 0 if embedded else rounds * targets.CALLS_PER_ROUND
    yield Step(
        id=f"{PROBE.id}@{llm.subject}",
        probe=PROBE.id,
        layer=PROBE.layer,
        subject=llm.subject,
        worker="loaded",
        deadline=DEADLINE,
        args={"rounds": rounds, "needs_answer_of": raw},
        after=(raw, f"llm.crewai@{llm.subject}"),
        lane=llm.endpoint,
        llm_calls=calls,
        tokens=calls * TOKENS_PER_CALL,
        announce=f"climb from a bare connection to a whole agent on {llm.model}, {rounds} times",
    )


def _model(inventory: Inventory, options: Options) -> LlmEntry | None:
    called = [llm for llm, reason in targets.distinct(inventory, options) if not reason]
    of_agents = {agent.llm for agent in inventory.agents}
    return next((llm for llm in called if of_agents & {llm.subject, *llm.users}), next(iter(called), None))


def run(step: Step, bench: Bench) -> None:
    """Facts: `rungs` (each a `model.report.Rung`, its samples beside it as `seconds`), `conclusive`, `ended`."""
    crew = bench.loaded()
    url = step.args.get("embedded_base_url")
    if url:
        crew.use_embedded(str(url))
    rungs = Rungs(crew, step.subject, direct=bool(url))
    climbed = _Climb(step, bench, simulated=bool(url))
    rungs.warm()
    if url:
        for _, call in rungs.all():
            within(bench.remaining() / 4, call)
    for number in range(int(step.args["rounds"])):
        began = time.monotonic()
        if not all(climbed.take(name, call, number) for name, call in rungs.all()):
            return
        climbed.told(rungs.left_out)
        if bench.remaining() < 1.5 * (time.monotonic() - began) + 1.0:
            bench.fact("ended", f"after {number + 1} rounds: no time for another")
            break
    rungs.close()


class _Climb:
    def __init__(self, step: Step, bench: Bench, *, simulated: bool) -> None:
        self.step, self.bench, self.simulated = step, bench, simulated
        self.samples: dict[str, list[float]] = {}

    def take(self, name: str, call: Callable[[], Any], number: int) -> bool:
        """Time one rung once; False when it failed or was still going, which ends the climb."""
        seconds = self.bench.remaining() - 1.0
        attrs: dict[str, Any] = {"rung": name, "round": number, "simulated": self.simulated}
        with self.bench.span("ladder.rung", subject=self.step.subject, **attrs) as span:
            began = time.monotonic()
            ended = within(seconds, call)
            took = time.monotonic() - began
            if ended is None:
                span.fail(Failure(FailureKind.DEADLINE, f"{name} did not end within {seconds:.1f} s"))
            elif ended.error is not None:
                failure = self.bench.classify(ended.error)
                span.fail(failure)
                if failure.kind is FailureKind.HTTP_RATE_LIMITED:
                    self.bench.fact("limited", retry_after(ended.error))
        if ended is None or ended.error is not None:
            self.bench.fact("ended", f"{name} {'was still going' if ended is None else 'failed'}")
            return False
        self.samples.setdefault(name, []).append(took)
        return True

    def told(self, left_out: str) -> None:
        """Note the rungs so far."""
        rungs = list(self.samples.items())
        risen = {each.upper for each in jumps(rungs)}
        below = 0.0
        facts = []
        for name, samples in rungs:
            middle = median(samples)
            note = f"below it: {left_out}" if left_out and name == "sdk" else ""
            rung = {"name": name, "samples": len(samples), "median": middle, "maximum": max(samples)}
            facts.append({**rung, "exclusive": max(0.0, middle - below), "jump": name in risen, "note": note})
            facts[-1]["seconds"] = samples
            below = middle
        self.bench.fact("rungs", facts)
        self.bench.fact("conclusive", conclusive(min(map(len, self.samples.values())), max(1, len(rungs) - 1)))
