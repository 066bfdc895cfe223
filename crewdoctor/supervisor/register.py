"""What became of every step: written to the recording, told to whoever watches, kept for the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, final

from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.supervisor.progress import Progress
from crewdoctor.supervisor.schedule import LASTING
from crewdoctor.wire.codec import encode
from crewdoctor.wire.recording import RecordingWriter


@final
class Register:
    """The recording as it grows, and the results so far."""

    def __init__(
        self, recording: RecordingWriter, zero: float, progress: Callable[[Progress], None] | None = None
    ) -> None:
        self.results: dict[str, StepResult] = {}
        self.zero = zero
        self._recording, self._progress = recording, progress

    @property
    def now(self) -> float:
        """Seconds since the recording's zero."""
        return time.monotonic() - self.zero

    def write(self, frame: Mapping[str, Any]) -> None:
        """Append one frame of a step; what only moves, and the inventory the pipeline writes itself, are left out."""
        if frame["k"] != "move" and not (frame["k"] == "fact" and frame["name"] == "inventory"):
            self._recording.write(dict(frame))

    def own(self, text: str, step: str = "") -> None:
        """Write a line of crewdoctor's own."""
        self._recording.write({"k": "own", "step": step, "at": self.now, "text": text})

    def settle(self, result: StepResult) -> None:
        """Keep and write the result of a step."""
        self.results[result.step.id] = result
        facts = {name: value for name, value in result.facts.items() if name != "inventory"}
        self._recording.write({"k": "result", "result": {**encode(result), "facts": facts}})
        self.tell(result.step, result.status.value, result.reason, 0.0)

    def end(self, step: Step, status: Status, reason: str) -> None:
        """Settle a step that never ran."""
        self.settle(StepResult(step, status, self.now, self.now, reason))

    def tell(self, step: Step, state: str, waiting: str, remaining: float) -> None:
        """One line of progress."""
        if self._progress is not None and step.probe != LASTING:
            left = max(0.0, remaining)
            self._progress(Progress(step.id, state, step.announce or step.id, waiting, left, step.layer))

    def unanswered(self, step: Step) -> str:
        """A hang is paid once: why a step that needs the answer of another would only wait again."""
        needed = self.results.get(str(step.args.get("needs_answer_of", "")))
        if needed is not None and needed.facts.get("cut_off"):
            return f"{needed.step.id} was cut off by the user's own timeout; the same wait is not paid twice"
        if needed is not None and {"limited", "rationed"} & set(needed.facts):
            return f"{needed.step.id} met the provider's rate limit; what it still allows is kept for the crew"
        if needed is None or needed.facts.get("answered") is True:
            return ""
        return f"{needed.step.id} got no answer; the same wait is not paid twice"
