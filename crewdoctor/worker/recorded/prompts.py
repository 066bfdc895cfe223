"""The question crewai puts on a terminal after its first run, and how long it waits there for an answer."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.model.layer import Layer
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps.tap import Tap

_MODULE = "crewai.events.listeners.tracing.utils"
_ASKS = "prompt_user_for_trace_viewing"


class _Asked:
    """The question, while it stands there."""

    def __init__(self, recorder: Recorder) -> None:
        self._span = recorder.span("prompt.trace", subject="terminal", layer=Layer.ENVIRONMENT)
        self._span.__enter__()

    def done(self, _result: Any) -> None:
        """It was answered, or given up."""
        self._span.__exit__(None, None, None)

    def failed(self, error: BaseException) -> None:
        """It raised."""
        self._span.__exit__(type(error), error, None)


def install(recorder: Recorder) -> None:
    """Time the question wherever crewai has it."""
    tap = Tap("trace_prompt", recorder)

    def asks(module: ModuleType) -> None:
        if hasattr(module, _ASKS):
            tap.around(module, _ASKS, lambda *_, **__: _Asked(recorder))

    when_imported(_MODULE, tap.safely(asks))
