"""What the rules of the model are shown."""

from dataclasses import replace

from recordings import AGENT, CREW, LLM, Scene, default, setting

from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.span import FailureKind

SDK = default("default of openai 2.54.0")


def _crew(scene: Scene, read: float | None = None, retries: int | None = None, *, stream: bool = False) -> None:
    scene.crew(
        setting(LLM, "llm", "timeout.connect", Seconds(5.0), SDK),
        setting(LLM, "llm", "timeout.read", Seconds(read or 600.0), None if read else SDK),
        setting(LLM, "llm", "max_retries", 2 if retries is None else retries, SDK if retries is None else None),
        setting(AGENT, "agent", "max_execution_time", UNLIMITED, default("default of crewai 1.15.30")),
        setting(AGENT, "agent", "max_retry_limit", 2, default("default of crewai 1.15.30")),
        tools=0,
        stream=stream,
    )


def _alone(scene: Scene, *seconds: float) -> None:
    step = scene.step("llm.sdk", LLM, 4.0, 5.0 + sum(seconds))
    at = 4.0
    for index, each in enumerate(seconds):
        scene.llm(step, at, at + each, kind="warm" if index else "cold")
        at += each


def _storm(scene: Scene, *, failure: FailureKind, status: int | None, seconds: float, read: float = 600.0) -> None:
    step = scene.step("crew.kickoff", CREW, 30.0, 31.0 + 3 * (seconds + 0.5))
    kickoff = scene.span(step, "crew.kickoff", 30.0, 30.5 + 3 * (seconds + 0.5), failure=failure)
    for index in range(3):
        begun = 30.0 + index * (seconds + 0.5)
        agent = scene.span(
            step, "agent.execution", begun, begun + seconds, subject=AGENT, parent=kickoff, failure=failure
        )
        scene.llm(step, begun, begun + seconds, parent=agent, requests=3, failure=failure, status=status, read=read)
        scene.span(step, "retry.backoff", begun + seconds, begun + seconds + 0.5, subject=LLM, parent=kickoff)


def cd201_fires(scene: Scene) -> None:
    """Written: 2 s. The answers take 4.6 s; in the crew every attempt is cut off."""
    _crew(scene, read=2.0)
    _alone(scene, 4.6, 4.4, 4.5)
    _storm(scene, failure=FailureKind.TIMEOUT_READ, status=None, seconds=6.0, read=2.0)


def cd201_quiet(scene: Scene) -> None:
    """Written: 30 s, for the same answers."""
    _crew(scene, read=30.0)
    _alone(scene, 4.6, 4.4, 4.5)


def cd203_fires(scene: Scene) -> None:
    """Nobody set a timeout."""
    _crew(scene)
    _alone(scene, 0.6, 0.5, 0.5)


def cd203_quiet(scene: Scene) -> None:
    """Somebody did."""
    _crew(scene, read=60.0, retries=1)
    _alone(scene, 0.6, 0.5, 0.5)


def cd208_fires(scene: Scene) -> None:
    """Accepted, and not a byte until the deadline."""
    _crew(scene)
    step = scene.step("llm.sdk", LLM, 4.0, 22.0, Status.KILLED, reason="no answer within 18.0 s")
    call = scene.llm(step, 4.0, None)
    scene.stack(step, 21.5, call, "recv", seconds=17.5, line=None, peer="model.internal:8000", bytes_received=0)


def cd208_quiet(scene: Scene) -> None:
    """Slow but honest: eight seconds to the first byte."""
    _crew(scene)
    _alone(scene, 8.1, 8.0)


def cd210_fires(scene: Scene) -> None:
    """Two a minute are allowed; the crew's call is turned away to the end."""
    _crew(scene)
    _alone(scene, 0.2, 0.2)
    _storm(scene, failure=FailureKind.HTTP_RATE_LIMITED, status=429, seconds=3.0)
    for line in scene.lines:
        if line.get("name") == "http.request" and line["attrs"].get("status") == 429:
            line["attrs"] |= {"retry_after": "1", "ratelimit": {"x-ratelimit-limit-requests": "2"}}


def cd210_quiet(scene: Scene) -> None:
    """Every request is answered."""
    _crew(scene)
    _alone(scene, 0.2, 0.2, 0.2)


def _told_to_wait(scene: Scene, pause: float) -> None:
    _crew(scene)
    step = scene.step("crew.kickoff", CREW, 30.0, 45.0)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 44.0)
    agent = scene.span(step, "agent.execution", 30.0, 44.0, subject=AGENT, parent=kickoff)
    limited = FailureKind.HTTP_RATE_LIMITED
    scene.llm(step, 30.0, 30.2, parent=agent, failure=limited, status=429)
    scene.llm(step, 30.2 + pause, 30.8 + pause, parent=agent)
    for line in scene.lines:
        if line.get("name") == "http.request" and line["attrs"].get("status") == 429:
            line["attrs"] |= {"retry_after": "6"}


def cd211_fires(scene: Scene) -> None:
    """Six seconds are asked for, and one is waited."""
    _told_to_wait(scene, 1.0)


def cd211_quiet(scene: Scene) -> None:
    """The same answer, and the six seconds are waited."""
    _told_to_wait(scene, 6.1)


def cd213_fires(scene: Scene) -> None:
    """Nine requests, nine times 500."""
    _crew(scene)
    _storm(scene, failure=FailureKind.HTTP_SERVER_ERROR, status=500, seconds=1.6)


def cd213_quiet(scene: Scene) -> None:
    """The second attempt gets through: that is what a retry is for."""
    _crew(scene)
    step = scene.step("crew.kickoff", CREW, 30.0, 40.0)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 39.0)
    agent = scene.span(step, "agent.execution", 30.0, 39.0, subject=AGENT, parent=kickoff)
    scene.llm(step, 30.0, 30.4, parent=agent, failure=FailureKind.HTTP_SERVER_ERROR, status=500)
    scene.llm(step, 31.0, 31.6, parent=agent)


def _refused(scene: Scene, *, retried: bool) -> None:
    scene.crew(
        setting(LLM, "llm", "timeout.read", Seconds(600.0), SDK),
        setting(LLM, "llm", "max_retries", 2, SDK),
        setting(LLM, "llm", "api_key", True),
        setting(LLM, "llm", "base_url", "http://model.internal:8000/v1", SDK),
        setting(AGENT, "agent", "max_retry_limit", 2, default("default of crewai 1.15.30")),
        tools=0,
    )
    text = "Error code: 401 - {'error': {'message': 'Incorrect API key provided.', 'code': 'invalid_api_key'}}"
    refused = FailureKind.HTTP_UNAUTHORIZED
    alone = scene.step("llm.sdk", LLM, 4.0, 4.2)
    scene.llm(alone, 4.0, 4.1, kind="cold", failure=refused, text=text, status=401)
    step = scene.step("crew.kickoff", CREW, 30.0, 31.0)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 30.9, failure=refused)
    for index in range(3 if retried else 1):
        begun = 30.0 + index * 0.2
        agent = scene.span(step, "agent.execution", begun, begun + 0.1, subject=AGENT, parent=kickoff, failure=refused)
        scene.llm(step, begun, begun + 0.1, parent=agent, failure=refused, text=text, status=401)
    if not retried:
        scene.llm(step, 30.5, 30.8, parent=kickoff)


def cd214_fires(scene: Scene) -> None:
    """A key that is refused, alone and three times in the crew."""
    _refused(scene, retried=True)


def cd214_quiet(scene: Scene) -> None:
    """Refused once; what was asked next was answered."""
    _refused(scene, retried=False)


def cd221_fires(scene: Scene) -> None:
    """Tokens for two seconds, then nothing until the deadline."""
    _crew(scene, stream=True)
    step = scene.step("llm.sdk", LLM, 4.0, 22.0, Status.KILLED, reason="no answer within 18.0 s")
    call = scene.llm(step, 4.0, None, stream=True, first_token=0.4, gaps_max=0.1)
    for at, seconds in ((8.0, 2.0), (21.5, 15.5)):
        scene.stack(step, at, call, "recv", seconds=seconds, line=None, peer="model.internal:8000", bytes_received=2048)


def cd221_quiet(scene: Scene) -> None:
    """Slow tokens, steadily."""
    _crew(scene, stream=True)
    step = scene.step("llm.sdk", LLM, 4.0, 22.0)
    scene.llm(step, 4.0, 16.0, stream=True, first_token=0.4, gaps_max=0.6)


def _flaky(scene: Scene, retries: int) -> None:
    _crew(scene, retries=retries)
    _alone(scene, 0.4, 0.4)
    failure = FailureKind.HTTP_SERVER_ERROR
    step = scene.step("crew.kickoff", CREW, 30.0, 31.0)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 30.9, failure=None if retries else failure)
    scene.llm(step, 30.0, 30.2, parent=kickoff, failure=failure, status=503)
    if retries:
        scene.llm(step, 30.4, 30.8, parent=kickoff)


def cd311_fires(scene: Scene) -> None:
    """One 503 among answers, and nothing asks again."""
    _flaky(scene, 0)


def cd311_quiet(scene: Scene) -> None:
    """The same, and the SDK repeats it."""
    _flaky(scene, 2)


def _stream(scene: Scene, seconds: float) -> None:
    _crew(scene, 3.0, stream=True)
    step = scene.step("crew.kickoff", CREW, 30.0, 32.0 + seconds)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 31.0 + seconds)
    agent = scene.span(step, "agent.execution", 30.1, 30.9 + seconds, subject=AGENT, parent=kickoff)
    scene.llm(step, 30.2, 30.2 + seconds, parent=agent, stream=True, read=3.0, first_token=0.3, gaps_max=0.4)


def cd206_fires(scene: Scene) -> None:
    """A stream of 9.4 s under a timeout of 3 s, its pieces 0.4 s apart."""
    _stream(scene, 9.4)


def cd206_quiet(scene: Scene) -> None:
    """One of 2.4 s."""
    _stream(scene, 2.4)


def _dead(scene: Scene, connect: float) -> None:
    """A host that drops what is sent to it; 60 s were written for answers."""
    _crew(scene, 60.0)
    assert scene.inventory is not None
    settings = [each for each in scene.inventory.settings if each.name != "timeout.connect"]
    own = setting(LLM, "llm", "timeout.connect", Seconds(connect))
    scene.inventory = replace(scene.inventory, settings=(own, *settings))
    step = scene.step("crew.kickoff", CREW, 30.0, 31.0 + 3 * connect, Status.FAILED)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 30.9 + 3 * connect, failure=FailureKind.TIMEOUT_CONNECT)
    call = scene.span(
        step, "llm.call", 30.1, 30.5 + 3 * connect, subject=LLM, parent=kickoff, failure=FailureKind.TIMEOUT_CONNECT
    )
    for index in range(3):
        begun = 30.2 + index * connect
        scene.span(
            step,
            "tcp.connect",
            begun,
            begun + connect,
            subject=LLM,
            parent=call,
            failure=FailureKind.TIMEOUT_CONNECT,
            host="model.internal",
            port=8000,
            address="10.1.2.3",
        )


def cd207_fires(scene: Scene) -> None:
    """Three connects of 60 s each."""
    _dead(scene, 60.0)


def cd207_quiet(scene: Scene) -> None:
    """Connecting has a limit of its own."""
    _dead(scene, 5.0)


LONG = (
    "Error code: 400 - {'error': {'message': \"This model's maximum context length is 8192 tokens. However, your "
    "messages resulted in 9120 tokens.\", 'code': 'context_length_exceeded'}}"
)


def _turned_away_for(scene: Scene, text: str) -> None:
    _crew(scene, 60.0)
    step = scene.step("crew.kickoff", CREW, 30.0, 40.0, Status.FAILED)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 39.0, failure=FailureKind.HTTP_CLIENT_ERROR)
    scene.llm(step, 30.1, 31.0, parent=kickoff)
    for index in range(3):
        at = 32.0 + index
        scene.llm(step, at, at + 0.2, parent=kickoff, failure=FailureKind.HTTP_CLIENT_ERROR, text=text, status=400)


def cd212_fires(scene: Scene) -> None:
    """The second turn's prompt is too long, three times."""
    _turned_away_for(scene, LONG)


def cd212_quiet(scene: Scene) -> None:
    """It is turned away for something else."""
    _turned_away_for(scene, "Error code: 400 - {'error': {'message': 'unknown parameter'}}")
