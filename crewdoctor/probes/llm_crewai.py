"""The same model through `crewai.LLM.call`: what CrewAI adds to a call, its own retries included.

It is asked only where the raw SDK got an answer (`needs_answer_of`): a hang is paid once.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor.llm import prompt, targets
from crewdoctor.llm.samples import SHORT_ANSWER, retry_after
from crewdoctor.llm.sdks import raw_model
from crewdoctor.llm.waiting import within
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, LoadedCrew, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind

PROBE = Probe(id="llm.crewai", layer=Layer.LLM, question="CrewAI's own call takes no longer", spends_tokens=True)

DEADLINE = 20.0
MANY_MODULES = 100
"""Modules imported during a call from which its time says more about imports than about the model. Ours."""


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per distinct model, after its raw calls."""
    embedded = options.llm == "embedded"
    calls = targets.through_crewai(inventory, options)
    for llm, reason in targets.distinct(inventory, options):
        if reason:
            yield Skip(PROBE.id, PROBE.layer, llm.subject, reason)
            continue
        chars = prompt.length(inventory, llm)
        raw = f"llm.sdk@{llm.subject}"
        yield Step(
            id=f"{PROBE.id}@{llm.subject}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=llm.subject,
            worker="loaded",
            deadline=DEADLINE,
            args={"calls": calls, "chars": chars, "agents": prompt.speakers(inventory, llm), "needs_answer_of": raw},
            after=(raw,),
            lane=llm.endpoint,
            llm_calls=0 if embedded else calls,
            tokens=0 if embedded else calls * (chars // prompt.CHARS_PER_TOKEN + SHORT_ANSWER),
            announce=f"call {llm.model} up to {calls} times through crewai.LLM",
        )


def run(step: Step, bench: Bench) -> None:
    """Facts: `total` (seconds of answered calls, those that imported modules left out), `answered`, `imported`."""
    crew = bench.loaded()
    url = step.args.get("embedded_base_url")
    if url:
        crew.use_embedded(str(url))
    live = crew.llm(step.subject)
    agents = [crew.agent(str(each)) for each in step.args["agents"]]
    tasks = getattr(crew.crew, "tasks", None) or ()
    said = prompt.messages(agents[0] if agents else None, tasks, crew.inputs, int(step.args["chars"]))
    with _short_answers(crew, step.subject, live):
        _calls(step, bench, live, said)


@contextlib.contextmanager
def _short_answers(crew: LoadedCrew, subject: str, live: Any) -> Iterator[None]:
    """Ask for as short an answer as the raw samples did: a long one cut by our deadline would look like silence."""
    model = raw_model(crew, subject)
    name = model.limit_attribute
    before = getattr(live, name, None)
    setattr(live, name, SHORT_ANSWER)
    try:
        yield
    finally:
        setattr(live, name, before)


def _calls(step: Step, bench: Bench, live: Any, said: list[dict[str, str]]) -> None:
    total: list[float] = []
    slowest = 0.0
    for _ in range(int(step.args["calls"])):
        if bench.remaining() < 1.5 * slowest + 1.0:
            break
        before = len(sys.modules)
        with bench.span(
            "llm.call",
            subject=step.subject,
            layer=Layer.LLM,
            model=str(getattr(live, "model", "")),
            stream=bool(getattr(live, "stream", False)),
            layer_used="crewai",
            simulated=bool(step.args.get("embedded_base_url")),
            prompt_chars=sum(len(each["content"]) for each in said),
        ) as span:
            began = time.monotonic()
            seconds = bench.remaining() - 1.0
            ended = within(seconds, lambda: live.call([dict(each) for each in said]))
            slowest = max(slowest, time.monotonic() - began)
            if ended is None:
                span.fail(Failure(FailureKind.DEADLINE, f"no answer within {seconds:.1f} s"))
            elif ended.error is not None:
                failure = bench.classify(ended.error)
                span.fail(failure)
                if failure.kind is FailureKind.HTTP_RATE_LIMITED:
                    bench.fact("limited", retry_after(ended.error))
            imported = len(sys.modules) - before
            span.note(imported=imported)
        bench.fact("answered", ended is not None and ended.error is None)
        if ended is None or ended.error is not None:
            break
        bench.fact("imported", imported)
        if imported < MANY_MODULES:
            total.append(time.monotonic() - began)
        bench.fact("total", total)
