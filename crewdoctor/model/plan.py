"""What will be done, before it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.layer import Layer


@dataclass(frozen=True, slots=True)
class Step:
    """One planned run of a probe. `args` is JSON."""

    id: str
    """`<probe id>@<subject>`, unique in a plan."""
    probe: str
    layer: Layer
    subject: str
    worker: str
    """`own` (crewdoctor's interpreter), `crew` (the user's interpreter), `loaded` (the user's, the crew loaded)."""
    deadline: float
    """Seconds from its start until it is killed."""
    args: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    """Ids of steps that must have ended first (however they ended)."""
    lane: str = ""
    """Steps of the same non-empty lane never run at the same time."""
    llm_calls: int = 0
    """At most so many calls of a real, paid model."""
    tokens: int = 0
    """Upper bound of tokens spent."""
    announce: str = ""
    """What it does, for the plan and the progress line: `call tool search alone`."""
    condition: str = ""
    """Non-empty in a dry run: the step only happens if this holds."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A probe that will not run on a subject, and why."""

    probe: str
    layer: Layer
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order they should start, and what was left out."""

    steps: tuple[Step, ...] = ()
    skips: tuple[Skip, ...] = ()

    @property
    def llm_calls(self) -> int:
        """Upper bound of calls of a paid model."""
        return sum(step.llm_calls for step in self.steps)

    @property
    def tokens(self) -> int:
        """Upper bound of tokens."""
        return sum(step.tokens for step in self.steps)
