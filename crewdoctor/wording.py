"""Numbers and timeouts as people read them: one way to say a duration, everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from crewdoctor.model.setting import UNLIMITED, Location, Seconds, SettingValue

TIMES = "\N{MULTIPLICATION SIGN}"
_MINUTES_FROM = 120.0
_ROUND_FROM = 600.0
_HOURS_FROM = 3 * 3600.0


def seconds(value: float) -> str:
    """A measured duration: `0.35 s`, `20.0 s`, `90 min`, `3.5 h`."""
    if value < 1:
        return f"{value:.2f} s"
    if value < _MINUTES_FROM:
        return f"{value:.1f} s"
    if value < _HOURS_FROM:
        return f"{value / 60:.1f} min" if value < _ROUND_FROM else f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"


def exact(value: float) -> str:
    """A setting or a term of a formula, as it was written: `5 s`, `1.5 s`, `600 s`."""
    return f"{value:g} s"


def limit(value: SettingValue) -> str:
    """A timeout in a sentence: `30 s`, `no limit`, `unknown`."""
    if isinstance(value, Seconds):
        return exact(value.value)
    return "no limit" if value is UNLIMITED else "unknown"


def percents(shares: Sequence[float]) -> tuple[int, ...]:
    """Shares of one as whole percent that sum as the shares do: what rounding loses goes to the largest remainders."""
    exactly = [100 * each for each in shares]
    found = [int(each) for each in exactly]
    by_remainder = sorted(range(len(found)), key=lambda each: found[each] - exactly[each])
    for place in by_remainder[: max(0, round(sum(exactly)) - sum(found))]:
        found[place] += 1
    return tuple(found)


def sample(count: int) -> str:
    """How many measurements stand behind a maximum: `max of 5`, `1 call`."""
    return "1 call" if count == 1 else f"max of {count}"


def plural(count: int, noun: str) -> str:
    """`1 request`, `9 requests`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def place(location: Location | None, root: str = "") -> str:
    """`tools.py:57`: from the project's folder on, where it lies in it; empty for nowhere."""
    if location is None:
        return ""
    return within(str(location), root)


def within(path: str, root: str = "") -> str:
    """A path from the project's folder on, where it lies in it."""
    folder = root.rstrip("/") + "/" if root else ""
    return path.removeprefix(folder)


def joined(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) <= 1:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
