"""One call of a model, phase by phase, with what would have ended it."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.report import ModelCall, Phase, Report
from crewdoctor.report.screen.brief import fine
from crewdoctor.report.screen.line import Line, heading, line

_NAME, _CLOCK = 15, 10


def lines(report: Report) -> Iterator[Line]:
    """A section per model."""
    for call in report.model_calls:
        title = f"Call: {call.model}" + (f" at {call.host}" if call.host else "")
        yield from heading(title)
        for phase in call.phases:
            yield _phase(phase)
        yield from _sums(call)


def _phase(phase: Phase) -> Line:
    return line(
        (f"{phase.name:<{_NAME}}", ""),
        (f"{fine(phase.seconds):>{_CLOCK}}", "red" if phase.failure else ""),
        (f"  at {fine(phase.at)}", "dim"),
        (f"  {phase.detail}" if phase.detail else "", "dim"),
        (f"  {phase.failure}" if phase.failure else "", "red"),
        indent=2,
        hang=_NAME + _CLOCK + 2,
    )


def _sums(call: ModelCall) -> Iterator[Line]:
    status = f", HTTP {call.status}" if call.status else ""
    yield line(("attempts       ", "dim"), f"{call.attempts} on the wire{status}", indent=2, hang=_NAME)
    if call.failure:
        yield line(("the SDK said   ", "dim"), (call.failure, "red"), indent=2, hang=_NAME)
    if call.ratelimit:
        told = ", ".join(f"{name} {value}" for name, value in sorted(call.ratelimit.items()))
        yield line(("rate limits    ", "dim"), told, indent=2, hang=_NAME)
    if call.limits:
        yield line(("timeouts       ", "dim"), call.limits, indent=2, hang=_NAME)
