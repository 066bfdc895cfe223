"""One agent, one task: first without tools, then with halves of them, until the latency or the failure returns.

Only for agents whose model and tools are well alone, and which still fail or jump in the crew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crewdoctor.model.inventory import AgentEntry, Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.probes._symptoms import symptom, tools_alone

PROBE = Probe(
    id="agent.bisect",
    layer=Layer.AGENT,
    question="the agent works with each of its tools",
    stage=3,
    spends_tokens=True,
)
DEADLINE = 45.0
SLACK, FACTOR = 1.0, 3.0
"""A round is slow when it takes so many seconds, and times its tools' own time, more than the model needs. Ours."""
SHORTEST_ROUND = 5.0
TASK = "Use each of your tools once, then answer in one sentence."
CALLS_PER_ROUND = 2


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per agent with an unexplained symptom; what might happen, in a dry run."""
    for agent in inventory.agents:
        tools = _tools_of(inventory, agent)
        if not tools:
            continue
        why = symptom(inventory, agent, tools, results) if results else ""
        if results and not why:
            continue
        rounds = 2 + 2 * max(1, (len(tools) - 1).bit_length())
        calls = 0 if options.llm == "embedded" else rounds * (CALLS_PER_ROUND + len(tools))
        yield Step(
            id=f"{PROBE.id}@{agent.subject}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=agent.subject,
            worker="loaded",
            deadline=DEADLINE,
            args={
                "tools": list(tools),
                "alone": tools_alone(results, tools),
                "symptom": why,
                "slack": SLACK,
                "may_write": [tool for tool in tools if tool.partition(":")[2] in options.allow_tools],
            },
            llm_calls=calls,
            tokens=calls * (agent.prompt_chars // 4 + 500),
            lane="agents",
            announce=f"run agent {agent.role} without tools, then with halves of them" + (f": {why}" if why else ""),
            condition="" if results else "its model and tools are well alone, and it fails or slows down in the crew",
        )


def _tools_of(inventory: Inventory, agent: AgentEntry) -> tuple[str, ...]:
    of_tasks = [tool for task in inventory.tasks if task.agent == agent.subject for tool in task.tools]
    return tuple(dict.fromkeys((*agent.tools, *of_tasks)))


def run(step: Step, bench: Bench) -> None:
    """Facts: `rounds` [{tools, seconds, failure}], `culprit` (subjects of tools; empty list: the agent itself)."""
    loaded = bench.loaded()
    url = step.args.get("embedded_base_url")
    if url:
        loaded.use_embedded(str(url))
    tools = {subject: loaded.tool(subject) for subject in step.args["tools"]}
    rounds = _Rounds(step, bench, loaded.agent(step.subject), tools)
    with bench.guard_writes(allowed=not url, tools=step.args["may_write"]):
        if rounds.sick(()):
            bench.fact("culprit", [])
            return
        suspects = tuple(tools)
        if not rounds.sick(suspects):
            bench.fact("reproduced", False)
            return
        while len(suspects) > 1:
            half = len(suspects) // 2
            first, second = suspects[:half], suspects[half:]
            if rounds.sick(first):
                suspects = first
            elif rounds.sick(second):
                suspects = second
            else:
                break
        bench.fact("culprit", list(suspects))


class _Rounds:
    """Runs the agent with a set of tools, notes how it went, and judges it against the run without tools."""

    def __init__(self, step: Step, bench: Bench, agent: Any, tools: Mapping[str, Any]) -> None:
        self._step, self._bench, self._agent, self._tools = step, bench, agent, tools
        self._held: list[dict[str, Any]] = []
        self._without = 0.0

    def sick(self, subjects: Sequence[str]) -> bool:
        """Whether it fails with these tools, or takes longer than they and the agent alone account for."""
        alone: dict[str, float] = self._step.args["alone"]
        expected = sum(alone.get(subject, 0.0) for subject in subjects)
        if not subjects:
            held = self._round(subjects, self._bench.remaining() / 2)
            self._without = float(held["seconds"])
            return bool(held["failure"])
        limit = self._without * (1 + len(subjects)) + FACTOR * expected + float(self._step.args["slack"])
        held = self._round(subjects, max(SHORTEST_ROUND, 2 * limit))
        return bool(held["failure"]) or held["seconds"] > limit

    def _round(self, subjects: Sequence[str], seconds: float) -> dict[str, Any]:
        seconds = min(seconds, self._bench.remaining() - 1.0)
        if seconds < 1.0:
            raise CannotProbe("the time left does not suffice to add the tools back one half after the other")
        failures: list[str] = []
        thread = threading.Thread(target=self._kickoff, args=(subjects, failures), daemon=True)
        began = time.monotonic()
        thread.start()
        thread.join(seconds)
        failure = "deadline" if thread.is_alive() else next(iter(failures), "")
        held = {"tools": list(subjects), "seconds": time.monotonic() - began, "failure": failure}
        self._held.append(held)
        self._bench.fact("rounds", self._held)
        return held

    def _kickoff(self, subjects: Sequence[str], failures: list[str]) -> None:
        try:
            from crewai import Crew, Task

            agent = self._agent.copy()  # a round that does not end keeps its agent
            agent.tools = [self._tools[subject] for subject in subjects]
            task = Task(description=TASK, expected_output="One sentence.", agent=agent)
            with self._bench.span(
                "agent.execution", subject=self._step.subject, layer=Layer.AGENT, tools=list(subjects)
            ):
                Crew(agents=[agent], tasks=[task]).kickoff()
        except BaseException as error:
            failures.append(self._bench.classify(error).kind.value)
