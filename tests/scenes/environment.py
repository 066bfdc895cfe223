"""What the rules of the environment are shown."""

from dataclasses import replace

from recordings import AGENT, CREW, LLM, TOOL, Scene

from crewdoctor.model.setting import Location
from crewdoctor.model.span import FailureKind

TELEMETRY = "host:telemetry.crewai.com:4319"
IMPORT_LINE = Location("catalog.py", 12, "", "ROWS = requests.get(URL).json()")


def cd701_fires(scene: Scene) -> None:
    """Packets to it are dropped."""
    scene.crew()
    facts = {"outcome": "unanswered", "seconds": 3.004, "address": "203.0.113.9", "via_proxy": False}
    scene.step("environment.telemetry", TELEMETRY, 4.0, 7.1, worker="crew", **facts)


def cd701_quiet(scene: Scene) -> None:
    """It takes the connection."""
    scene.crew()
    facts = {"outcome": "connected", "seconds": 0.031, "address": "203.0.113.9", "via_proxy": False}
    scene.step("environment.telemetry", TELEMETRY, 4.0, 4.1, worker="crew", **facts)


def _terminal(scene: Scene, *, asked: bool) -> None:
    scene.crew()
    assert scene.inventory is not None
    scene.inventory = replace(scene.inventory, environment={"terminal": True, "trace_prompt": not asked})


def cd702_fires(scene: Scene) -> None:
    """A terminal, and nobody was ever asked."""
    _terminal(scene, asked=False)


def cd702_quiet(scene: Scene) -> None:
    """The same terminal, and the question was answered before."""
    _terminal(scene, asked=True)


def _imported(scene: Scene, seconds: float, waiting: float) -> None:
    scene.crew()
    step = scene.step("inspect", "import", 4.0, 4.5 + seconds, worker="crew")
    span = scene.span(step, "python.import", 4.0, 4.0 + seconds, subject=CREW, module="crew")
    peer = "10.0.0.7:443"
    scene.stack(step, 4.0 + waiting, span, "recv", seconds=waiting, line=IMPORT_LINE, peer=peer)


def cd704_fires(scene: Scene) -> None:
    """24 s, 22 of them in one request."""
    _imported(scene, 24.0, 22.0)


def cd704_quiet(scene: Scene) -> None:
    """Eight seconds."""
    _imported(scene, 8.0, 7.0)


def _kickoff(scene: Scene, *, of_tool: bool) -> None:
    scene.crew()
    step = scene.step("crew.kickoff", CREW, 20.0, 34.0)
    kickoff = scene.span(step, "crew.kickoff", 20.0, 33.0)
    agent = scene.span(step, "agent.execution", 20.1, 32.9, subject=AGENT, parent=kickoff)
    above = scene.span(step, "tool.call", 20.2, 32.3, subject=TOOL, parent=agent, tool="search", n=1)
    scene.span(step, "llm.call", 32.4, 32.8, subject=LLM, parent=agent, model="gpt-4o", stream=False)
    scene.span(
        step,
        "tcp.connect",
        20.2,
        32.2,
        subject=TOOL if of_tool else AGENT,
        parent=above if of_tool else agent,
        failure=FailureKind.TCP_TIMEOUT,
        host="files.example.net",
        port=443,
        address="203.0.113.7",
    )


def cd705_fires(scene: Scene) -> None:
    """Twelve seconds for a host nobody knows of."""
    _kickoff(scene, of_tool=False)


def cd705_quiet(scene: Scene) -> None:
    """The same connect, and a tool made it."""
    _kickoff(scene, of_tool=True)


def _loaded(scene: Scene, load: float) -> None:
    scene.crew()
    scene.header = replace(scene.header, load=load)


def cd706_fires(scene: Scene) -> None:
    """Load 9.3 on two cores."""
    _loaded(scene, 9.3)


def cd706_quiet(scene: Scene) -> None:
    """Load 3.9 on two cores."""
    _loaded(scene, 3.9)
