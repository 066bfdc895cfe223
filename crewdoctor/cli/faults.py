"""How faults are written on the command line: `3/min`, `500:0.1`."""

from __future__ import annotations

from collections.abc import Iterable

from crewdoctor.model.refusal import Refusal

_PERIODS = {"s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}
_LOWEST, _HIGHEST = 400, 599


def rate(text: str) -> tuple[int, float]:
    """`3/min` to requests and seconds. Raises Refusal."""
    count, _, period = text.partition("/")
    if not count.strip().isdigit() or period.strip() not in _PERIODS:
        raise Refusal(f"--rate-limit {text}: write requests per time, e.g. 3/min or 10/s")
    return int(count), _PERIODS[period.strip()]


def chances(texts: Iterable[str]) -> dict[str, float]:
    """`500:0.1` to status and probability. Raises Refusal."""
    found: dict[str, float] = {}
    for text in texts:
        status, _, chance = text.partition(":")
        try:
            probability = float(chance or 1)
        except ValueError:
            probability = -1.0
        if not (status.isdigit() and _LOWEST <= int(status) <= _HIGHEST and 0 <= probability <= 1):
            raise Refusal(f"--fault {text}: write a status and a probability, e.g. 500:0.1")
        found[status] = probability
    return found
