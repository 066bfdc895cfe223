"""Settings somebody wrote and the built object does not hold, as rules read them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.setting import DROPPED, Setting

LIMITS = (
    "max_execution_time",
    "max_iter",
    "max_rpm",
    "max_retry_limit",
    "guardrail_max_retries",
    "respect_context_window",
)
"""What crewAI does read and limits something."""
ALIKE = 0.8
"""Ours: from this likeness (difflib) a name is one of those, misspelt."""
_TIME = frozenset({"timeout", "timeouts", "time", "deadline", "seconds", "secs", "duration", "ttl", "wait", "ms"})
_COUNT = frozenset(
    {
        *("retry", "retries", "attempts", "tries", "iter", "iters", "iterations", "rpm", "rps", "rate", "ratelimit"),
        *("limit", "limits", "delay", "backoff", "interval", "concurrency", "parallel", "parallelism", "workers"),
        *("keepalive", "pool", "connections"),
    }
)


@dataclass(frozen=True, slots=True)
class Dropped:
    """One keyword that was accepted and lost."""

    setting: Setting
    name: str
    nearest: str
    """The limit crewAI does know and whose name is almost this one; empty where there is none."""
    timed: bool
    """It was to limit how long something takes."""
    limits: bool
    """It was to limit time, retries, a rate or concurrency: what this diagnosis is about."""

    @property
    def seconds(self) -> float | None:
        """The limit that was meant, in seconds, where it is one."""
        value = self.setting.value
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if self.timed and number and value > 0 else None  # type: ignore[arg-type, operator]

    @property
    def written(self) -> str:
        """`timeout=30`."""
        value = self.setting.value
        shown = f'"{value}"' if isinstance(value, str) and not value.startswith("a ") else str(value)
        return f"{self.name}={'...' if value is None or shown.startswith('a ') else shown}"


def dropped(evidence: Evidence, *scopes: str) -> list[Dropped]:
    """Every dropped keyword on subjects of these kinds."""
    return [
        _read(setting)
        for setting in evidence.inventory.settings
        if setting.scope in scopes and setting.name.startswith(DROPPED)
    ]


def _read(setting: Setting) -> Dropped:
    name = setting.name.removeprefix(DROPPED)
    words = set(name.lower().split("_"))
    close = difflib.get_close_matches(name.lower(), LIMITS, 1, ALIKE)
    nearest = close[0] if close else ""
    timed = bool(words & _TIME) or nearest == "max_execution_time"
    return Dropped(setting, name, nearest, timed, timed or bool(words & _COUNT) or bool(nearest))
