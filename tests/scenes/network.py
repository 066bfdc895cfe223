"""What the rules of the network are shown, where no lab can show it."""

from recordings import CREW, LLM, MODEL_HOST, TOOL, Scene

from crewdoctor.model.span import FailureKind

PEER = {"host": "internal-api.local", "port": 443}


def _call(scene: Scene, step: str, start: float, connection: int, *, reused: bool, reset: bool = False) -> None:
    """A call of the tool over a kept session."""
    failure = FailureKind.TCP_RESET if reset else None
    end = start + (0.002 if reset else 0.1)
    call = scene.span(step, "tool.call", start, end, subject=TOOL, failure=failure, tool="search", n=1)
    request = scene.span(
        step, "http.request", start, end, subject=TOOL, parent=call, failure=failure, client="requests", **PEER
    )
    received = {} if reset else {"received_bytes": 180}
    seen = {"connection": connection, "reused": reused, **PEER, **received}
    scene.span(step, "net.exchange", start, end, subject=TOOL, parent=request, failure=failure, **seen)


def _twice(scene: Scene, pause: float, *, reset: bool) -> None:
    scene.crew()
    alone = scene.step("tool.isolated", TOOL, 5.0, 6.0)
    _call(scene, alone, 5.0, 1, reused=False)
    _call(scene, alone, 5.2, 1, reused=True)
    crew = scene.step("crew.kickoff", CREW, 10.0, 30.0)
    _call(scene, crew, 11.0, 2, reused=False)
    _call(scene, crew, 11.1 + pause, 2, reused=True, reset=reset)


def cd130_fires(scene: Scene) -> None:
    """Quick calls on one connection are answered; the one after 8 s of the model's thinking is reset."""
    _twice(scene, 8.0, reset=True)


def cd130_quiet(scene: Scene) -> None:
    """The same pause, and the connection is still good."""
    _twice(scene, 8.0, reset=False)


def _asked_in_plain(scene: Scene, tls: str) -> None:
    """Each request of the model is closed before an answer; a handshake with its port ended so."""
    scene.crew()
    asked = scene.step("llm.sdk", LLM, 4.0, 6.0, answered=False, hung=False, status=None)
    scene.llm(asked, 4.0, 4.1, failure=FailureKind.TCP_CLOSED, status=None)
    crew = scene.step("crew.kickoff", CREW, 10.0, 16.0)
    kickoff = scene.span(crew, "crew.kickoff", 10.0, 15.0, failure=FailureKind.TCP_CLOSED)
    for start in (11.0, 12.0, 13.0):
        scene.llm(crew, start, start + 0.9, parent=kickoff, requests=3, failure=FailureKind.TCP_CLOSED, status=None)
    scene.step("net.plain", MODEL_HOST, 16.0, 16.1, tls=tls)


def cd123_fires(scene: Scene) -> None:
    """The port agrees on TLS."""
    _asked_in_plain(scene, "TLSv1.3")


def cd123_quiet(scene: Scene) -> None:
    """It hangs up on a handshake as well."""
    _asked_in_plain(scene, "")
