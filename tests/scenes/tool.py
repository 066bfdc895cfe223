"""What the rules of the tools are shown."""

from recordings import AGENT, CREW, LLM, TOOL, TOOL_LINE, Scene, default, scan_entry, setting, wire, written

from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Seconds, Setting
from crewdoctor.model.span import FailureKind


def _limit(value: float | None) -> Setting:
    if value is None:
        return Setting(TOOL, "tool", "timeout", UNLIMITED, default("default of requests"))
    return Setting(TOOL, "tool", "timeout", Seconds(value), written(TOOL_LINE))


def _crew(scene: Scene, timeout: float | None, *, scanned: bool = True, deadline: float | None = None) -> None:
    limit = setting(AGENT, "agent", "max_execution_time", Seconds(deadline) if deadline else UNLIMITED)
    entry = scan_entry("requests", "requests.get", UNLIMITED if timeout is None else timeout)
    scene.crew(_limit(timeout), limit, scan=(entry,) if scanned else ())


def _kickoff(scene: Scene, seconds: float, tool_seconds: float, timeout: float) -> None:
    step = scene.step("crew.kickoff", CREW, 40.0, 41.0 + seconds)
    kickoff = scene.span(step, "crew.kickoff", 40.0, 40.0 + seconds)
    agent = scene.span(step, "agent.execution", 40.1, 39.9 + seconds, subject=AGENT, parent=kickoff)
    scene.span(step, "llm.call", 40.2, 40.8, subject=LLM, parent=agent, model="gpt-4o", stream=False)
    scene.tool(step, 41.0, 41.0 + tool_seconds, parent=agent, timeout=timeout, source="model")


def cd301_fires(scene: Scene) -> None:
    """`requests.get` without a timeout, in a tool the write guard stopped: whether its service is well is not known."""
    _crew(scene, None)
    step = scene.step("tool.isolated", TOOL, 5.0, 7.0)
    scene.span(step, "tool.call", 5.0, 5.01, subject=TOOL, tool="search", n=1, blocked=True)


def cd301_quiet(scene: Scene) -> None:
    """The same with `timeout=10`."""
    _crew(scene, 10.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 7.0)
    scene.tool(step, 5.0, 5.3, timeout=10.0)


def cd303_fires(scene: Scene) -> None:
    """Twelve honest seconds, most of the crew's time."""
    _crew(scene, 60.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 18.0)
    call = scene.tool(step, 5.0, 17.1, timeout=60.0)
    scene.stack(step, 9.0, call, "recv", seconds=4.0, peer="internal-api.local:443", timeout={"timeout": 60.0})
    _kickoff(scene, 14.0, 12.0, 60.0)


def cd303_quiet(scene: Scene) -> None:
    """Six seconds: long, but nobody's fault and within every limit."""
    _crew(scene, 60.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 18.0)
    scene.tool(step, 5.0, 11.0, timeout=60.0)
    _kickoff(scene, 8.0, 6.0, 60.0)


def cd304_fires(scene: Scene) -> None:
    """Half a body, then silence; nothing ends it, the agent's limit least of all."""
    _crew(scene, None, deadline=30.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 20.2, Status.KILLED, reason="no answer after 15.0 s")
    call = scene.tool(step, 5.0, None)
    looks = {"peer": "internal-api.local:443", "timeout": {"timeout": "unlimited"}, "bytes_received": 1024}
    for at in (6.0, 7.0, 9.0, 13.0, 20.1):
        scene.stack(step, at, call, "recv", seconds=at - 5.0, **looks)


def cd304_quiet(scene: Scene) -> None:
    """Still computing at the deadline: it may end by itself."""
    _crew(scene, None, scanned=False, deadline=30.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 20.2, Status.KILLED, reason="deadline")
    call = scene.span(
        step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema", guarded=False
    )
    scene.stack(step, 20.1, call, "cpu", seconds=15.1)


def cd305_fires(scene: Scene) -> None:
    """The service does not answer within the tool's own timeout."""
    _crew(scene, 2.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 8.0)
    scene.tool(step, 5.0, 7.1, timeout=2.0, failure=FailureKind.TIMEOUT_READ, text="Read timed out. (read timeout=2.0)")


def cd305_quiet(scene: Scene) -> None:
    """Invented arguments, and the tool says that they are wrong."""
    _crew(scene, 2.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 8.0)
    scene.tool(
        step, 5.0, 5.1, timeout=2.0, failure=FailureKind.EXCEPTION, text="no such customer", source="synthesised"
    )


def cd306_fires(scene: Scene) -> None:
    """One at a time: 1.2, 2.4, 3.6 and 4.8 s."""
    _crew(scene, 30.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 15.0)
    for index in range(3):
        scene.tool(step, 5.0 + index * 1.2, 6.2 + index * 1.2, timeout=30.0)
    for index in range(4):
        call = scene.tool(step, 9.0, 10.2 + index * 1.2, n=4, timeout=30.0)
        scene.stack(step, 10.1, call, "recv", seconds=1.1, peer="internal-api.local:443")


def cd306_quiet(scene: Scene) -> None:
    """Sixteen at a time: four take no longer than one."""
    _crew(scene, 30.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 15.0)
    for index in range(3):
        scene.tool(step, 5.0 + index * 1.2, 6.2 + index * 1.2, timeout=30.0)
    for index in range(4):
        scene.tool(step, 9.0, 10.3 + index * 0.05, n=4, timeout=30.0)


def cd312_fires(scene: Scene) -> None:
    """Alone within its timeout, among others beyond it."""
    _crew(scene, 1.7)
    step = scene.step("tool.isolated", TOOL, 5.0, 15.0)
    scene.tool(step, 5.0, 6.2, timeout=1.7)
    scene.tool(step, 9.0, 10.2, n=4, timeout=1.7)
    for _ in range(3):
        scene.tool(step, 9.0, 10.7, n=4, timeout=1.7, failure=FailureKind.TIMEOUT_READ)


def cd312_quiet(scene: Scene) -> None:
    """A timeout of more than twice the slowest."""
    _crew(scene, 10.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 15.0)
    scene.tool(step, 5.0, 6.2, timeout=10.0)
    for _ in range(4):
        scene.tool(step, 9.0, 10.4, n=4, timeout=10.0)


def _pool(scene: Scene, *, wide: int) -> None:
    _crew(scene, 10.0)
    step = scene.step("tool.isolated", TOOL, 5.0, 15.0)
    rounds = 6 // wide
    call = scene.span(
        step, "tool.call", 5.0, 5.0 + 1.5 * rounds, subject=TOOL, tool="search", n=1, args_source="schema"
    )
    peer = {"host": "internal-api.local", "port": 443}
    limits = {"connect": wire(10.0), "read": wire(10.0), "pool": wire(10.0)}
    for index in range(6):
        begun = 5.0 + 1.5 * (index // wide)
        request = scene.span(
            step, "http.request", 5.0, begun + 1.5, parent=call, client="httpx", timeout=limits, status=200, **peer
        )
        scene.span(step, "net.exchange", begun, begun + 1.5, parent=request, first_byte=1.5, **peer)


def cd603_fires(scene: Scene) -> None:
    """Six threads, one connection: the last waits 7.5 s for it."""
    _pool(scene, wide=1)


def cd603_quiet(scene: Scene) -> None:
    """Six connections for six threads."""
    _pool(scene, wide=6)


def _in_a_loop(scene: Scene, others: int) -> None:
    scene.crew(scan=(scan_entry("requests", "requests.get", 20.0),))
    step = scene.step("tool.isolated", TOOL, 5.0, 10.0)
    call = scene.tool(step, 5.0, 7.4, timeout=20.0)
    scene.stack(step, 7.0, call, "recv", seconds=2.0, peer="internal-api.local:443", loop_waits=others)


def cd309_fires(scene: Scene) -> None:
    """A request of requests in a coroutine, and another task could have gone on."""
    _in_a_loop(scene, 1)


def cd309_quiet(scene: Scene) -> None:
    """The same coroutine, alone in its loop."""
    _in_a_loop(scene, 0)


def _late_call(scene: Scene, deadline: float) -> None:
    """A tool of 20 s at most, called 14 s into the agent's work."""
    _crew(scene, 20.0, deadline=deadline)
    step = scene.step("crew.kickoff", CREW, 40.0, 61.0)
    kickoff = scene.span(step, "crew.kickoff", 40.0, 60.0)
    agent = scene.span(step, "agent.execution", 40.1, 59.0, subject=AGENT, parent=kickoff)
    scene.span(step, "llm.call", 40.2, 54.0, subject=LLM, parent=agent, model="gpt-4o", stream=False)
    scene.tool(step, 54.1, 55.0, parent=agent, timeout=20.0, source="model")


def cd302_fires(scene: Scene) -> None:
    """16 s were left of 30."""
    _late_call(scene, 30.0)


def cd302_quiet(scene: Scene) -> None:
    """46 s were left of 60."""
    _late_call(scene, 60.0)


def _returned(scene: Scene, failure: FailureKind | None) -> None:
    """A call of a tool that ended well; the request within it did or did not."""
    _crew(scene, 5.0)
    step = scene.step("crew.kickoff", CREW, 40.0, 48.0)
    kickoff = scene.span(step, "crew.kickoff", 40.0, 47.0)
    call = scene.span(step, "tool.call", 41.0, 46.0, subject=TOOL, parent=kickoff, tool="search", args_source="model")
    where = {"host": "internal-api.local", "port": 443, "client": "requests"}
    answered = {"status": 200, "first_byte": 4.9} if failure is None else {}
    scene.span(step, "http.request", 41.0, 46.0, subject=TOOL, parent=call, failure=failure, **where, **answered)


def cd308_fires(scene: Scene) -> None:
    """The request ran into its timeout; the tool returned, and so did the crew."""
    _returned(scene, FailureKind.TIMEOUT_READ)


def cd308_quiet(scene: Scene) -> None:
    """The request was answered."""
    _returned(scene, None)
