"""What the rule of embedders is shown."""

from dataclasses import replace

from recordings import AGENT, CREW, Scene, wire

from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.span import FailureKind

EMBEDDER = Endpoint(
    "host:embed.internal:8080", "http", "embed.internal", 8080, "memory", ("crew/memory",), ("httpx",), "embedder"
)


def _run(scene: Scene, seconds: float, failure: FailureKind | None) -> None:
    scene.crew(tools=0)
    assert scene.inventory is not None
    scene.inventory = replace(scene.inventory, endpoints=(*scene.inventory.endpoints, EMBEDDER))
    step = scene.step("crew.kickoff", CREW, 20.0, 26.0 + 3 * seconds)
    kickoff = scene.span(step, "crew.kickoff", 20.0, 25.0 + 3 * seconds)
    task = scene.span(step, "task.execution", 20.1, 24.9 + 3 * seconds, subject="task:1", parent=kickoff)
    at = 20.2
    for attempt in range(3 if failure else 1):
        timeout = {"connect": wire(5.0), "read": wire(600.0)}
        peer = {"client": "openai", "host": "embed.internal", "port": 8080, "attempt": attempt + 1, "timeout": timeout}
        scene.span(step, "http.request", at, at + seconds, subject="task:1", parent=task, failure=failure, **peer)
        at += seconds + 0.5
    agent = scene.span(step, "agent.execution", at, at + 1.0, subject=AGENT, parent=task)
    scene.llm(step, at, at + 0.9, parent=agent)
    scene.span(
        step, "tool.call", at + 0.95, at + 0.96, subject="tool:search_memory", parent=agent, tool="search_memory"
    )


def cd504_fires(scene: Scene) -> None:
    """Three attempts to connect, 5 s each, before the model is asked."""
    _run(scene, 5.0, FailureKind.TIMEOUT_CONNECT)


def cd504_quiet(scene: Scene) -> None:
    """It answers after a moment."""
    _run(scene, 0.4, None)
