"""How the embedded model plays the crew's: which tools it leaves alone, and how slow it is in a ramp. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.locality import is_local
from crewdoctor.model.options import Options
from crewdoctor.model.result import StepResult

LATENCY = 1.0
"""Seconds a model takes for an answer where nobody measured or said. Ours."""


def options(inventory: Inventory, asked: Options) -> dict[str, Any]:
    """Return what the endpoint is told: given arguments are used, tools that write are left alone."""
    free = {*asked.allow_tools, *asked.tool_arguments}
    return {
        "blocked_tools": [tool.name for tool in inventory.tools if tool.writes and tool.name not in free],
        "tool_arguments": asked.tool_arguments,
    }


def latency(asked: Options, results: Sequence[StepResult]) -> float:
    """Return seconds an answer takes in the ramp: as asked for, else as the crew's own models took, else `LATENCY`."""
    if asked.model_latency is not None:
        return asked.model_latency
    took = [seconds for result in called_results(results) for seconds in _seconds(result)]
    return round(statistics.median(took), 3) if took else LATENCY


def called(results: Sequence[StepResult]) -> list[str]:
    """Subjects of the models that were called themselves."""
    return [result.step.subject for result in called_results(results)]


def called_results(results: Sequence[StepResult]) -> list[StepResult]:
    """Results of calls of the crew's own models that were answered."""
    return [
        result
        for result in results
        if result.step.probe == "llm.sdk"
        and not result.step.args.get("embedded_base_url")
        and result.facts.get("answered")
    ]


def all_local(inventory: Inventory) -> bool:
    """Whether every model of the crew is on this machine."""
    hosts = {each.subject: each.host for each in inventory.endpoints if each.kind == "llm"}
    return all(is_local(hosts.get(llm.endpoint, "")) for llm in inventory.llms)


def _seconds(result: StepResult) -> list[float]:
    for name in ("warm", "cold", "total"):
        held = result.facts.get(name)
        found = [float(each) for each in (held if isinstance(held, list) else [held]) if isinstance(each, (int, float))]
        if found:
            return found
    return []
