"""Do the timeouts and retries of the crew's models hold? Each model is built again and let run into a server of ours.

One step per way to fail: a process whose connections are all led to that server, with real host names and verified
certificates. All models of the crew call it at once, each with its own arguments but for the timeouts somebody wrote:
those are lowered to a second. Nothing reaches a provider, and no token is spent.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor import wording
from crewdoctor.llm.experiments import CALL, EXPERIMENTS, Experiment
from crewdoctor.llm.waiting import within
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.phase import Phase
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind

PROBE = Probe(id="llm.proof", layer=Layer.LLM, question="what is set for the models holds", shortest=16.0)

DEADLINE = 16.0
_SAID = [{"role": "user", "content": "Say ok."}]
_ERROR_CHARS = 160


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per experiment, for all models that can be read."""
    known = [llm.subject for llm in inventory.llms if llm.known]
    if not options.prove or not known:
        return
    for each in EXPERIMENTS:
        yield Step(
            id=f"{PROBE.id}@{each.name}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=f"a server that {each.told}",
            worker="loaded",
            deadline=DEADLINE,
            args={"redirected": True, "experiment": each.name, "models": known, "ports": _ports(inventory)},
            announce=f"lead {wording.plural(len(known), 'rebuilt model')} to a server that {each.told}",
        )


def _ports(inventory: Inventory) -> list[int]:
    return sorted({each.port for each in inventory.endpoints if each.kind == "llm"})


def run(step: Step, bench: Bench) -> None:
    """Facts: `refused` (subject to the reason why a model could not be built again), `calls` (made)."""
    experiment = next(each for each in EXPERIMENTS if each.name == step.args["experiment"])
    crew = bench.loaded()
    lead = bench.redirect([int(port) for port in step.args["ports"]])
    models: dict[str, tuple[Any, dict[str, float]]] = {}
    refused: dict[str, str] = {}
    for subject in map(str, step.args["models"]):
        try:
            models[subject] = crew.rebuilt(subject, experiment.limit)
        except CannotProbe as reason:  # noqa: PERF203 - the next one may be built
            refused[subject] = str(reason)
    bench.fact("refused", refused)
    lead.play(Phase(experiment.phase), status=experiment.status, headers=experiment.headers, body='{"error": {}}')
    calls = [
        threading.Thread(
            target=contextvars.copy_context().run,
            args=(_call, bench, experiment, subject, model, written),
            name=f"crewdoctor-experiment-{number}",
            daemon=True,
        )
        for number, (subject, (model, written)) in enumerate(models.items())
    ]
    for thread in calls:
        thread.start()
    for thread in calls:
        thread.join(bench.remaining())
    bench.fact("calls", len(calls))
    if lead.outside:
        raise CannotProbe(f"the redirect does not hold: {lead.outside[0]}")


def _call(bench: Bench, experiment: Experiment, subject: str, model: Any, written: dict[str, float]) -> None:
    span_of = bench.span(
        CALL,
        subject=subject,
        layer=Layer.LLM,
        phase=experiment.name,
        written=written,
        limit=experiment.limit if written else 0.0,
        watched=experiment.seconds,
    )
    with contextlib.suppress(Exception), span_of as span:
        ended = within(experiment.seconds, lambda: model.call([dict(each) for each in _SAID]))
        if ended is None:
            span.fail(Failure(FailureKind.DEADLINE, f"still waiting after {experiment.seconds:g} s"))
        elif ended.error is not None:
            text = " ".join(str(ended.error).split())[:_ERROR_CHARS]
            span.note(error=f"{type(ended.error).__name__}: {text}")
            span.fail(bench.classify(ended.error))
