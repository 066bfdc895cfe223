"""What a stall test showed: one row per tool and phase."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from crewdoctor.model.phase import Phase
from crewdoctor.model.setting import UNKNOWN, Location, Timeout


class Outcome(str, Enum):
    """How a tool met a server that stopped in one phase."""

    GAVE_UP = "gave up"
    """It ended by itself while it was watched."""
    LIMITED = "limited"
    """It was still waiting; a limit that was seen in force would have ended it."""
    FOR_EVER = "for ever"
    """It was still waiting, and no limit is in force where it waits."""
    UNKNOWN = "unknown"
    """It was still waiting, and nobody saw what would end it; or the experiment did not hold."""
    NOT_MET = "not met"
    """Its calls do not go through this phase: no TLS, no name to resolve."""
    NO_NETWORK = "no network"
    """It came back without having asked anybody."""


@dataclass(frozen=True, slots=True)
class Stall:
    """One tool against one phase."""

    subject: str
    phase: Phase
    outcome: Outcome
    host: str = ""
    """host:port it waited for, or the hosts it asked."""
    seconds: float = 0.0
    """Until it gave up; else as long as it was watched."""
    limit: Timeout = UNKNOWN
    """In force where it was still waiting."""
    limited_by: str = ""
    """Whose limit that is, where it is not the call's own: `the system's resolver`, `the kernel`."""
    requests: int = 0
    """Requests the server read."""
    connections: int = 0
    """Connections it made, or tried to."""
    seen: str = ""
    """What the crew gets to see: an exception and its text, or the text returned."""
    location: Location | None = None
    """The user's own line that waited."""
    reason: str = ""
    """Why nothing is known."""
    evidence: tuple[str, ...] = ()
