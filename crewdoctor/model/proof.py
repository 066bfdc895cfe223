"""What an experiment showed of a setting, and the trials it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from crewdoctor.model.setting import UNKNOWN, SettingValue, Timeout


class Verdict(str, Enum):
    """Whether a setting holds, on the user's own versions."""

    HONOURED = "honoured"
    PER_READ = "honoured per read"
    """It bounds each wait for bytes: an answer that trickles is never ended by it."""
    IGNORED = "ignored"
    IN_FORCE = "in force"
    """Nobody wrote it: the library's own value, seen at the wire."""
    UNLIMITED = "unlimited"
    """Nothing had ended the wait, and nothing at the wire would."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trial:
    """One call against a server of ours that fails in one way."""

    subject: str
    phase: str
    """`connect tls request body trickle`, or the status that was answered: `500 429 401`, `429 retry-after`."""
    seconds: float
    """Until somebody gave up; how long was watched where nobody did."""
    ended: bool
    requests: int
    """On the wire, as the client's side saw them."""
    attempt: float
    """Seconds of the first attempt."""
    pauses: tuple[float, ...] = ()
    """Seconds from the end of a request to the start of the next."""
    error: str = ""
    """What the crew's code is handed: the exception's class and text."""
    limit: float = 0.0
    """The seconds every written timeout stood at; 0: none was written."""
    written: dict[str, float] = field(default_factory=dict)
    """What they say in the user's code, by argument."""
    in_force: Timeout = UNKNOWN
    """The limit at the wire where it waited."""
    span: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """A setting's verdict."""

    setting: str
    """Its evidence id: `setting:agent:Clerk/llm:timeout.read`."""
    subject: str
    name: str
    verdict: Verdict
    said: str
    """One sentence without its stop: what was seen, or why it is not known."""
    times: int = 1
    """Attempts that one call makes: a limit of each of them is multiplied by it."""
    evidence: tuple[str, ...] = ()
    """Ids of spans."""
    value: SettingValue = None
    """What was seen in force where nobody wrote anything: a timeout at the wire, a number of retries."""

    @property
    def words(self) -> str:
        """`honoured per read, multiplied by 3`."""
        return f"{self.verdict.value}, multiplied by {self.times}" if self.times > 1 else self.verdict.value
