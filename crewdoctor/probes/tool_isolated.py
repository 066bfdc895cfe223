"""Each tool alone: called as crewai would call it, once at a time and then four at once.

A call that does not come back leaves its span open; where it is blocked is the watchdog's to say.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, Probe
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import FailureKind
from crewdoctor.probes._calls import NO_TERMINAL, Call, Caller, arguments_for, foreign, uncounted

PROBE = Probe(id="tool.isolated", layer=Layer.TOOL, question="the tool answers when it is called alone")

PATIENCE = 15.0
"""Seconds a call may stay silent before it is ended (`patience.py`)."""
LONGEST = 22.0
LANE_SECONDS = 45.0
"""For all tools of one endpoint together: they wait for each other, lest one's load be the other's latency.

`patience.py` shares them out as the lane proceeds: the first tool that hangs is given all it needs."""
FAST, FAST_TOTAL, MOST_ALONE, AT_ONCE = 2.0, 4.0, 3, 4
GUARDED_SOURCES = ("schema", "synthesised")


def plan(inventory: Inventory, options: Options, results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per tool of the user's."""
    if any(result.step.probe == PROBE.id for result in results):
        return
    places = {
        endpoint.subject: f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}/" for endpoint in inventory.endpoints
    }
    lanes = [f"tools of {tool.endpoints[0]}" if tool.endpoints else "" for tool in inventory.tools]
    for tool, lane in zip(inventory.tools, lanes, strict=True):
        if reason := foreign(tool):
            yield Skip(PROBE.id, PROBE.layer, tool.subject, reason)
            continue
        allowed = tool.name in options.allow_tools
        args = {
            "arguments": options.tool_arguments.get(tool.name, {}),
            "recorded": sorted({*options.inputs, *inventory.inputs_given}),
            "places": [places[each] for each in tool.endpoints if each in places],
            "allowed": allowed,
            "patience": PATIENCE,
            "of_lane": [LANE_SECONDS, lanes.count(lane)] if lane else [],
        }
        announce = f"call tool {tool.name} alone, then {AT_ONCE} at once" + (", allowed to write" if allowed else "")
        yield Step(
            f"{PROBE.id}@{tool.subject}",
            PROBE.id,
            PROBE.layer,
            tool.subject,
            "loaded",
            LONGEST,
            args,
            lane=lane,
            announce=announce,
        )


def run(step: Step, bench: Bench) -> None:
    """Facts: `args_source guarded n1 n4 failed failure_text output_error blocked cpu_share n4_skipped drained`."""
    crew = bench.loaded()
    tool = crew.tool(step.subject)
    arguments, source = arguments_for(step, bench, crew, tool)
    guarded = source in GUARDED_SOURCES and not step.args["allowed"]
    bench.fact("args_source", source)
    bench.fact("guarded", guarded)
    caller = Caller(bench, step.subject, tool, arguments, {"args_source": source, "guarded": guarded})
    with uncounted(tool), bench.guard_writes(allowed=not guarded):
        alone = _alone(bench, caller)
        if all(call.answered for call in alone) and not caller.blocked():
            typical = statistics.median(call.seconds for call in alone)
            if bench.remaining() < typical * 2 + 1:
                bench.fact(
                    "n4_skipped", f"one call takes {typical:.1f} s: {AT_ONCE} at once do not fit into the time left"
                )
            else:
                _at_once(bench, caller, typical)


def _alone(bench: Bench, caller: Caller) -> list[Call]:
    """Up to three calls one after the other while they are fast; the facts are written after each."""
    calls: list[Call] = []
    cpu = time.process_time()
    while True:
        calls += caller.round(1)
        total = sum(call.seconds for call in calls)
        bench.fact("n1", [call.seconds for call in calls])
        computed = max(time.process_time() - cpu, sum(call.computed for call in calls))
        bench.fact("cpu_share", min(1.0, computed / max(total, 1e-9)))
        caller.note_failures(calls)
        last = calls[-1]
        if last.error == NO_TERMINAL:
            raise CannotProbe("it reads from a terminal, and there is none")
        if caller.blocked() or (last.failure is not None and last.failure.kind is FailureKind.BLOCKED_WOULD_WRITE):
            bench.fact("blocked", True)
            return calls
        if len(calls) == MOST_ALONE or last.seconds >= FAST or total >= FAST_TOTAL or bench.remaining() < FAST_TOTAL:
            return calls


def _at_once(bench: Bench, caller: Caller, typical: float) -> None:
    """One round; a service that goes on working for callers who gave up is left the time to, before the crew runs."""
    calls = caller.round(AT_ONCE)
    bench.fact("n4", [call.seconds for call in calls])
    caller.note_failures(calls, "n4_")
    gave_up = [call for call in calls if call.failure is not None and call.failure.kind.is_timeout]
    owed = min(AT_ONCE * typical - max(call.seconds for call in calls), bench.remaining() - 1.0)
    if gave_up and owed > 0:
        bench.fact("drained", owed)
        time.sleep(owed)
