"""Does an agent's max_execution_time end anything? The user's own agent runs into a server that stays silent.

Its limit is lowered to a second and its model, built again, to three: an agent that comes back at the first was
interrupted, one that comes back with its model's call was not. Once through `kickoff`, once through `akickoff`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from crewdoctor.llm.experiments import AGENT, AGENT_LIMIT, AGENT_WATCHED, MODEL_LIMIT
from crewdoctor.llm.waiting import within
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.phase import Phase
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, OpenSpan, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Failure, FailureKind

PROBE = Probe(id="agent.proof", layer=Layer.AGENT, question="max_execution_time ends what it should", shortest=16.0)

DEADLINE = 16.0
MOST_AGENTS = 3
"""What ends an agent, or does not, is crewai's, and mostly the same for all."""
WAYS = ("kickoff", "akickoff")
_ERROR_CHARS = 160


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """Two steps for each agent somebody gave a limit; nobody's default has one."""
    if not options.prove:
        return
    limited = {
        each.subject
        for each in inventory.settings
        if each.name == "max_execution_time" and isinstance(each.value, Seconds)
    }
    known = {llm.subject: llm.known for llm in inventory.llms}
    ports = sorted({each.port for each in inventory.endpoints if each.kind == "llm"})
    agents = [agent for agent in inventory.agents if agent.subject in limited]
    for number, agent in enumerate(agents):
        if number >= MOST_AGENTS:
            reason = f"{MOST_AGENTS} agents are run; `crewdoctor settings` has no time for each of {len(agents)}"
            yield Skip(PROBE.id, PROBE.layer, agent.subject, reason)
            continue
        if not known.get(agent.llm):
            yield Skip(PROBE.id, PROBE.layer, agent.subject, "its model is none crewdoctor knows how to build again")
            continue
        for way in WAYS:
            yield Step(
                id=f"{PROBE.id}@{agent.subject}#{way}",
                probe=PROBE.id,
                layer=PROBE.layer,
                subject=agent.subject,
                worker="loaded",
                deadline=DEADLINE,
                args={"redirected": True, "way": way, "llm": agent.llm, "ports": ports},
                announce=f"run {agent.subject} by {way} against a server that stays silent",
            )


def run(step: Step, bench: Bench) -> None:
    """One span, a kickoff with the agent's limit and its model's lowered; what ended it, and when."""
    crew = bench.loaded()
    lead = bench.redirect([int(port) for port in step.args["ports"]])
    model, written = crew.rebuilt(str(step.args["llm"]), MODEL_LIMIT)
    agent = crew.agent(step.subject)
    agent.max_execution_time = int(AGENT_LIMIT)
    agent.llm = model
    agent.tools = []
    lead.play(Phase.REQUEST)
    way = str(step.args["way"])
    with bench.span(
        AGENT,
        subject=step.subject,
        layer=Layer.AGENT,
        way=way,
        limit=AGENT_LIMIT,
        model_limit=MODEL_LIMIT if written else 0.0,
        watched=AGENT_WATCHED,
    ) as span:
        ended = within(AGENT_WATCHED, _kickoff(agent, way, span))
        if ended is None:
            span.fail(Failure(FailureKind.DEADLINE, f"still going after {AGENT_WATCHED:g} s"))
        elif ended.error is not None:
            text = " ".join(str(ended.error).split())[:_ERROR_CHARS]
            span.note(error=f"{type(ended.error).__name__}: {text}")
            span.fail(bench.classify(ended.error))
    if lead.outside:
        raise CannotProbe(f"the redirect does not hold: {lead.outside[0]}")


def _kickoff(agent: Any, way: str, span: OpenSpan) -> Callable[[], Any]:
    """A crew of this agent alone, at one task. Raises CannotProbe where its crewai has no such kickoff."""
    from crewai import Crew, Task

    task = Task(description="Say ok.", expected_output="ok", agent=agent)
    crew = Crew(agents=[agent], tasks=[task], memory=False)
    begin = getattr(crew, way, None)
    if begin is None:
        raise CannotProbe(f"this crewai has no {way}")
    if way == "kickoff":
        return begin  # type: ignore[no-any-return]
    return lambda: asyncio.run(_awaited(begin, span))


async def _awaited(begin: Callable[[], Any], span: OpenSpan) -> Any:
    """Await it; `raised` says when the awaiting code was told, which is before the loop may end."""
    began = time.monotonic()
    try:
        return await begin()
    except BaseException:
        span.note(raised=round(time.monotonic() - began, 3))
        raise
