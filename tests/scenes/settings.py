"""What the rules about settings that are not honoured are shown."""

from recordings import AGENT, CREW, CREW_LINE, LLM, TOOL, TOOL_LINE, Scene, default, scan_entry, setting, written

from crewdoctor.model.setting import UNLIMITED, Location, Seconds, Setting
from crewdoctor.model.span import FailureKind

TOOL_BUILT = Location("crew.py", 12, "", "search = Search(timeout=15)")


def _dropped(subject: str, scope: str, name: str, value: float, line: Location = CREW_LINE) -> Setting:
    return Setting(subject, scope, f"dropped.{name}", value, written(line), "the built object does not hold it")


def _crew(scene: Scene, *more: Setting, timeout: float = 60.0) -> None:
    limit = Setting(TOOL, "tool", "timeout", Seconds(timeout), written(TOOL_LINE))
    scene.crew(limit, *more, scan=(scan_entry("requests", "requests.get", timeout),))


def _run(scene: Scene, tool_seconds: float) -> None:
    step = scene.step("crew.kickoff", CREW, 40.0, 43.0 + tool_seconds)
    kickoff = scene.span(step, "crew.kickoff", 40.0, 42.0 + tool_seconds)
    agent = scene.span(step, "agent.execution", 40.1, 41.9 + tool_seconds, subject=AGENT, parent=kickoff)
    scene.span(step, "llm.call", 40.2, 40.8, subject=LLM, parent=agent, model="gpt-4o", stream=False)
    scene.tool(step, 41.0, 41.0 + tool_seconds, parent=agent, timeout=60.0, source="model")


def cd406_fires(scene: Scene) -> None:
    """`Agent(timeout=5)`, and a tool that takes 6.5 s; the crew got a typo."""
    _crew(scene, _dropped(AGENT, "agent", "timeout", 5), _dropped(CREW, "crew", "max_rmp", 10))
    _run(scene, 6.5)


def cd406_quiet(scene: Scene) -> None:
    """`Agent(max_execution_time=60)`, which is read; the same tool."""
    _crew(scene, setting(AGENT, "agent", "max_execution_time", Seconds(60)))
    _run(scene, 6.5)


def cd307_fires(scene: Scene) -> None:
    """`Search(timeout=15)`: the tool has no such field, and its call no limit."""
    unlimited = Setting(TOOL, "tool", "timeout", UNLIMITED, default("default of requests"))
    scene.crew(
        unlimited,
        _dropped(TOOL, "tool", "timeout", 15, TOOL_BUILT),
        scan=(scan_entry("requests", "requests.get", UNLIMITED),),
    )
    _run(scene, 0.5)


def cd307_quiet(scene: Scene) -> None:
    """The same, and the tool passes its `timeout` on."""
    _crew(scene, timeout=15.0)
    _run(scene, 0.5)


def _ignoring(scene: Scene, *more: Setting, read: Setting) -> None:
    scene.crew(read, setting(LLM, "llm", "max_retries", 0, default("default of google-genai 1.65.0")), *more, tools=0)
    step = scene.step("llm.sdk", LLM, 4.0, 5.0)
    for at in (4.0, 4.2):
        scene.llm(step, at, at + 0.2, kind="warm")


def cd204_fires(scene: Scene) -> None:
    """`LLM(timeout=30, max_retries=1)` on a model whose client crewAI tells neither: it waits for ever."""
    nobody = default("google-genai 1.65.0 sends no timeout")
    note = "crewai does not pass it to google-genai"
    lost = [Setting(LLM, "llm", f"dropped.{name}", value, written(CREW_LINE), note) for name, value in _WRITTEN]
    _ignoring(scene, *lost, read=Setting(LLM, "llm", "timeout.read", UNLIMITED, nobody))


def cd204_quiet(scene: Scene) -> None:
    """The same limit where the client reads it."""
    _ignoring(scene, read=Setting(LLM, "llm", "timeout.read", Seconds(30.0), written(CREW_LINE)))


_WRITTEN = (("timeout", 30), ("max_retries", 1))


def _model(scene: Scene, *more: Setting, failure: FailureKind | None = None, text: str = "") -> None:
    scene.crew(setting(LLM, "llm", "timeout.read", Seconds(60.0)), *more, tools=0)
    step = scene.step("llm.sdk", LLM, 4.0, 5.0)
    for at in (4.0, 4.2):
        if failure is None:
            scene.llm(step, at, at + 0.1)
        else:
            scene.span(step, "llm.call", at, at + 0.01, subject=LLM, failure=failure, text=text, model="gpt-4o")


def cd205_fires(scene: Scene) -> None:
    """`LLM(request_timeout=30)`: TypeError before anything is sent."""
    refused = Setting(LLM, "llm", "refused.request_timeout", 30, written(), "no argument of Completions.create")
    text = "Completions.create() got an unexpected keyword argument 'request_timeout'"
    _model(scene, refused, failure=FailureKind.BAD_ARGUMENT, text=text)


def cd205_quiet(scene: Scene) -> None:
    """A TypeError of another kind, in a model whose keywords are all taken."""
    _model(scene, failure=FailureKind.BAD_ARGUMENT, text="Object of type set is not JSON serializable")


def cd202_fires(scene: Scene) -> None:
    """`client_params={"timeout": None}`; the model answers today."""
    scene.crew(setting(LLM, "llm", "timeout.read", UNLIMITED), tools=0)
    step = scene.step("llm.sdk", LLM, 4.0, 5.0)
    scene.llm(step, 4.0, 4.4)


def cd202_quiet(scene: Scene) -> None:
    """The SDK's default of 600 s."""
    scene.crew(setting(LLM, "llm", "timeout.read", Seconds(600.0), default("default of openai 2.54.0")), tools=0)
    step = scene.step("llm.sdk", LLM, 4.0, 5.0)
    scene.llm(step, 4.0, 4.4)
