"""Agents, tasks and the crew: entries and settings in force."""

from __future__ import annotations

from typing import Any

from crewdoctor.model.inventory import AgentEntry, TaskEntry
from crewdoctor.model.setting import DROPPED, UNLIMITED, Seconds, Setting, SettingValue
from crewdoctor.worker.parts import Parts, filled
from crewdoctor.worker.provenance import Sources, was_set

_AGENT_NOTES = {
    "max_execution_time": "does not interrupt: checked when the blocked call has ended by itself",
    "max_retry_limit": "runs the whole task again, up to so many times",
    "max_iter": "turns of model and tools per execution",
    "max_rpm": "sleeps 60 s when exceeded",
}


def agent_entries(parts: Parts, inputs: dict[str, Any], models: dict[str, str], sources: Sources) -> list[AgentEntry]:
    """One entry per agent. `models`: model subject to the subject of the entry that describes it."""
    found = []
    for subject, agent in parts.agents.items():
        texts = [filled(getattr(agent, name, ""), inputs) for name in ("role", "goal", "backstory")]
        tasks = tuple(name for name, task in parts.tasks.items() if getattr(task, "agent", None) is agent)
        of_tasks = [tool for name in tasks for tool in parts.tools_of(parts.tasks[name])]
        found.append(
            AgentEntry(
                subject,
                texts[0],
                models.get(f"{subject}/llm", ""),
                tuple(dict.fromkeys((*parts.tools_of(agent), *of_tasks))),
                tasks,
                sources.built_at(agent),
                sum(map(len, texts)),
            )
        )
    return found


def task_entries(parts: Parts, inputs: dict[str, Any]) -> list[TaskEntry]:
    """One entry per task."""
    return [
        TaskEntry(
            subject,
            parts.subject_of(getattr(task, "agent", None)),
            parts.tools_of(task),
            bool(getattr(task, "async_execution", False)),
            bool(getattr(task, "human_input", False)),
            sum(len(filled(getattr(task, name, ""), inputs)) for name in ("description", "expected_output")),
            str(getattr(task, "output_file", None) or ""),
        )
        for subject, task in parts.tasks.items()
    ]


def agent_settings(parts: Parts, sources: Sources) -> list[Setting]:
    """Deadlines, retries, iterations and rates of every agent."""
    found = []
    for subject, agent in parts.agents.items():
        for name in ("max_execution_time", "max_iter", "max_retry_limit", "max_rpm"):
            if not hasattr(agent, name):
                continue
            value: SettingValue = getattr(agent, name)
            if name == "max_execution_time":
                value = UNLIMITED if value is None else Seconds(float(value))  # type: ignore[arg-type]
            found.append(Setting(subject, "agent", name, value, sources.of(agent, name), _AGENT_NOTES[name]))
        names = ["respect_context_window", "allow_delegation"]
        if getattr(agent, "guardrail", None) is not None:
            names.append("guardrail_max_retries")
        found += [
            Setting(subject, "agent", name, getattr(agent, name, None), sources.of(agent, name)) for name in names
        ]
        step = getattr(getattr(agent, "planning_config", None), "step_timeout", None)
        if step is not None:
            whence = sources.of(agent, "planning_config")
            found.append(Setting(subject, "agent", "timeout.planning_step", Seconds(float(step)), whence))
    return found


def task_settings(parts: Parts, sources: Sources) -> list[Setting]:
    """Concurrency of every task, and its guardrail's retries where it has one."""
    found = []
    for subject, task in parts.tasks.items():
        names = ["async_execution"]
        if getattr(task, "guardrail", None) is not None or getattr(task, "guardrails", None):
            names.append("guardrail_max_retries")
        found += [Setting(subject, "task", name, getattr(task, name, None), sources.of(task, name)) for name in names]
    return found


def crew_settings(crew: Any, subject: str, sources: Sources) -> list[Setting]:
    """Rate and process of the crew; features that send requests of their own where they are on."""
    process = getattr(crew, "process", None)
    found = [
        Setting(subject, "crew", "max_rpm", getattr(crew, "max_rpm", None), sources.of(crew, "max_rpm"), "per copy"),
        Setting(subject, "crew", "process", str(getattr(process, "value", process)), sources.of(crew, "process")),
    ]
    for name in ("memory", "planning", "cache", "stream"):
        held = getattr(crew, name, None)
        if held or was_set(crew, name, sources.constructions.of(crew)):
            found.append(Setting(subject, "crew", name, bool(held), sources.of(crew, name)))
    return found


def dropped_settings(parts: Parts, crew: str, sources: Sources) -> list[Setting]:
    """What agents, tasks, tools and the crew (its subject: `crew`) were given and do not hold."""
    found = []
    held = (*parts.agents.items(), *parts.tasks.items(), *parts.tools.items(), (crew, parts.crew))
    within = ((subject, part) for subject, agent in parts.agents.items() for part in _parts_of(agent))
    for subject, thing in (*held, *within):
        built = sources.constructions.of(thing)
        note = f"the built {type(thing).__name__} does not hold it"
        for name, value in built.dropped.items() if built is not None else ():
            scope = subject.partition(":")[0]
            found.append(Setting(subject, scope, f"{DROPPED}{name}", value, sources.of(thing, name), note))
    return found


def _parts_of(agent: Any) -> list[Any]:
    """What an agent was given that is built by itself: servers of tools, how it plans."""
    mcps = [each for each in getattr(agent, "mcps", None) or () if not isinstance(each, str)]
    planning = getattr(agent, "planning_config", None)
    return [*mcps, *([] if planning is None else [planning])]
