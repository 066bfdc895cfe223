"""What the rules of MCP servers are shown."""

from dataclasses import replace

from recordings import AGENT, CREW, Scene

from crewdoctor.model.inventory import Endpoint, Unexamined
from crewdoctor.model.result import Status

SERVER = Endpoint("host:10.0.0.7:8000", "http", "10.0.0.7", 8000, "mcp", (AGENT,), ("httpx",), "mcps")
PEER = {"client": "httpx", "host": "10.0.0.7", "port": 8000}
FOREIGN = "tool:find_order"


def _crew(scene: Scene, end: float, status: Status = Status.OK) -> tuple[str, str]:
    scene.crew(tools=0)
    assert scene.inventory is not None
    scene.inventory = replace(
        scene.inventory,
        endpoints=(*scene.inventory.endpoints, SERVER),
        unexamined=(Unexamined(f"{AGENT}/mcp", "MCP server: its tools are listed when the crew runs"),),
    )
    step = scene.step("crew.kickoff", CREW, 20.0, end, status)
    return step, scene.span(step, "crew.kickoff", 20.0, None if status is Status.KILLED else end)


def cd320_fires(scene: Scene) -> None:
    """`initialize` is never answered; stopped after 20.8 s."""
    step, kickoff = _crew(scene, 40.8, Status.KILLED)
    request = scene.span(step, "http.request", 20.3, None, subject=CREW, parent=kickoff, **PEER)
    scene.span(step, "net.exchange", 20.3, None, subject=CREW, parent=request, host="10.0.0.7", port=8000)


def cd320_quiet(scene: Scene) -> None:
    """The server is well; it is the task that has not ended."""
    step, kickoff = _crew(scene, 40.8, Status.KILLED)
    scene.span(step, "http.request", 20.3, 20.6, subject=CREW, parent=kickoff, **PEER)
    scene.span(step, "http.request", 20.4, None, subject=CREW, parent=kickoff, **PEER)
    scene.span(step, "task.execution", 20.8, None, subject="task:1", parent=kickoff)


def _called(scene: Scene, seconds: float | None) -> None:
    step, kickoff = _crew(scene, 72.0, Status.OK if seconds else Status.KILLED)
    agent = scene.span(step, "agent.execution", 21.0, 71.0 if seconds else None, subject=AGENT, parent=kickoff)
    scene.llm(step, 21.1, 21.9, parent=agent)
    end = 22.0 + seconds if seconds else None
    call = scene.span(step, "tool.call", 22.0, end, subject=FOREIGN, parent=agent, tool="find_order")
    scene.span(step, "http.request", 22.1, end, subject=FOREIGN, parent=call, **PEER)


def cd322_fires(scene: Scene) -> None:
    """Still waiting after 50 s, the second of three tries."""
    _called(scene, None)


def cd322_quiet(scene: Scene) -> None:
    """It took eight seconds."""
    _called(scene, 8.0)
