"""Which subject a live object of crewai is: by identity where the loaded crew knows it, else by its name.

crewai copies crews and tools on the way (`kickoff_for_each`, structured tools), and names tools for the model in its
own spelling (`Fetch Prices` becomes `fetch_prices`): identity first, then role and name.
"""

from __future__ import annotations

import json
import re
from typing import Any

from crewdoctor.worker.recorder import Recorder

_MOST = 10_000
"""Different arguments that are told apart."""


class Subjects:
    """Names for one recorder's crew."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._tasks: dict[str, str] = {}
        """Task id as text → subject, for copies of the crew."""
        self._tools: dict[str, str] = {}
        """A tool's name as the model spells it → subject."""
        self._given: dict[tuple[str, int], int] = {}
        """Tool and a hash of its arguments → their number."""

    def arguments(self, tool: str, given: Any) -> int:
        """Number the arguments of a tool's call: equal ones alike, from 1 on. Nothing of them is kept, 0: too many."""
        text = json.dumps(given, sort_keys=True, default=str) if isinstance(given, dict) else str(given)
        key = tool, hash(text)  # salted anew in each process: it tells nothing elsewhere
        if key not in self._given and len(self._given) >= _MOST:
            return 0
        return self._given.setdefault(key, len(self._given) + 1)

    def crew(self, crew: Any, name: str | None) -> str:
        """Learn the crew's tasks and tools, and name it."""
        for index, task in enumerate(getattr(crew, "tasks", None) or (), 1):
            known = self._known("tasks", task) or f"task:{getattr(task, 'name', None) or index}"
            self._tasks[str(getattr(task, "id", id(task)))] = known
        return f"crew:{name or getattr(crew, 'name', None) or 'crew'}"

    def task(self, task: Any) -> str:
        """Name a task; one no crew holds goes by its name, else has none."""
        if task is None:
            return ""
        known = self._known("tasks", task) or self._tasks.get(str(getattr(task, "id", "")))
        return known or (f"task:{task.name}" if getattr(task, "name", None) else "")

    def by_task_id(self, task_id: str | None) -> str:
        """Name a task an event only tells the id of."""
        return self._tasks.get(str(task_id), "") if task_id else ""

    def agent(self, agent: Any, role: str | None = None) -> str:
        """Name an agent by the role it plays in this run: placeholders are filled in by now."""
        known = self._known("agents", agent) if agent is not None else ""
        role = str(role or getattr(agent, "role", "") or "").strip()
        return known or (f"agent:{role}" if role else "")

    def tools(self, tools: Any) -> None:
        """Learn the tools an agent was given for a task."""
        for tool in tools or ():
            name = str(getattr(tool, "name", ""))
            original = getattr(tool, "_original_tool", None)
            known = self._known("tools", tool) or (self._known("tools", original) if original is not None else "")
            if name:
                self._tools[spelled(name)] = known or self._tools.get(spelled(name)) or f"tool:{name}"

    def tool(self, name: str) -> str:
        """Name a tool by what the model called it."""
        key = spelled(name)
        if key not in self._tools:
            self.tools((self._parts("tools") or {}).values())
        return self._tools.get(key, f"tool:{name}")

    def model(self, live: Any, role: str | None) -> str:
        """Name a model: the slot that holds it, of the agent that asks where several share one."""
        agent = self.agent(None, role)
        slots = self._parts("slots") or {}
        held = [subject for subject, slot in slots.items() if slot.live is live]
        own = [subject for subject in held if agent and subject.startswith(f"{agent}/")]
        return next(iter(own or held), f"{agent}/llm" if agent else "")

    def _known(self, kind: str, thing: Any) -> str:
        return next((subject for subject, each in (self._parts(kind) or {}).items() if each is thing), "")

    def _parts(self, kind: str) -> dict[str, Any] | None:
        load = self._recorder.load
        if load is None:
            return None
        held: dict[str, Any] | None = getattr(getattr(load(), "parts", None), kind, None)
        return held


def spelled(name: str) -> str:
    """Return a tool's name in one spelling, crewai's for models included."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
