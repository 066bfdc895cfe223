"""How a step ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from crewdoctor.model.plan import Step
from crewdoctor.model.span import Failure


class Status(str, Enum):
    """The ways a step can end. Nothing vanishes (law 2)."""

    OK = "ok"
    """The probe ran to its end. What it measured may still be a failing target."""
    FAILED = "failed"
    """The probe itself could not be attempted (`CannotProbe`) or raised."""
    KILLED = "killed"
    """Our deadline, or a recurrence of a hang already paid for, ended it."""
    CRASHED = "crashed"
    """The process went away by itself: exit code or signal in `reason`."""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class StepResult:
    """The outcome of one step; its spans, events and stacks lie beside it in the recording."""

    step: Step
    status: Status
    start: float
    end: float
    reason: str = ""
    """One sentence: why it was killed, skipped, could not be attempted."""
    failure: Failure | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """Small JSON results the probe noted by name."""

    @property
    def seconds(self) -> float:
        """Wall time of the step."""
        return self.end - self.start

    @property
    def llm_calls(self) -> int:
        """Calls of a paid model it made: those its probe counted (fact `calls`), else at most those planned."""
        if self.status is Status.SKIPPED:
            return 0
        counted = self.facts.get("calls")
        if self.status is Status.OK and isinstance(counted, int):
            return min(counted, self.step.llm_calls)
        return self.step.llm_calls
