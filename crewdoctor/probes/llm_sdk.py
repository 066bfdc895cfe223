"""The crew's model through the raw OpenAI SDK: how long until it answers, without CrewAI in the way.

Latency is measured with a timeout of ours, longer than the user's, so that an answer slower than the user's timeout is
seen instead of cut off; only then one call with the user's own timeout and retries counts the attempts on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crewdoctor.llm import prompt, targets
from crewdoctor.llm.samples import SHORT_ANSWER, Sampling
from crewdoctor.llm.sdks import raw_model
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.scope import one_call

SHORTEST = 18.0
"""Less could not tell silence (10 s without a byte, CD208) from an honest model, on a machine that loads slowly."""
PROBE = Probe(
    id="llm.sdk", layer=Layer.LLM, question="the model answers in time", spends_tokens=True, shortest=SHORTEST
)

DEADLINE = 24.0
LONG_ANSWER = 1_000
"""Tokens assumed for an answer without a limit, in the plan's upper bound."""


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per distinct model."""
    embedded, once = options.llm == "embedded", one_call(options)
    calls = 0 if once else targets.samples(inventory, options)
    for llm, reason in targets.distinct(inventory, options):
        if reason:
            yield Skip(PROBE.id, PROBE.layer, llm.subject, reason)
            continue
        chars = prompt.length(inventory, llm)
        yield Step(
            id=f"{PROBE.id}@{llm.subject}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=llm.subject,
            worker="loaded",
            deadline=DEADLINE,
            args={
                "calls": calls,
                "chars": chars,
                "agents": prompt.speakers(inventory, llm),
                "once": once,
                "reserve": 0 if embedded else targets.likely(inventory),
            },
            lane=llm.endpoint,
            llm_calls=0 if embedded else calls + 1,
            tokens=0 if embedded else (calls + 1) * (chars // prompt.CHARS_PER_TOKEN + SHORT_ANSWER) + LONG_ANSWER,
            announce=f"call {llm.model} {'once' if once else f'up to {calls + 1} times'} through its SDK",
        )


def run(step: Step, bench: Bench) -> None:
    """Call it and note what it did.

    Facts: `cold warm first_token total gaps_max status answered hung calls attempts timeout max_retries`; `cut_off`
    where the user's own timeout ended the call made with it, or every answer took longer; `limited` (Retry-After in
    seconds, 0: not stated) where the provider turned a call away; `rationed` where it leaves fewer than the crew needs.
    """
    crew = bench.loaded()
    url = step.args.get("embedded_base_url")
    if url:
        crew.use_embedded(str(url))
    model = raw_model(crew, step.subject, direct=bool(url))
    agents = [crew.agent(str(each)) for each in step.args["agents"]]
    tasks = getattr(crew.crew, "tasks", None) or ()
    said = prompt.messages(agents[0] if agents else None, tasks, crew.inputs, int(step.args["chars"]))
    reserve = int(step.args.get("reserve", 0))
    sampling = Sampling(step.subject, bench, model, said, simulated=bool(url), reserve=reserve)
    sampling.once() if step.args.get("once") else sampling.run(int(step.args["calls"]))
