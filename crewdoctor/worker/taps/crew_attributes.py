"""What the spans of crewai's events say about themselves, by family of event. Sizes, never content."""

from __future__ import annotations

from typing import Any

from crewdoctor.worker.taps.subjects import Subjects

_MOST_TEXT = 300


def at_start(subjects: Subjects, family: str, source: Any, event: Any) -> tuple[str, dict[str, Any]]:
    """Return subject and attributes of a span an event opens."""
    if family == "crew_kickoff":
        crew = getattr(event, "crew", None) or source
        return subjects.crew(crew, getattr(event, "crew_name", None)), {}
    if family == "task":
        task = getattr(event, "task", None) or source
        agent = subjects.agent(getattr(task, "agent", None))
        return subjects.task(task), {"agent": agent, "async_execution": bool(getattr(task, "async_execution", False))}
    if family in {"agent_execution", "lite_agent_execution"}:
        live = getattr(event, "agent", None)
        subjects.tools(getattr(event, "tools", None))
        played = (getattr(event, "agent_info", None) or {}).get("role") if live is None else None
        return subjects.agent(live, played), {"task": subjects.task(getattr(event, "task", None))}
    role = getattr(event, "agent_role", None)
    common = {"agent": subjects.agent(getattr(event, "agent", None), role), "task": _task(subjects, event)}
    if family == "tool_usage":
        name = str(getattr(event, "tool_name", ""))
        tool = subjects.tool(name)
        same = subjects.arguments(tool, getattr(event, "tool_args", None))
        own = {"tool": name, "args_source": "model", "n": 1, "guarded": False, "arguments": same}
        return tool, {**own, **common}
    return subjects.model(source, role), {
        "model": getattr(event, "model", None) or getattr(source, "model", None),
        "stream": bool(getattr(event, "stream", None) or getattr(source, "stream", False)),
        "call_id": str(getattr(event, "call_id", "") or ""),
        "prompt_chars": characters(getattr(event, "messages", None)),
        "layer_used": "crewai",
        **common,
    }


def at_end(family: str, event: Any) -> dict[str, Any]:
    """Return attributes of a span an event closes."""
    if family == "llm_call":
        usage = getattr(event, "usage", None)
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        return {"tokens": total, "output_chars": characters(getattr(event, "response", None))}
    if family == "crew_kickoff":
        return {"tokens": getattr(event, "total_tokens", None)}
    if family != "tool_usage":
        return {}
    failure = getattr(event, "failure", None)
    message = getattr(failure, "message", None) or getattr(event, "error", None)
    return {
        "output_chars": characters(getattr(event, "output", None)),
        "from_cache": getattr(event, "from_cache", None),
        "error_text": " ".join(str(message).split())[:_MOST_TEXT] if message is not None else "",
    }


def characters(content: Any) -> int:
    """Length of all text within messages or an answer."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, dict):
        return sum(characters(each) for each in content.values())
    if isinstance(content, (list, tuple)):
        return sum(characters(each) for each in content)
    return 0


def _task(subjects: Subjects, event: Any) -> str:
    """Name the task by its id; the event's `task_name` may be the whole description, which is content."""
    return subjects.by_task_id(getattr(event, "task_id", None))
