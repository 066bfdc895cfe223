"""Follows a running crew by its events. No probe: what the crew probes share.

The facts it writes outlive a kill: `agents` {subject: {runs, seconds, failed, running}} and `tools` {subject: {calls,
slowest, failed, running}}, seconds being those of the longest one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from crewdoctor.model.probe import Bench

_SETTLE_WITHIN = 1.0
"""Seconds for handlers that are still to run once the crew has ended."""


@contextmanager
def follow(bench: Bench, tools: Sequence[str], agents: Mapping[str, Any]) -> Iterator[None]:
    """Keep the facts `agents` and `tools` current while the crew runs. Tools by subject, live agents by theirs.

    crewai fills placeholders into the roles of the live agents: only the object itself still tells which it is.
    """
    following = _Following(bench, tools, agents)
    undo = following.listen()
    try:
        yield
    finally:
        undo()
        following.tell()


class _Following:
    def __init__(self, bench: Bench, tools: Sequence[str], agents: Mapping[str, Any]) -> None:
        self._bench = bench
        self._subjects = {id(agent): subject for subject, agent in agents.items()}
        self._names = {_plain(subject.partition(":")[2]): subject for subject in tools}
        self._lock = threading.Lock()
        self._over = False
        self._agents: dict[str, dict[str, Any]] = {}
        self._tools: dict[str, dict[str, Any]] = {}
        self._since: dict[str, float] = {}

    def listen(self) -> Callable[[], None]:
        """Register with the event bus; returns what unregisters. Without these events there are no such facts."""
        try:
            from crewai.events import crewai_event_bus as bus
            from crewai.events.types import agent_events as agents
            from crewai.events.types import tool_usage_events as tools
        except ImportError:
            return lambda: None
        wanted = {
            agents.AgentExecutionStartedEvent: self._agent_started,
            agents.AgentExecutionCompletedEvent: self._agent_ended,
            agents.AgentExecutionErrorEvent: self._agent_ended,
            tools.ToolUsageStartedEvent: self._tool_started,
            tools.ToolUsageFinishedEvent: self._tool_ended,
            tools.ToolUsageErrorEvent: self._tool_ended,
        }
        for event, handler in wanted.items():
            bus.on(event)(handler)

        def undo() -> None:
            self._settle(bus)
            self._over = True
            for event, handler in wanted.items() if hasattr(bus, "off") else ():
                bus.off(event, handler)

        return undo

    def _settle(self, bus: Any) -> None:
        """Let handlers finish: they run in threads of the bus. Older crewai cannot be asked, only watched."""
        if hasattr(bus, "flush"):
            bus.flush(timeout=5.0)
            return
        until = time.monotonic() + _SETTLE_WITHIN
        while time.monotonic() < until and not self._at_rest():
            time.sleep(0.02)

    def _at_rest(self) -> bool:
        with self._lock:
            held = [*self._agents.values(), *self._tools.values()]
            return bool(held) and not any(each["running"] for each in held)

    def tell(self) -> None:
        """Write the facts."""
        with self._lock:
            self._bench.fact("agents", self._agents)
            self._bench.fact("tools", self._tools)

    def _agent_started(self, _source: Any, event: Any) -> None:
        self._started(self._agents, self._agent(event.agent), "runs")

    def _agent_ended(self, _source: Any, event: Any) -> None:
        self._ended(self._agents, self._agent(event.agent), str(getattr(event, "error", "") or ""))

    def _tool_started(self, _source: Any, event: Any) -> None:
        self._started(self._tools, self._tool(event.tool_name), "calls")

    def _tool_ended(self, _source: Any, event: Any) -> None:
        began, ended = getattr(event, "started_at", None), getattr(event, "finished_at", None)
        seconds = (ended - began).total_seconds() if began is not None and ended is not None else None
        self._ended(self._tools, self._tool(event.tool_name), str(getattr(event, "error", "") or ""), seconds)

    def _agent(self, agent: Any) -> str:
        return self._subjects.get(id(agent)) or f"agent:{str(agent.role).strip()}"

    def _tool(self, name: str) -> str:
        return self._names.get(_plain(name), f"tool:{name}")

    def _started(self, table: dict[str, dict[str, Any]], subject: str, counted: str) -> None:
        if self._over:
            return
        with self._lock:
            held = table.setdefault(subject, {counted: 0, "seconds": None, "failed": "", "running": 0})
            held[counted] += 1
            held["running"] += 1
            self._since[subject] = time.monotonic()
        self.tell()

    def _ended(self, table: dict[str, dict[str, Any]], subject: str, failed: str, seconds: float | None = None) -> None:
        if self._over:
            return
        with self._lock:
            held = table.setdefault(subject, {"seconds": None, "failed": "", "running": 1})
            held["running"] = max(0, held["running"] - 1)
            took = seconds if seconds is not None else time.monotonic() - self._since.get(subject, time.monotonic())
            held["seconds"] = max(took, held["seconds"] or 0.0)
            held["failed"] = failed[:200] or held["failed"]
        self.tell()


def _plain(name: str) -> str:
    """A tool's name as far as crewai leaves it alone when it hands it to a model."""
    return "".join(each for each in name.lower() if each.isalnum())
