"""Following a crew on an event bus that can neither be flushed nor unsubscribed from (crewai 1.0 to 1.9)."""

import sys
import threading
import time
import types
from types import SimpleNamespace

import pytest

from crewdoctor.probes._follow import follow

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

    def emit(self, kind, after=0.0, **event):
        def late():
            time.sleep(after)
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


def test_the_end_of_an_agent_is_waited_for(old):
    facts, agent = {}, SimpleNamespace(role="Scout")
    bench = SimpleNamespace(fact=facts.__setitem__)
    with follow(bench, ["tool:look_up"], {"agent:{name}": agent}):
        old.emit("AgentExecutionStartedEvent", agent=agent).join()
        ending = old.emit("AgentExecutionCompletedEvent", after=0.2, agent=agent)
    assert facts["agents"]["agent:{name}"]["running"] == 0
    ending.join()


def test_what_comes_after_the_crew_is_not_the_crews(old):
    facts, agent = {}, SimpleNamespace(role="Scout")
    bench = SimpleNamespace(fact=facts.__setitem__)
    with follow(bench, [], {"agent:Scout": agent}):
        old.emit("AgentExecutionStartedEvent", agent=agent).join()
        old.emit("AgentExecutionCompletedEvent", agent=agent).join()
    old.emit("AgentExecutionStartedEvent", agent=agent).join()
    assert facts["agents"]["agent:Scout"] == {
        "runs": 1,
        "seconds": pytest.approx(0, abs=0.5),
        "failed": "",
        "running": 0,
    }
