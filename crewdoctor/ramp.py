"""The crew many times at once, as rules and the report read it: levels, lost pace, and whether it was us. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.waits import unfinished

PROBE, CONFIRM = "scale.ramp", "scale.confirm"
RAMP_KEYS = ("span:scale.level", "result:scale.ramp")
"""What `ramp` touches."""
SLOWER, FLOOR = 2.0, 0.5
"""Ours: from so many times what it took alone, and so many seconds more, something is slow under load."""
CORES, LATE = 0.7, 0.1
"""Ours: cores our process used, and seconds a sleeping thread woke late, from which this machine may be the limit."""
STALL = 0.25
"""Seconds a loop is late from which something holds it (CD606)."""
GAIN, STEEP = 1.2, 1.3
"""Throughput of twice the callers below which it is flat (`probes/_pace.py`), where a kickoff takes so much longer."""
NEAR = 0.1
"""Ours: share by which an estimate may be wrong."""
LARGEST, MORE = 32, 4
"""Python's default executor: min(32, cpu + 4) threads."""
TOO_MANY = FailureKind.HTTP_RATE_LIMITED


@dataclass(frozen=True, slots=True)
class Level:
    """So many kickoffs at once."""

    n: int
    span: Span
    row: dict[str, Any]
    """Its figures, as the probe noted them (`probes/_pace.py`)."""
    beneath: tuple[Span, ...]

    def named(self, name: str, subject: str = "") -> list[Span]:
        """Spans of the level by name, of one subject."""
        return [each for each in self.beneath if each.name == name and subject in ("", each.subject)]

    @property
    def pace(self) -> float | None:
        """Seconds of a kickoff, median."""
        held = self.row.get("median")
        return float(held) if isinstance(held, (int, float)) else None

    @property
    def per_second(self) -> float:
        """Kickoffs completed a second."""
        return float(self.row.get("per_second") or 0.0)

    @property
    def by_us(self) -> bool:
        """Whether this machine, or our own process on it, may have been what was slow."""
        return float(self.row.get("cores") or 0.0) >= CORES or float(self.row.get("late") or 0.0) >= LATE

    @property
    def stalled(self) -> bool:
        """Whether everything stood still for a while: the event loop was late, whoever held it."""
        return float(self.row.get("lag") or 0.0) >= STALL

    @property
    def hurt(self) -> list[Span]:
        """Calls and kickoffs that failed by a clock of the crew's own, or for a rate limit; kickoffs for anything."""
        named = ("scale.kickoff", "llm.call", "tool.call", "http.request")
        failed = [each for each in self.beneath if each.name in named and each.failure is not None]
        return [
            each
            for each in failed
            if not unfinished(each)
            and each.failure is not None
            and (each.name == "scale.kickoff" or each.failure.kind.is_timeout or each.failure.kind is TOO_MANY)
        ]


@dataclass(frozen=True, slots=True)
class Ramp:
    """One climb."""

    result: StepResult
    levels: tuple[Level, ...]

    @property
    def alone(self) -> Level:
        """The first level."""
        return self.levels[0]

    @property
    def loaded(self) -> tuple[Level, ...]:
        """Levels of more than one."""
        return tuple(each for each in self.levels if each.n > 1)

    @property
    def simulated(self) -> bool:
        """Whether a model was played."""
        return bool(self.alone.span.attrs.get("simulated"))

    @property
    def stopped_by(self) -> str:
        """Why it went no further (`Load.stopped_by` of the report); empty where it was cut off."""
        return str(self.result.facts.get("stopped_by") or "")

    @property
    def knee(self) -> Level | None:
        """The level at which kickoffs only waited for each other."""
        return self.levels[-1] if self.stopped_by == "knee" and len(self.levels) > 1 else None

    def kept(self) -> tuple[int, int | None]:
        """The highest level that kept every timeout, and the first one that did not; None: none was seen."""
        usual = len(self.alone.hurt)
        broken = next((each.n for each in self.loaded if len(each.hurt) > usual), None)
        held = [each.n for each in self.levels if broken is None or each.n < broken]
        return max(held, default=0), broken

    def saturates(self) -> tuple[int, int] | None:
        """The levels between which the limit lies: what is brought through at most, times a kickoff alone (Little).

        None where the last level still brought more through, or took no longer.
        """
        if len(self.levels) < 2 or self.alone.pace is None or self.levels[-1].pace is None:  # noqa: PLR2004 - a pair
            return None
        before, last = self.levels[-2:]
        wanted = 1 + (GAIN - 1) * (last.n / before.n - 1)
        if last.pace is None or last.pace < STEEP * self.alone.pace or last.per_second >= wanted * before.per_second:
            return None
        most = max(level.per_second for level in self.levels)
        return bracket(most * self.alone.pace, [each.n for each in self.levels])


def ramp(evidence: Evidence, probe: str = PROBE) -> Ramp | None:
    """The climb of a recording, or the one level of `CONFIRM`; None where not even one level was begun."""
    results = evidence.results(probe)
    spans = evidence.spans("scale.level", probe=probe)
    if not results or not spans:
        return None
    rows = {row["n"]: row for row in results[-1].facts.get("levels") or () if isinstance(row, dict) and "n" in row}
    levels = []
    for span in spans:
        n = span.attrs.get("n")
        if isinstance(n, int):
            levels.append(Level(n, span, rows.get(n, {}), evidence.children(span)))
    return Ramp(results[-1], tuple(levels)) if levels else None


def bracket(limit: float, levels: list[int]) -> tuple[int, int]:
    """The levels around an estimate, a tenth to either side."""
    low = max((n for n in levels if n <= limit * (1 - NEAR)), default=levels[0])
    return low, min((n for n in levels if n >= limit * (1 + NEAR)), default=levels[-1])


def slower(alone: Iterable[float], among_others: Iterable[float]) -> bool:
    """Whether operations took much longer among others than they ever did alone."""
    before, now = list(alone), list(among_others)
    if not before or not now:
        return False
    return median(now) >= SLOWER * max(before) and median(now) - max(before) >= FLOOR


def of_models(level: Level, name: str) -> list[Span]:
    """Spans of the wire, by name, that belong to a model."""
    return [each for each in level.named(name) if each.subject.endswith("llm")]


def tool_levels(evidence: Evidence, subject: str) -> tuple[list[Span], list[list[Span]]]:
    """Calls of one tool alone, and at each level at which nothing of ours was the limit; empty without a ramp."""
    climbed = ramp(evidence)
    if climbed is None:
        return [], []
    alone = climbed.alone.named("tool.call", subject)
    return alone, [held for level in climbed.loaded if not level.by_us and (held := level.named("tool.call", subject))]


def parallelism(alone: float, spans: list[Span], evidence: Evidence) -> int:
    """How many a service takes at once: what it completes a second, times what one takes it alone (Little's law)."""
    ended = [each for each in spans if each.end is not None and each.failure is None]
    if not ended:
        return 1
    window = max(evidence.end_of(each) for each in spans) - min(each.start for each in spans)
    return max(1, round(len(ended) / max(window, 1e-9) * alone))
