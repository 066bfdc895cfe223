"""What an agent showed in the crew that neither its model nor its tools show alone. No probe: pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from crewdoctor.model.inventory import AgentEntry, Inventory
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import Seconds

TIMES, LONGER = 3.0, 1.0
"""A tool jumps in the crew when it takes so many times longer, and so many seconds longer, than alone. Ours."""


def tools_alone(results: Sequence[StepResult], tools: Sequence[str]) -> dict[str, float]:
    """Median seconds of one call of each tool that was measured alone."""
    return {
        result.step.subject: statistics.median(result.facts["n1"])
        for result in results
        if result.step.probe == "tool.isolated" and result.step.subject in tools and result.facts.get("n1")
    }


def symptom(inventory: Inventory, agent: AgentEntry, tools: Sequence[str], results: Sequence[StepResult]) -> str:
    """Say what happened to `agent` in the crew, in words; empty where nothing did, or where a part explains it."""
    kickoff = next((result for result in reversed(results) if result.step.probe == "crew.kickoff"), None)
    if kickoff is None or not _model_is_well(inventory, agent, results) or not _tools_are_well(results, tools):
        return ""
    seen: dict[str, Any] = (kickoff.facts.get("agents") or {}).get(agent.subject) or {}
    if _deadline_explains(inventory, agent, seen):
        return ""
    if seen.get("failed"):
        return "it failed in the crew"
    if kickoff.status is Status.KILLED and seen.get("running"):
        return "it was still running when the crew was ended"
    alone = tools_alone(results, tools)
    for subject, seconds in alone.items():
        held = ((kickoff.facts.get("tools") or {}).get(subject) or {}).get("seconds")
        if isinstance(held, (int, float)) and held >= TIMES * seconds and held - seconds > LONGER:
            return f"{subject} took {held:.1f} s in the crew and {seconds:.1f} s alone"
    return ""


def _deadline_explains(inventory: Inventory, agent: AgentEntry, seen: dict[str, Any]) -> bool:
    """Whether it ran longer than the user lets it: that is the failure, whatever it was doing."""
    limits = [
        setting.value.value
        for setting in inventory.settings
        if setting.subject == agent.subject
        and setting.name == "max_execution_time"
        and isinstance(setting.value, Seconds)
    ]
    took = seen.get("seconds")
    return bool(limits) and isinstance(took, (int, float)) and took >= min(limits)


def _model_is_well(inventory: Inventory, agent: AgentEntry, results: Sequence[StepResult]) -> bool:
    """Whether its model answered alone, and none of the calls failed."""
    same = {subject for llm in inventory.llms for subject in llm.users if agent.llm in (llm.subject, *llm.users)}
    asked = [
        result for result in results if result.step.probe == "llm.sdk" and result.step.subject in {agent.llm, *same}
    ] or [result for result in results if result.step.probe == "llm.sdk" and result.step.args.get("embedded_base_url")]
    return bool(asked) and all(
        result.status is Status.OK and result.facts.get("answered") and not {"hung", "cut_off"} & _true(result.facts)
        for result in asked
    )


def _true(facts: Mapping[str, Any]) -> set[str]:
    return {name for name, value in facts.items() if value is True}


def _tools_are_well(results: Sequence[StepResult], tools: Sequence[str]) -> bool:
    well = {
        result.step.subject
        for result in results
        if result.step.probe == "tool.isolated"
        and result.status is Status.OK
        and not {"failed", "output_error", "blocked", "n4_failed", "n4_output_error"} & set(result.facts)
    }
    return set(tools) <= well
