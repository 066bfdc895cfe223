"""Executions of agents against their max_execution_time, and what filled them."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span
from crewdoctor.waits import unfinished

DEADLINE_KEYS = ("span:agent.execution", "span:llm.call", "span:tool.call", "setting:agent.max_execution_time")
"""What `overruns` touches."""
GRACE = 1.0
"""Seconds after the limit within which an execution that ends was interrupted."""


@dataclass(frozen=True, slots=True)
class Overrun:
    """The longest execution of one agent that outlived its limit."""

    span: Span
    setting: Setting
    limit: float
    seconds: float
    calls: tuple[Span, ...]
    """Calls of models and tools within, outermost only."""
    longest: Span | None
    executions: int
    interrupted: bool
    """It ended within a second of its limit, by a timeout."""
    adds_up: bool
    """Every call within was healthy and ended within the limit: together they need longer than it."""


def overruns(evidence: Evidence) -> list[Overrun]:
    """One entry per agent that outlived its limit."""
    found: dict[str, Overrun] = {}
    executions = evidence.spans("agent.execution")
    for span in executions:
        setting = evidence.setting("agent", "max_execution_time", span.subject)
        if setting is None or not isinstance(setting.value, Seconds):
            continue
        took = span.seconds(evidence.end_of(span))
        count = sum(1 for each in executions if each.subject == span.subject)
        if took > setting.value.value and (span.subject not in found or took > found[span.subject].seconds):
            overrun = _overrun(evidence, span, setting, took, count)
            if overrun is not None:
                found[span.subject] = overrun
    return list(found.values())


def _overrun(evidence: Evidence, span: Span, setting: Setting, took: float, count: int) -> Overrun | None:
    assert isinstance(setting.value, Seconds)
    limit = setting.value.value
    within = (*evidence.children(span, "llm.call"), *evidence.children(span, "tool.call"))
    outer = tuple(each for each in within if not any(each.parent == other.id for other in within))
    lasted = {each.id: each.seconds(evidence.end_of(each)) for each in outer}
    longest = max(outer, key=lambda each: lasted[each.id], default=None)
    timed_out = span.failure is not None and span.failure.kind.is_timeout
    interrupted = timed_out and took <= limit + GRACE
    if not interrupted and took <= limit + GRACE:
        return None
    healthy = all(each.failure is None and not unfinished(each) and lasted[each.id] <= limit for each in outer)
    return Overrun(
        span=span,
        setting=setting,
        limit=limit,
        seconds=took,
        calls=outer,
        longest=longest if longest is not None and lasted[longest.id] > limit / 2 else None,
        executions=count,
        interrupted=interrupted,
        adds_up=bool(outer) and healthy and not span.open,
    )
