"""What the rules of agents, the crew's limiter and crewdoctor itself are shown."""

from recordings import AGENT, CREW, LLM, TOOL, TOOL_LINE, Scene, default, scan_entry, setting, wire, written

from crewdoctor.model.result import Status
from crewdoctor.model.setting import OUTER, UNLIMITED, Location, Seconds, Setting
from crewdoctor.model.span import FailureKind


def _crew(scene: Scene, *more: Setting, deadline: float | None, read: float = 60.0) -> None:
    scene.crew(
        setting(LLM, "llm", "timeout.read", Seconds(read)),
        setting(LLM, "llm", "max_retries", 1),
        setting(AGENT, "agent", "max_execution_time", Seconds(deadline) if deadline else UNLIMITED),
        setting(AGENT, "agent", "max_retry_limit", 2, default("default of crewai 1.15.30")),
        setting(TOOL, "tool", "timeout", Seconds(30.0), written(TOOL_LINE)),
        *more,
        scan=(scan_entry("requests", "requests.get", 30.0),),
    )


def _kickoff(scene: Scene, *calls: tuple[str, float], failed: bool) -> None:
    total = sum(seconds for _, seconds in calls) + 0.2 * len(calls)
    step = scene.step("crew.kickoff", CREW, 20.0, 21.0 + total)
    kickoff = scene.span(step, "crew.kickoff", 20.0, 20.2 + total)
    failure = FailureKind.TIMEOUT_TOTAL if failed else None
    agent = scene.span(step, "agent.execution", 20.1, 20.1 + total, subject=AGENT, parent=kickoff, failure=failure)
    at = 20.2
    for name, seconds in calls:
        if name == "tool":
            scene.tool(step, at, at + seconds, parent=agent, timeout=30.0, source="model")
        else:
            scene.llm(step, at, at + seconds, parent=agent)
        at += seconds + 0.2


def _gunicorn(limit: float) -> Setting:
    where = Location("gunicorn.conf.py", 3, "", f"timeout = {limit:g}")
    return Setting("outer:gunicorn", OUTER, "timeout", Seconds(limit), written(where), "timeout")


def cd401_fires(scene: Scene) -> None:
    """A limit of 2 s; one tool call of 6.1 s."""
    _crew(scene, deadline=2.0)
    _kickoff(scene, ("llm", 0.3), ("tool", 6.1), ("llm", 0.3), failed=True)


def cd401_quiet(scene: Scene) -> None:
    """The same work within a limit of 60 s."""
    _crew(scene, deadline=60.0)
    _kickoff(scene, ("llm", 0.3), ("tool", 6.1), ("llm", 0.3), failed=False)


def cd402_fires(scene: Scene) -> None:
    """Timeouts everywhere, a deadline nowhere."""
    _crew(scene, deadline=None)


def cd402_quiet(scene: Scene) -> None:
    """The agent has one."""
    _crew(scene, deadline=300.0)


def cd403_fires(scene: Scene) -> None:
    """2 x 60 s + 0.5 s within 90 s; within the 100 s of a worker."""
    _crew(scene, _gunicorn(100.0), deadline=90.0)


def cd403_quiet(scene: Scene) -> None:
    """2 x 40 s + 0.5 s within 90 s, and so within 100 s."""
    _crew(scene, _gunicorn(100.0), deadline=90.0, read=40.0)


def _around(scene: Scene, limit: float, *tasks: float) -> None:
    """A crew of so many tasks, each of one tool call, under gunicorn."""
    _crew(scene, _gunicorn(limit), deadline=None, read=limit / 8)
    step = scene.step("crew.kickoff", CREW, 20.0, 21.0 + sum(tasks))
    kickoff = scene.span(step, "crew.kickoff", 20.0, 20.2 + sum(tasks))
    at = 20.1
    for number, seconds in enumerate(tasks, 1):
        name = f"task:{number}"
        task = scene.span(step, "task.execution", at, at + seconds, subject=name, parent=kickoff)
        agent = scene.span(step, "agent.execution", at, at + seconds, subject=AGENT, parent=task)
        scene.tool(step, at + 0.1, at + seconds - 0.1, parent=agent, timeout=30.0, source="model")
        at += seconds


def cd502_fires(scene: Scene) -> None:
    """A task of 41 s under a limit of 40 s."""
    _around(scene, 40.0, 41.0)


def cd502_quiet(scene: Scene) -> None:
    """The same task under a limit of 90 s."""
    _around(scene, 90.0, 41.0)


def cd503_fires(scene: Scene) -> None:
    """Three tasks of 14 s each under a limit of 40 s."""
    _around(scene, 40.0, 14.0, 14.0, 14.0)


def cd503_quiet(scene: Scene) -> None:
    """Two of them."""
    _around(scene, 40.0, 14.0, 14.0)


def cd408_fires(scene: Scene) -> None:
    """Six calls, each healthy, together longer than the limit."""
    _crew(scene, deadline=10.0)
    _kickoff(scene, *[("llm", 2.0), ("tool", 2.5)] * 3, failed=True)


def cd408_quiet(scene: Scene) -> None:
    """The limit leaves room."""
    _crew(scene, deadline=40.0)
    _kickoff(scene, *[("llm", 2.0), ("tool", 2.5)] * 3, failed=False)


def _ladder(scene: Scene, agent: float, *, rounds: int = 6) -> None:
    _crew(scene, deadline=None)
    names = (("connect", 0.002), ("raw request", 0.4), ("sdk", 0.41), ("crewai llm", 0.45), ("agent", agent))
    samples = {name: [round(base * (1 + 0.02 * index), 4) for index in range(rounds)] for name, base in names}
    rungs = [{"name": name, "samples": rounds, "seconds": held, "jump": False} for name, held in samples.items()]
    step = scene.step("ladder", LLM, 20.0, 70.0, rungs=rungs, conclusive=rounds > 4)
    at = 20.0
    for index in range(rounds):
        for name, held in samples.items():
            scene.span(step, "ladder.rung", at, at + held[index], subject=LLM, rung=name, round=index, simulated=False)
            at += held[index]


def cd410_fires(scene: Scene) -> None:
    """Six seconds are added in the agent."""
    _ladder(scene, 6.9)


def cd410_quiet(scene: Scene) -> None:
    """Three tenths are: a framework at work."""
    _ladder(scene, 0.75)


def _limited(scene: Scene, rpm: int) -> str:
    _crew(scene, setting(CREW, "crew", "max_rpm", rpm), deadline=None)
    step = scene.step("crew.kickoff", CREW, 20.0, 42.0, Status.KILLED, reason="nothing has moved for 20.0 s")
    kickoff = scene.span(step, "crew.kickoff", 20.0, None)
    agent = scene.span(step, "agent.execution", 20.1, None, subject=AGENT, parent=kickoff)
    scene.llm(step, 20.2, 20.9, parent=agent)
    return agent


def cd501_fires(scene: Scene) -> None:
    """One request a minute; the second one sleeps."""
    agent = _limited(scene, 1)
    scene.span(f"crew.kickoff@{CREW}", "limiter.sleep", 21.0, None, subject=AGENT, parent=agent, max_rpm=1)


def cd501_quiet(scene: Scene) -> None:
    """Sixty a minute are more than it makes: it never sleeps."""
    _limited(scene, 60)
    scene.lines = [line for line in scene.lines if line.get("name") != "limiter.sleep"]


def cd901_fires(scene: Scene) -> None:
    """The tool's process is killed by the kernel."""
    _crew(scene, deadline=None)
    step = scene.step("tool.isolated", TOOL, 5.0, 7.0, Status.CRASHED, reason="killed by SIGKILL: out of memory?")
    scene.tool(step, 5.0, None)


def cd901_quiet(scene: Scene) -> None:
    """Ended by crewdoctor at its deadline: no crash."""
    _crew(scene, deadline=None)
    step = scene.step("tool.isolated", TOOL, 5.0, 27.0, Status.KILLED, reason="deadline")
    scene.tool(step, 5.0, None)


def cd902_fires(scene: Scene) -> None:
    """A package is missing."""
    failure = {
        "kind": "missing_package",
        "sentence": "crew.py:3 imports `serpapi`, which is not installed",
        "way_out": "install it, or name the project's interpreter with --python",
        "usage": False,
        "location": {"file": "crew.py", "line": 3},
    }
    scene.step("inspect", "crew", 0.0, 3.0, Status.FAILED, worker="crew", reason="", load_failure=failure)


def cd902_quiet(scene: Scene) -> None:
    """It loads."""
    _crew(scene, deadline=None)


def cd903_fires(scene: Scene) -> None:
    """`{topic}` in a task, and nobody gave it."""
    scene.crew(inputs=("topic",))


def cd903_quiet(scene: Scene) -> None:
    """Nothing is asked for."""
    scene.crew()


def cd904_fires(scene: Scene) -> None:
    """Three calls below a written timeout; a ladder of three rounds."""
    _ladder(scene, 0.75, rounds=3)
    step = scene.step("llm.sdk", LLM, 4.0, 8.0)
    for index in range(3):
        scene.llm(step, 4.0 + index, 4.5 + index)


def cd904_quiet(scene: Scene) -> None:
    """Six of each."""
    _ladder(scene, 0.75)
    step = scene.step("llm.sdk", LLM, 4.0, 12.0)
    for index in range(6):
        scene.llm(step, 4.0 + index, 4.5 + index)


def _guardrail(scene: Scene, end: float | None) -> None:
    scene.crew(tools=0)
    status = Status.OK if end else Status.KILLED
    step = scene.step("crew.kickoff", CREW, 10.0, 32.0, status, reason="" if end else "nothing has moved for 20.1 s")
    kickoff = scene.span(step, "crew.kickoff", 10.1, end and end + 0.2)
    task = scene.span(step, "task.execution", 10.2, end and end + 0.1, subject="task:1", parent=kickoff)
    agent = scene.span(step, "agent.execution", 10.3, 11.2, subject=AGENT, parent=task)
    scene.llm(step, 10.4, 11.0, parent=agent)
    peer = {"host": "moderation.internal", "port": 443}
    limits = {"connect": wire(UNLIMITED), "read": wire(UNLIMITED)}
    request = scene.span(
        step, "http.request", 11.3, end, subject="task:1", parent=task, client="requests", timeout=limits, **peer
    )
    exchange = scene.span(
        step, "net.exchange", 11.3, end, subject="task:1", parent=request, timeout=wire(UNLIMITED), **peer
    )
    if end is None:
        line = Location("/project/crew.py", 8, "no_banned_words", 'r = requests.get("https://moderation.internal/")')
        looks = {"peer": "moderation.internal:443", "timeout": wire(UNLIMITED), "bytes_received": 0}
        scene.stack(step, 31.9, exchange, "recv", seconds=20.5, line=line, **looks)


def cd507_fires(scene: Scene) -> None:
    """The agent has answered; its task's guardrail asks a host that stays silent."""
    _guardrail(scene, None)


def cd507_quiet(scene: Scene) -> None:
    """The same guardrail, answered."""
    _guardrail(scene, 11.9)


def cd405_fires(scene: Scene) -> None:
    """25 turns of 60 s and 30 s under a limit of 15 min."""
    _crew(scene, _gunicorn(900.0), setting(AGENT, "agent", "max_iter", 25), deadline=None)


def cd405_quiet(scene: Scene) -> None:
    """Five of them."""
    _crew(scene, _gunicorn(900.0), setting(AGENT, "agent", "max_iter", 5), deadline=None)


def _again(scene: Scene, *numbers: int) -> None:
    """Calls of one tool, each of 6 s, with arguments of these numbers."""
    _crew(scene, deadline=None)
    step = scene.step("crew.kickoff", CREW, 20.0, 30.0 + 6 * len(numbers))
    kickoff = scene.span(step, "crew.kickoff", 20.0, 29.0 + 6 * len(numbers))
    agent = scene.span(step, "agent.execution", 20.1, 28.0 + 6 * len(numbers), subject=AGENT, parent=kickoff)
    for index, number in enumerate(numbers):
        begun = 21.0 + 6 * index
        scene.span(
            step, "tool.call", begun, begun + 6, subject=TOOL, parent=agent, tool="search", n=1, arguments=number
        )


def cd407_fires(scene: Scene) -> None:
    """Four calls with the same arguments."""
    _again(scene, 1, 1, 1, 1)


def cd407_quiet(scene: Scene) -> None:
    """Four calls, two and two."""
    _again(scene, 1, 2, 1, 2)
