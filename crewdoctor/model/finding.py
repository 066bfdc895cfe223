"""A mismatch that was shown, with the two numbers that disagree."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from crewdoctor.model.layer import Layer
from crewdoctor.model.setting import Location, SettingValue


class Severity(str, Enum):
    """What was shown, not how bad it could be."""

    ERROR = "error"
    """It happened in this diagnosis, or an experiment showed that a written setting is not honoured."""
    WARNING = "warning"
    """Measurements show it will happen under a stated condition of this crew."""
    INFO = "info"
    """Exposure from defaults. Shown as a note, never as a finding."""

    @property
    def rank(self) -> int:
        """0 is the gravest."""
        return tuple(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One of the two numbers: what was measured, or the limit it disagrees with."""

    name: str
    """A setting (`timeout.read`), or what was measured (`first byte`, `requests`)."""
    value: SettingValue
    unit: str = "s"
    n: int | None = None
    """Samples behind it; printed beside every percentile and maximum."""
    where: str = ""
    """Provenance of a limit: `crew.py:14`, `default of openai 2.54.0`."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What to do, as code to paste where there is code."""

    title: str
    code: str = ""
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement of a rule. `measured` and `limit` are both present or both absent (law 3)."""

    code: str
    slug: str
    severity: Severity
    layer: Layer
    subject: str
    message: str
    evidence: tuple[str, ...]
    """Ids of spans, stacks, events, settings and steps (`step:<id>`) behind it; never empty."""
    measured: Quantity | None = None
    limit: Quantity | None = None
    location: Location | None = None
    fix: Fix | None = None
    lost: float = 0.0
    """Exclusive seconds it cost in this diagnosis (as a bare crew would pay them, where computed)."""
    host: str = ""
    """host:port of the wire behind it, where one is."""
    depends_on: tuple[str, ...] = ()
    """Subjects this finding's subject depends on (a tool on its host): a finding on one of them explains this one."""
    observed: bool = True
    """False: latent, it would happen; observed ones come first."""
    explained: tuple[Finding, ...] = ()
    """Set by causality: what this root explains, folded beneath it."""
    attrs: dict[str, str] = field(default_factory=dict)
