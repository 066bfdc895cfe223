"""Where the crew's time went: the waterfall, the critical path, and each subject's exclusive seconds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from crewdoctor.model.layer import Layer
from crewdoctor.model.recording import Recording
from crewdoctor.model.report import Bar, Rung, Share
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Span
from crewdoctor.timeline.ladder import crew_rung
from crewdoctor.timeline.path import KINDS, Segment, critical_path
from crewdoctor.timeline.tree import Node, grow
from crewdoctor.timeline.waterfall import waterfall
from crewdoctor.waits import unfinished

__all__ = ["Segment", "Timeline", "critical_path", "timeline"]

PROBE = "crew.kickoff"


@dataclass(frozen=True, slots=True)
class Timeline:
    """One kickoff, taken apart. All empty where the recording holds none."""

    total: float = 0.0
    """Seconds from its start to its end, or to where it was cut off."""
    finished: bool = False
    bars: tuple[Bar, ...] = ()
    shares: tuple[Share, ...] = ()
    """Of the critical path, by kind, largest first; they sum to `total`. Kinds without time are left out."""
    path: tuple[Segment, ...] = ()
    rung: Rung | None = None
    """The crew as the top rung of the ladder, where it came to its end."""
    exclusive: dict[str, float] = field(default_factory=dict)
    """Subject → seconds of the critical path in which it, and nothing beneath it, was waited for."""
    inclusive: dict[str, float] = field(default_factory=dict)
    """Subject → seconds of the critical path in which it or anything beneath it was waited for."""

    def seconds_of(self, span: str) -> float:
        """Seconds of the critical path spent in the span of this id or beneath it."""
        return sum(
            segment.seconds for segment in self.path if any(node.span.id == span for node in segment.node.chain())
        )


def timeline(recording: Recording) -> Timeline:
    """Take the last full kickoff of `recording` apart."""
    root = kickoff_tree(recording)
    if root is None:
        return Timeline()
    path = critical_path(root)
    return Timeline(
        total=root.seconds,
        finished=not root.span.open,
        bars=waterfall(root, path),
        shares=_shares(path, root.seconds),
        path=path,
        rung=crew_rung(root, path),
        exclusive=_by_subject(path, inclusive=False),
        inclusive=_by_subject(path, inclusive=True),
    )


def kickoff_tree(recording: Recording) -> Node | None:
    """Return the tree of the last kickoff of a `crew.kickoff` step; None where there was none.

    A step whose kickoff was never seen to start (its tap had disabled itself) is its own root.
    """
    results = [result for result in recording.results if result.step.probe == PROBE and result.end > result.start]
    steps = {result.step.id: result for result in results}
    running = {span.step for span in recording.spans if span.step.split("@", 1)[0] == PROBE}
    step = max(steps, key=lambda each: steps[each].start) if steps else next(iter(sorted(running)), "")
    if recording.header.options.scope == "run":
        return _worst_kickoff(recording, steps)
    spans = sorted((span for span in recording.spans if span.step == step), key=lambda span: span.start)
    if not step or not (spans or step in steps):
        return None
    until = steps[step].end if step in steps else recording.end
    kickoffs = [span for span in spans if span.name == "crew.kickoff"]
    if kickoffs:
        known = {span.id for span in kickoffs}
        tops = [span for span in kickoffs if span.parent not in known]
        return grow(tops[-1], spans, until)
    start = steps[step].start if step in steps else spans[0].start
    subject = steps[step].step.subject if step in steps else ""
    return grow(Span(f"step:{step}", step, "crew.kickoff", start, until, Layer.CREW, subject), spans, until)


def _worst_kickoff(recording: Recording, steps: Mapping[str, StepResult]) -> Node | None:
    """Of a program's kickoffs one that never ended, else the longest."""
    known = {span.id for span in recording.spans if span.name == "crew.kickoff"}
    tops = [span for span in recording.spans if span.id in known and span.parent not in known and span.step in steps]
    worst = max(tops, key=lambda span: (unfinished(span), span.seconds(steps[span.step].end)), default=None)
    if worst is None:
        return None
    return grow(worst, [span for span in recording.spans if span.step == worst.step], steps[worst.step].end)


def _shares(path: tuple[Segment, ...], total: float) -> tuple[Share, ...]:
    seconds = dict.fromkeys(KINDS, 0.0)
    for segment in path:
        seconds[segment.kind] += segment.seconds
    held = [Share(kind, spent, spent / total) for kind, spent in seconds.items() if spent > 0 and total > 0]
    return tuple(sorted(held, key=lambda share: -share.seconds))


def _by_subject(path: tuple[Segment, ...], *, inclusive: bool) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for segment in path:
        held = {node.span.subject for node in segment.node.chain()} if inclusive else {segment.node.subject}
        for subject in sorted(held - {""}):
            seconds[subject] = seconds.get(subject, 0.0) + segment.seconds
    return seconds
