"""A rate limit crewdoctor met itself is waited out before the crew runs. No probe: what the crew probes share."""

from __future__ import annotations

import time
from collections.abc import Sequence

from crewdoctor.model.probe import Bench
from crewdoctor.model.result import StepResult

WINDOW = 60.0
"""Seconds a rate limit per minute looks back."""
KEPT = 25.0
"""Seconds of the step that stay for the crew itself. Ours."""


def seconds(results: Sequence[StepResult]) -> float:
    """Return how long to wait until crewdoctor's own requests no longer count: the crew shall not pay for them.

    That is what the provider asks for in Retry-After, else the minute its limit is about. 0: no limit was met, or met
    at the very first request: what uses it up is nobody of ours, and the crew meets it whenever it runs.
    """
    answered = {result.step.lane for result in results if result.facts.get("answered")}
    limited = [result for result in results if "limited" in result.facts and result.step.lane in answered]
    if not limited:
        return 0.0
    stated = max(float(result.facts["limited"]) for result in limited)
    passed = max(result.end for result in results) - max(result.end for result in limited)
    return max(0.0, min(stated or WINDOW, WINDOW) - passed)


def wait(bench: Bench, pause: float) -> None:
    """Wait, and say so all the time: nothing stands still. Shorter where the crew would find no time to run."""
    until = time.monotonic() + min(pause, bench.remaining() - KEPT)
    while (left := until - time.monotonic()) > 0:
        bench.fact("paused", round(pause - left, 1))
        bench.move()
        time.sleep(min(left, 1.0))
