"""What the rule of shared clients is shown."""

from recordings import CREW, TOOL, TOOL_LINE, Scene, scan_entry, written

from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import FailureKind


def _crew(scene: Scene) -> str:
    limit = Setting(TOOL, "tool", "timeout", Seconds(10.0), written(TOOL_LINE))
    scene.crew(limit, scan=(scan_entry("http.client", "CONNECTION.request", 10.0),))
    return scene.step("tool.isolated", TOOL, 5.0, 8.0)


def cd310_fires(scene: Scene) -> None:
    """Well alone; of four at once three find the connection busy."""
    step = _crew(scene)
    scene.tool(step, 5.0, 5.2, timeout=10.0)
    scene.tool(step, 6.0, 6.2, n=4, timeout=10.0)
    for _ in range(3):
        scene.tool(step, 6.0, 6.01, n=4, timeout=10.0, failure=FailureKind.EXCEPTION, exception="CannotSendRequest")


def cd310_quiet(scene: Scene) -> None:
    """Four at once, three of which a busy service turned away."""
    step = _crew(scene)
    scene.tool(step, 5.0, 5.2, timeout=10.0)
    scene.tool(step, 6.0, 6.2, n=4, timeout=10.0)
    for _ in range(3):
        scene.tool(step, 6.0, 6.01, n=4, timeout=10.0, failure=FailureKind.HTTP_SERVER_ERROR)
    shared = {"client": "requests.Session", "subject": "tool:another", "span": None, "threads": 2}
    scene.event(scene.step("crew.kickoff", CREW, 9.0, 10.0), "client.shared", 9.5, **shared)
