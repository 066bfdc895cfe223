"""The full crew, run as its own program runs it, and recorded.

It runs with the user's own settings. With the embedded model the arguments of its tools are invented: they are
guarded, and nothing the crew would do with an invented result is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.model.setting import Seconds
from crewdoctor.probes import _cooling as cooling
from crewdoctor.probes._cap import capped
from crewdoctor.probes._consequences import forgive_guardrails, unattended, without_consequences
from crewdoctor.probes._follow import follow

PROBE = Probe("crew.kickoff", Layer.CREW, "the whole crew runs to its end", stage=2, spends_tokens=True)

WATCHED = 3600.0
"""Seconds at most while a person watches it move."""
AFFORDABLE_SILENCE = 20.0
"""Seconds a kickoff on a silent model may take to give up by itself, for it to be worth running."""
LONGEST_WAIT = 30.0
"""Seconds a tool that was silent alone is waited for in the crew, where a timeout of its own will end it."""
EXECUTIONS = 3
"""Of a failing agent on crewai's default `max_retry_limit` of 2."""
CHARS_PER_TOKEN, ANSWER_TOKENS = 4, 1000
CALLS_PER_TASK = 2


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step, unless the model answered nothing at all: that hang is paid for already."""
    subject = f"crew:{inventory.crew}"
    if not inventory.tasks:
        yield Skip(PROBE.id, PROBE.layer, subject, "the crew has no tasks")
        return
    if reason := _silent_model(results):
        yield Skip(PROBE.id, PROBE.layer, subject, reason)
        return
    embedded = options.llm == "embedded"
    likely = len(inventory.tasks) * CALLS_PER_TASK + len(inventory.tools)
    left = options.max_llm_calls - sum(result.llm_calls for result in results)
    if not embedded and left <= 0:
        reason = (
            f"no call of its own model is left (--max-llm-calls {options.max_llm_calls}); about {likely} are needed"
        )
        yield Skip(PROBE.id, PROBE.layer, subject, reason)
        return
    prompt = max((task.prompt_chars for task in inventory.tasks), default=0) + max(
        (agent.prompt_chars for agent in inventory.agents), default=0
    )
    announce = f"run the whole crew as it is, with at most {left} calls of its model (about {likely} expected)"
    written = [task.output_file for task in inventory.tasks if task.output_file]
    announce += f"; it writes {', '.join(written)}" if written else ""
    if embedded:
        announce = "run the whole crew on the simulated model; tools that would write are stopped"
    if pause := 0.0 if embedded else cooling.seconds(results):
        announce += f", {pause:.0f} s after crewdoctor met the provider's rate limit"
    yield Step(
        f"{PROBE.id}@{subject}",
        PROBE.id,
        PROBE.layer,
        subject,
        "loaded",
        WATCHED if options.interactive else options.deadline,
        args={
            "most_llm_calls": None if embedded else left,
            "pause": pause,
            "tools": [tool.subject for tool in inventory.tools],
            "may_write": [tool.subject for tool in inventory.tools if tool.name in options.allow_tools],
            "agents": [agent.subject for agent in inventory.agents],
            "bounded": _bounded(inventory),
        },
        llm_calls=0 if embedded else left,
        tokens=0 if embedded else left * (prompt // CHARS_PER_TOKEN + ANSWER_TOKENS),
        announce=announce,
        condition="" if results else "the model answers when it is called alone",
    )


def run(step: Step, bench: Bench) -> None:
    """Facts: `result error seconds agents tools blocked left_out llm_calls llm_calls_capped paused`."""
    loaded = bench.loaded()
    url = step.args.get("embedded_base_url")
    left_out = unattended(loaded.crew)
    if url:
        bench.fact("replaced", loaded.use_embedded(str(url)))
        left_out += without_consequences(loaded.crew)
        forgive_guardrails(loaded.crew, bench.blocked)
    bench.fact("left_out", left_out)
    cooling.wait(bench, float(step.args.get("pause", 0.0)))
    began = time.monotonic()
    with (
        bench.guard_writes(allowed=not url, tools=step.args["may_write"]),
        capped(bench, step.args["most_llm_calls"]),
        follow(bench, step.args["tools"], {each: loaded.agent(each) for each in step.args["agents"]}),
    ):
        try:
            with bench.span("crew.kickoff", subject=step.subject, layer=Layer.CREW, simulated=bool(url)):
                loaded.crew.kickoff(inputs=loaded.inputs or None)
        except BaseException as error:
            failure = bench.classify(error)
            bench.fact("result", failure.kind.value)
            bench.fact("error", failure.text)
            bench.fact("exception", failure.exception)
        else:
            bench.fact("result", "completed")
    bench.fact("seconds", time.monotonic() - began)
    if bench.blocked():
        bench.fact("blocked", sorted(set(bench.blocked())))


def _bounded(inventory: Inventory) -> dict[str, float]:
    """Tool → the timeout somebody wrote for it, as far as the crew can wait for it: slow and honest is then no hang."""
    return {
        setting.subject: min(setting.value.value, LONGEST_WAIT)
        for setting in inventory.settings
        if setting.scope == "tool"
        and setting.name == "timeout"
        and setting.written
        and isinstance(setting.value, Seconds)
    }


def _silent_model(results: Sequence[StepResult]) -> str:
    """Why running the crew would only repeat a silence; empty where some model answered or would give up soon."""
    asked = [result for result in results if result.step.probe == "llm.sdk" and "answered" in result.facts]
    if not asked or any(result.facts["answered"] or not result.facts.get("hung") for result in asked):
        return ""
    ceilings = [_gives_up_after(result) for result in asked]
    if max(ceilings) <= AFFORDABLE_SILENCE:
        return ""
    return f"the model of {asked[0].step.subject} never answered: running the crew would show nothing new"


def _gives_up_after(result: StepResult) -> float:
    timeout = result.facts.get("timeout")
    seconds = timeout.get("timeout") if isinstance(timeout, dict) else None
    retries = result.facts.get("max_retries")
    if not isinstance(seconds, (int, float)) or not isinstance(retries, int):
        return float("inf")
    return float(seconds) * (retries + 1) * EXECUTIONS
