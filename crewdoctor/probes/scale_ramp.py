"""The crew at 1, 2, 4, 8, ... kickoffs at once, in one process, as the user's own code starts them.

It stops at the knee, at errors, at the cap of calls or before the deadline; never does it start more than announced.
Tools that would write are stopped unless the user allowed them: the crew runs dozens of times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.locality import UNASKED, is_local
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.probes import _pace as pace
from crewdoctor.probes._cap import capped
from crewdoctor.probes._climb import climb, prepared

PROBE = Probe(
    "scale.ramp", Layer.CREW, "the crew keeps its pace when it is run many times at once", 4, spends_tokens=True
)

CHARS_PER_TOKEN, ANSWER_TOKENS, CALLS_PER_TASK = 4, 500, 2


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step; none for a crew without tasks or whose kickoff is known to fail or hang alone."""
    subject = f"crew:{inventory.crew}"
    style, pool, workers = style_of(inventory, options)
    if reason := _hopeless(inventory, options, results, style):
        yield Skip(PROBE.id, PROBE.layer, subject, reason)
        return
    embedded = options.llm == "embedded"
    left = options.max_llm_calls - sum(result.llm_calls for result in results)
    foreign = [] if options.yes_load_this_endpoint else foreign_hosts(inventory, embedded=embedded)
    most = min(options.max_concurrency, _unasked(inventory)) if foreign else options.max_concurrency
    levels = pace.levels_to(most)
    kickoffs = sum(n * pace.rounds_of(n) for n in levels)
    model = "the simulated model" if embedded else f"its own model, at most {left} calls"
    told = f"kick off the crew up to {kickoffs} times, at most {levels[-1]} at once ({_listed(levels)}), by {style}"
    told += f", on {model}; tools that would write are stopped"
    if foreign and most < options.max_concurrency:
        told += f"; not more at once, as {foreign[0]} is not this machine (--yes-load-this-endpoint)"
    chars = max((task.prompt_chars for task in inventory.tasks), default=0) + max(
        (agent.prompt_chars for agent in inventory.agents), default=0
    )
    yield Step(
        f"{PROBE.id}@{subject}",
        PROBE.id,
        PROBE.layer,
        subject,
        "loaded",
        options.deadline,
        args={
            "levels": levels,
            "style": style,
            "pool": pool,
            "workers": workers,
            "most_llm_calls": None if embedded else left,
            "may_write": [tool.subject for tool in inventory.tools if tool.name in options.allow_tools],
            "unasked": None if options.yes_load_this_endpoint else _unasked(inventory),
        },
        llm_calls=0 if embedded else left,
        tokens=0 if embedded else left * (chars // CHARS_PER_TOKEN + ANSWER_TOKENS),
        announce=told,
        condition="" if results else "the model answers when it is called alone",
    )


def style_of(inventory: Inventory, options: Options) -> tuple[str, str, int]:
    """The style, whose pool bounds it, and by how many: as asked for, else as the source does it, else free threads."""
    seen = inventory.kickoffs
    if seen is not None and options.style in ("", seen.style):
        return seen.style, seen.pool, seen.workers
    style = options.style or "threads"
    return style, "" if style == "threads" else "default", 0


def foreign_hosts(inventory: Inventory, *, embedded: bool) -> list[str]:
    """Endpoints of the crew's own work that are not this machine."""
    kinds = {"tool", "mcp", "memory"} | (set() if embedded else {"llm"})
    return [
        f"{each.host}:{each.port}" for each in inventory.endpoints if each.kind in kinds and not is_local(each.host)
    ]


def _unasked(inventory: Inventory) -> int:
    """Kickoffs at once that keep to so many operations in flight: tasks side by side count each."""
    return max(1, UNASKED // max(1, 1 + sum(task.async_execution for task in inventory.tasks)))


def _hopeless(inventory: Inventory, options: Options, results: Sequence[StepResult], style: str) -> str:
    if not inventory.tasks:
        return "the crew has no tasks"
    if style == "processes":
        return "kickoffs in processes of their own are not measured in this version; --style threads measures one"
    alone = [result for result in results if result.step.probe == "crew.kickoff"]
    if any(result.facts.get("result") != "completed" for result in alone):
        return "the crew did not come to its end once: what many of them do is no question of scale"
    asked = [result for result in results if result.step.probe == "llm.sdk" and "answered" in result.facts]
    if options.llm != "embedded" and any(not result.facts["answered"] for result in asked):
        return f"the model of {asked[0].step.subject} does not answer when it is called alone"
    return ""


def _listed(levels: Sequence[int]) -> str:
    return ", ".join(map(str, levels))


def run(step: Step, bench: Bench) -> None:
    """Facts: `style pool workers levels stopped_at stopped_by replaced left_out blocked calls llm_calls`."""
    loaded, args = bench.loaded(), step.args
    url = prepared(step, bench, loaded)
    for name in ("style", "pool", "workers"):
        bench.fact(name, args[name])
    with bench.guard_writes(allowed=False, tools=args["may_write"]), capped(bench, args["most_llm_calls"]):
        climb(step, bench, loaded, simulated=bool(url))
    if not url:
        bench.fact("calls", len(bench.made("llm.call")))
    if bench.blocked():
        bench.fact("blocked", sorted(set(bench.blocked())))
