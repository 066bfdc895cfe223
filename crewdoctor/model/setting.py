"""A setting in force, and the three values a timeout can have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


@dataclass(frozen=True, slots=True)
class Seconds:
    """A finite timeout."""

    value: float


class Bound(Enum):
    """The timeouts that are not a number."""

    UNLIMITED = "unlimited"
    """Nothing will ever end the wait: measured or read from the live object."""
    UNKNOWN = "unknown"
    """It could not be read. Never shown as fine."""


UNLIMITED = Bound.UNLIMITED
UNKNOWN = Bound.UNKNOWN
Timeout = Seconds | Bound
DROPPED = "dropped."
"""Before the name of a setting somebody wrote and the built object does not hold: `dropped.timeout`."""
OUTER = "outer"
"""Scope of a limit around the crew: its platform's, or `--outer`. Subject `outer`, `outer:gunicorn`,
`outer:celery/run`; `timeout` ends the crew, `timeout.answer` only stops waiting for it."""
REFUSED = "refused."
"""Before the name of a setting somebody wrote and the SDK's call does not take: `refused.request_timeout`."""


@dataclass(frozen=True, slots=True)
class Location:
    """A line of source."""

    file: str
    line: int
    function: str = ""
    source: str = ""
    """The text of the line, stripped; redacted at the border."""
    statement: str = ""
    """The whole statement or call, where it goes over several lines; empty where `source` is all of it."""

    def __str__(self) -> str:
        """Render as editors and terminals link it."""
        return f"{self.file}:{self.line}"


Origin = Literal["python", "yaml", "file", "environment", "dotenv", "default", "observed", "unknown"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a setting was written."""

    origin: Origin
    where: str
    """For people: `crew.py:14`, `env OPENAI_TIMEOUT`, `default of openai 2.54.0`."""
    location: Location | None = None
    shadows: str = ""
    """Where another value of it stands that this one wins over: `agents.yaml:7`."""


SettingValue = Seconds | Bound | bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One timeout, retry, rate or concurrency setting in force on one subject.

    `scope` is the kind of subject (`llm`, `tool`, `agent`, `task`, `crew`, `environment`, `outer`) and `name` is
    dotted: `timeout.connect`, `timeout.read`, `timeout.write`, `timeout.pool`, `timeout` (tools), `max_retries`,
    `max_execution_time`, `max_iter`, `max_retry_limit`, `max_rpm`, `base_url`, `api_key` (presence only), ...
    A name that starts with `timeout` and `max_execution_time` hold a Timeout, never None.
    """

    subject: str
    scope: str
    name: str
    value: SettingValue
    provenance: Provenance
    note: str = ""
    """What the value really bounds, or whom it shadows."""
    verdict: str = ""
    """What an experiment showed of it: `honoured per read, multiplied by 3`, `ignored`; empty: none was made."""

    @property
    def id(self) -> str:
        """The evidence id."""
        return f"setting:{self.subject}:{self.name}"

    @property
    def written(self) -> bool:
        """Whether a person wrote it (against a library's default)."""
        return self.provenance.origin in {"python", "yaml", "file", "environment", "dotenv"}
