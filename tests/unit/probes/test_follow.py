"""Following a crew on an event bus that can neither be flushed nor unsubscribed from (crewai 1.0 to 1.9)."""

import sys
import threading
import types
from types import SimpleNamespace

import pytest

from crewdoctor.probes._follow import _Following, follow

EVENTS = {
    "agent_events": ("AgentExecutionStartedEvent", "AgentExecutionCompletedEvent", "AgentExecutionErrorEvent"),
    "tool_usage_events": ("ToolUsageStartedEvent", "ToolUsageFinishedEvent", "ToolUsageErrorEvent"),
}


class OldBus:
    """Handlers run in threads of their own, some time after `emit` has returned."""

    def __init__(self):
        self.handlers = {}

    def on(self, kind):
        return lambda handler: self.handlers.setdefault(kind, handler)

    def emit(self, kind, after=None, **event):
        """`after`: an Event the handler waits for."""

        def late():
            if after is not None:
                after.wait(10)
            self.handlers[kind](None, SimpleNamespace(**event))

        thread = threading.Thread(target=late)
        thread.start()
        return thread


@pytest.fixture
def old(monkeypatch):
    bus, modules = OldBus(), {}
    for name, kinds in EVENTS.items():
        modules[name] = types.ModuleType(f"crewai.events.types.{name}")
        vars(modules[name]).update({kind: kind for kind in kinds})
    events, kinds = types.ModuleType("crewai.events"), types.ModuleType("crewai.events.types")
    events.crewai_event_bus = bus
    vars(kinds).update(modules)
    for name, module in {
        "crewai": types.ModuleType("crewai"),
        "crewai.events": events,
        "crewai.events.types": kinds,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    return bus


def seen_running(monkeypatch, event):
    """Set `event` once somebody has asked whether all are at rest, and was told no."""
    asked = _Following._at_rest

    def at_rest(self):
        rest = asked(self)
        if not rest:
            event.set()
        return rest

    monkeypatch.setattr(_Following, "_at_rest", at_rest)


def test_the_end_of_an_agent_is_waited_for(old, monkeypatch):
    facts, agent = {}, SimpleNamespace(role="Scout")
    bench = SimpleNamespace(fact=facts.__setitem__)
    with follow(bench, ["tool:look_up"], {"agent:{name}": agent}):
        old.emit("AgentExecutionStartedEvent", agent=agent).join()
        asked = threading.Event()
        ending = old.emit("AgentExecutionCompletedEvent", after=asked, agent=agent)
        seen_running(monkeypatch, asked)
    assert facts["agents"]["agent:{name}"]["running"] == 0
    ending.join()


def test_what_comes_after_the_crew_is_not_the_crews(old):
    facts, agent = {}, SimpleNamespace(role="Scout")
    bench = SimpleNamespace(fact=facts.__setitem__)
    with follow(bench, [], {"agent:Scout": agent}):
        old.emit("AgentExecutionStartedEvent", agent=agent).join()
        old.emit("AgentExecutionCompletedEvent", agent=agent).join()
    old.emit("AgentExecutionStartedEvent", agent=agent).join()
    held = facts["agents"]["agent:Scout"]
    assert held.pop("seconds") >= 0.0
    assert held == {"runs": 1, "failed": "", "running": 0}
