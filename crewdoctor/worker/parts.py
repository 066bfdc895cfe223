"""The live parts of a crew, each under one stable subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CREW_MODELS = ("manager_llm", "planning_llm", "function_calling_llm")
AGENT_MODELS = ("llm", "function_calling_llm")
_GUARDRAILS = ("_guardrail", "_guardrails", "guardrail", "guardrails")


@dataclass(slots=True)
class Slot:
    """Where a model is held. The holder is asked each time: the embedded endpoint replaces what it holds."""

    subject: str
    owner: Any
    attribute: str
    text: Any = None
    """The model crewai makes of a name, while the owner still holds the name."""

    @property
    def live(self) -> Any:
        """The live model."""
        held = getattr(self.owner, self.attribute, None)
        return self.text if (held is None or isinstance(held, (str, dict))) and self.text is not None else held


@dataclass(slots=True)
class Parts:
    """Everything of a crew by subject, in the order the crew holds it."""

    crew: Any
    agents: dict[str, Any] = field(default_factory=dict)
    tasks: dict[str, Any] = field(default_factory=dict)
    tools: dict[str, Any] = field(default_factory=dict)
    owners: dict[str, list[str]] = field(default_factory=dict)
    """Tool subject to subjects of agents and tasks that hold it."""
    slots: dict[str, Slot] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Models that cannot be made: subject to reason."""

    def subject_of(self, thing: Any) -> str:
        """The subject of a live agent, task or tool; an empty string for a stranger."""
        for held in (self.agents, self.tasks, self.tools):
            for subject, each in held.items():
                if each is thing:
                    return subject
        return ""

    def tools_of(self, holder: Any) -> tuple[str, ...]:
        """Subjects of the tools an agent or task holds."""
        found = (self.subject_of(tool) for tool in getattr(holder, "tools", None) or ())
        return tuple(dict.fromkeys(subject for subject in found if subject))


def filled(text: Any, inputs: dict[str, Any]) -> str:
    """`text` with the placeholders crewai would fill in."""
    result = str(text or "")
    for name, value in inputs.items():
        result = result.replace(f"{{{name}}}", str(value))
    return result.strip()


def parts_of(crew: Any, inputs: dict[str, Any]) -> Parts:
    """Name every part of `crew`."""
    parts = Parts(crew)
    for agent in _agents(crew):
        parts.agents[_unique(f"agent:{filled(getattr(agent, 'role', ''), inputs)}", parts.agents)] = agent
    for index, task in enumerate(getattr(crew, "tasks", None) or (), 1):
        parts.tasks[_unique(f"task:{getattr(task, 'name', None) or index}", parts.tasks)] = task
    for subject, holder in (*parts.agents.items(), *parts.tasks.items()):
        for tool in getattr(holder, "tools", None) or ():
            known = parts.subject_of(tool)
            if not known:
                known = _unique(f"tool:{getattr(tool, 'name', type(tool).__name__)}", parts.tools)
                parts.tools[known] = tool
            owners = parts.owners.setdefault(known, [])
            of_agent = (
                parts.subject_of(getattr(holder, "agent", None)) in owners
            )  # crewai lends a task its agent's tools
            if subject not in owners and not of_agent:
                owners.append(subject)
    for slot in _slots(parts):
        _resolve(slot, parts)
    return parts


def _agents(crew: Any) -> Iterator[Any]:
    seen: set[int] = set()
    of_tasks = [getattr(task, "agent", None) for task in getattr(crew, "tasks", None) or ()]
    for agent in (*(getattr(crew, "agents", None) or ()), *of_tasks, getattr(crew, "manager_agent", None)):
        if agent is not None and id(agent) not in seen:
            seen.add(id(agent))
            yield agent


def _unique(subject: str, taken: dict[str, Any]) -> str:
    number, name = 2, subject
    while name in taken:
        name, number = f"{subject}#{number}", number + 1
    return name


def _slots(parts: Parts) -> Iterator[Slot]:
    for subject, agent in parts.agents.items():
        for name in AGENT_MODELS:
            yield Slot(f"{subject}/{name}", agent, name)
        planning = getattr(agent, "planning_config", None)
        if planning is not None:
            yield Slot(f"{subject}/planning_llm", planning, "llm")
        yield from _guardrails(f"{subject}/guardrail_llm", agent)
    for name in CREW_MODELS:
        yield Slot(f"crew/{name}", parts.crew, name)
    for subject, task in parts.tasks.items():
        yield from _guardrails(f"{subject}/guardrail_llm", task)


def _guardrails(subject: str, owner: Any) -> Iterator[Slot]:
    for name in _GUARDRAILS:
        held = getattr(owner, name, None)
        for each in held if isinstance(held, (list, tuple)) else [held]:
            if each is not None and not isinstance(each, str) and hasattr(each, "llm"):
                yield Slot(subject, each, "llm")
                return


def _planner_default() -> Any:
    """The model crewai plans with when nobody names one; it changes with the version, so the planner is asked."""
    try:
        from crewai.utilities.planning_handler import CrewPlanner

        return CrewPlanner(tasks=[]).planning_agent_llm
    except Exception:
        return None


def _resolve(slot: Slot, parts: Parts) -> None:
    """Keep a slot that holds a model; names become models as crewai's `create_llm` would make them."""
    held = slot.owner.__dict__.get(slot.attribute) if hasattr(slot.owner, "__dict__") else None
    if slot.subject == "crew/planning_llm" and held is None and getattr(parts.crew, "planning", False):
        held = _planner_default()
    if held is None or held is False:
        return
    if isinstance(held, (str, dict)):
        from crewai.utilities.llm_utils import create_llm

        try:
            slot.text = create_llm(held)
        except Exception as error:
            parts.broken[slot.subject] = f"{type(error).__name__}: {error}".splitlines()[0]
            return
    parts.slots[slot.subject] = slot
