"""What the rules of locks, deadlines and the end of a program are shown."""

from recordings import AGENT, CREW, TOOL, TOOL_LINE, Scene, setting, wire

from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Location, Seconds
from crewdoctor.model.span import FailureKind

GATEWAY_LINE = Location("house.py", 12, "call", "urllib.request.urlopen(request, timeout=2)")
OTHER_LINE = Location("ledger.py", 14, "close_day", "with ENTRIES:")


def _locks(scene: Scene, *, working: bool) -> None:
    scene.crew()
    step = scene.step("crew.kickoff", CREW, 20.0, 44.0, Status.KILLED, reason="nothing has moved for 20.4 s")
    kickoff = scene.span(step, "crew.kickoff", 20.0, None)
    calls = []
    for _ in range(2):
        agent = scene.span(step, "agent.execution", 20.2, None, subject=AGENT, parent=kickoff)
        calls.append(scene.span(step, "tool.call", 21.0, None, subject=TOOL, parent=agent, tool="search", n=1))
    if working:
        scene.stack(step, 43.9, calls[1], "cpu", seconds=22.0, line=OTHER_LINE)
    else:
        scene.stack(step, 43.9, calls[1], "lock", seconds=22.0, line=OTHER_LINE, timeout=wire(UNLIMITED))
    scene.stack(step, 43.9, calls[0], "lock", seconds=22.4, line=TOOL_LINE, timeout=wire(UNLIMITED))


def cd505_fires(scene: Scene) -> None:
    """Two tools, each in the lock the other one holds."""
    _locks(scene, working=False)


def cd505_quiet(scene: Scene) -> None:
    """One waits for a lock, and whoever holds it computes."""
    _locks(scene, working=True)


def _given_up(scene: Scene, ends: float) -> None:
    scene.crew()
    step = scene.step("tool.isolated", TOOL, 5.0, 16.0)
    call = scene.span(step, "tool.call", 5.0, 7.0, subject=TOOL, tool="search", n=1)
    peer = {"host": "internal-api.local", "port": 443}
    limit = {"connect": wire(UNLIMITED), "read": wire(UNLIMITED)}
    scene.span(step, "http.request", 5.0, ends, subject=TOOL, parent=call, client="requests", timeout=limit, **peer)
    scene.event(step, "wait.gave_up", 7.0, what="the result of a future", timeout=wire(2.0), span=call)


def cd404_fires(scene: Scene) -> None:
    """Given up after 2 s, answered after 11."""
    _given_up(scene, 16.0)


def cd404_quiet(scene: Scene) -> None:
    """The request ends with the wait for it."""
    _given_up(scene, 7.02)


def _ended_early(scene: Scene, *, by: float) -> None:
    limit = setting(AGENT, "agent", "max_execution_time", Seconds(60.0))
    scene.crew(limit)
    step = scene.step("crew.kickoff", CREW, 20.0, 21.0 + by)
    kickoff = scene.span(step, "crew.kickoff", 20.0, 20.2 + by, failure=FailureKind.TIMEOUT_READ)
    timed_out = {"failure": FailureKind.TIMEOUT_READ, "exception": "TimeoutError"}
    agent = scene.span(step, "agent.execution", 20.1, 20.1 + by, subject=AGENT, parent=kickoff, **timed_out)
    peer = {"host": "gateway.internal", "port": 8080}
    limits = {"connect": wire(2.0), "read": wire(2.0)}
    asked = {"client": "urllib", "timeout": limits, **peer}
    request = scene.span(step, "http.request", 20.1, 20.1 + by, subject=AGENT, parent=agent, **timed_out, **asked)
    scene.stack(step, 21.2, request, "recv", seconds=1.0, line=GATEWAY_LINE, peer="gateway.internal:8080")


def cd506_fires(scene: Scene) -> None:
    """After 2 s of 60, by the timeout of a request."""
    _ended_early(scene, by=2.0)


def cd506_quiet(scene: Scene) -> None:
    """After 60 s: it was the agent's own clock."""
    _ended_early(scene, by=60.1)
