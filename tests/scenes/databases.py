"""What the rule of databases, queues and child processes is shown."""

from recordings import CREW, TOOL, Scene, default, scan_entry

from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Location, Seconds, Setting
from crewdoctor.model.span import FailureKind

LINE = Location("tools.py", 9, "search", "return connection.execute(QUERY).fetchall()")


def _crew(scene: Scene, client: str, limit: float | None) -> None:
    bound = UNLIMITED if limit is None else Seconds(limit)
    held = Setting(TOOL, "tool", "timeout", bound, default(f"default of {client}"))
    scene.crew(held, scan=(scan_entry(client, "connection.execute", UNLIMITED if limit is None else limit, LINE),))


def cd330_fires(scene: Scene) -> None:
    """sqlite3 gave up on a lock after its default of 5 s; a call of the crew was still waiting for it."""
    _crew(scene, "sqlite3", 5.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 11.0)
    scene.span(
        step,
        "tool.call",
        5.0,
        10.1,
        failure=FailureKind.TIMEOUT_LOCK,
        text="database is locked",
        tool="search",
        n=1,
        args_source="synthesised",
        guarded=True,
    )
    crew = scene.step("crew.kickoff", CREW, 11.0, 15.0, Status.KILLED, reason="no answer after 4.0 s")
    call = scene.span(crew, "tool.call", 11.5, None, subject=TOOL, tool="search", guarded=True)
    scene.stack(crew, 14.9, call, "lock", seconds=3.4, peer="the database orders.db")


def cd330_quiet(scene: Scene) -> None:
    """The same tool, and the lock is free after a moment."""
    _crew(scene, "sqlite3", 5.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 11.0)
    scene.span(step, "tool.call", 5.0, 5.6, tool="search", n=1, args_source="synthesised", guarded=True)
