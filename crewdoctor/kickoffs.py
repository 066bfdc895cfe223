"""Whole runs of the crew, against the limits around it."""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.budget import Ledger
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span
from crewdoctor.waits import unfinished

KICKOFF_KEYS = ("span:crew.kickoff", "span:task.execution")


@dataclass(frozen=True, slots=True)
class LongRun:
    """The longest run of the crew, and the first limit around it."""

    span: Span
    seconds: float
    ended: bool
    outer: Setting
    limit: float
    tasks: tuple[Span, ...]
    """In order; empty where they were not seen."""

    @property
    def in_a_row(self) -> bool:
        """Whether no task alone outlasts the limit, and each began when the one before it had ended."""
        if len(self.tasks) < 2 or any(task.open or task.seconds() >= self.limit for task in self.tasks):  # noqa: PLR2004
            return False
        pairs = zip(self.tasks, self.tasks[1:], strict=False)
        return all(before.end is not None and before.end <= after.start + _SLACK for before, after in pairs)


_SLACK = 0.05
"""Seconds: clocks of threads."""


def long_run(evidence: Evidence) -> LongRun | None:
    """The longest run, where a limit stands around the crew; None where nothing is to compare."""
    ledger = evidence.ledger
    outers = ledger.outers if isinstance(ledger, Ledger) else ()
    runs = [span for span in evidence.spans("crew.kickoff") if span.parent is None or not _within(evidence, span)]
    if not outers or not runs or not isinstance(outers[0].value, Seconds):
        return None
    span = max(runs, key=lambda each: each.seconds(evidence.end_of(each)))
    tasks = tuple(each for each in evidence.spans("task.execution") if each.step == span.step)
    beneath = {each.id for each in evidence.children(span, "task.execution")}
    return LongRun(
        span,
        span.seconds(evidence.end_of(span)),
        not unfinished(span),
        outers[0],
        outers[0].value.value,
        tuple(sorted((each for each in tasks if each.id in beneath), key=lambda each: each.start)),
    )


def _within(evidence: Evidence, span: Span) -> bool:
    """A crew run by another crew's tool is part of that one's run."""
    return any(span in evidence.children(other) for other in evidence.spans("crew.kickoff") if other is not span)
