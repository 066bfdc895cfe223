"""What loading found, and the names it can be found under."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Found:
    """A crew, and how it was come by."""

    crew: Any
    shape: str
    """`module`, `crewbase`, `class`, `factory`, `flow`, `agent`, `definition`, `kickoff captured`, `constructed`."""
    name: str
    inputs: dict[str, Any] = field(default_factory=dict)
    """Inputs the program itself gives its crew."""
    made_up: dict[str, str] = field(default_factory=dict)
    """Arguments whose values were invented, each with whom it was passed to."""
    notes: tuple[str, ...] = ()
    """What the user should know of it: values that were invented, crews that were left aside."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One crew and the names the module gives it."""

    names: tuple[str, ...]
    shape: str
    make: Callable[[], Found]
    invents: tuple[str, ...] = ()
    """Arguments nobody gives, whose values would be made up."""
