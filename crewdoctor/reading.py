"""One reading of a step that runs, for `patience.py` to judge. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from crewdoctor.model.plan import Step

SLACK = 1.5
"""Seconds a look may come late: looks at one thing double their distance."""
CPU = "cpu"
BUSY = frozenset({CPU, "process"})
"""What a blocked thread waits for when somebody is working: silence on the wire says nothing then."""
IDLE = 10.0
"""Seconds without any CPU time after which a child process works no more than a silent host does."""


class LiveStep(Protocol):
    """What `supervisor.live.LiveStep` offers; times are seconds since the recording's zero."""

    @property
    def step(self) -> Step:
        """What runs."""

    @property
    def started(self) -> float:
        """When it began."""

    @property
    def last_moved(self) -> float:
        """When a byte, span or event was last seen."""

    @property
    def open_spans(self) -> Mapping[str, Mapping[str, Any]]:
        """`open` frames of what has started and not ended, by id, oldest first."""

    @property
    def stacks(self) -> Iterable[Mapping[str, Any]]:
        """The latest `stack` frames, oldest first."""

    @property
    def failed(self) -> Mapping[tuple[str, str], int]:
        """How many spans of a name and subject have ended in a failure."""

    @property
    def failed_as(self) -> Mapping[tuple[str, str, str], float]:
        """When a span of a name and subject last ended in a failure of a kind."""


@dataclass(frozen=True, slots=True)
class Open:
    """A span that has started and not ended."""

    id: str
    name: str
    subject: str
    parent: str | None
    start: float


@dataclass(frozen=True, slots=True)
class Look:
    """A moment at which something was seen blocked."""

    at: float
    span: str | None
    waiting: str
    received: int | None
    idle: float = 0.0
    seconds: float = 0.0
    """How long it had been so."""

    @property
    def busy(self) -> bool:
        """Whether somebody was working then."""
        return self.waiting in BUSY and self.idle < IDLE

    def busy_until(self) -> float:
        """Until when somebody who was seen working is taken to work: what goes on is looked at again by then."""
        return self.at + max(self.seconds, 1.0) + SLACK if self.busy else 0.0


@dataclass(frozen=True, slots=True)
class Live:
    """One reading of a live step."""

    step: Step
    now: float
    started: float
    last_moved: float
    spans: tuple[Open, ...]
    looks: tuple[Look, ...]
    failed: Mapping[tuple[str, str], int]
    failed_as: Mapping[tuple[str, str, str], float]

    @classmethod
    def read(cls, live: LiveStep, now: float) -> Live:
        """Take the reading at `now`."""
        spans = [
            Open(
                str(each["id"]),
                str(each.get("name", "")),
                str(each.get("subject") or ""),
                each.get("parent"),
                float(each.get("start") or 0.0),
            )
            for each in live.open_spans.values()
        ]
        looks = [
            Look(
                float(each["at"]),
                each.get("span"),
                str(each.get("waiting") or "unknown"),
                (each.get("attrs") or {}).get("bytes_received"),
                float((each.get("attrs") or {}).get("idle_seconds") or 0.0),
                float(each.get("seconds") or 0.0),
            )
            for each in live.stacks
        ]
        return cls(
            live.step, now, live.started, live.last_moved, tuple(spans), tuple(looks), live.failed, live.failed_as
        )

    def last_look(self, span: Open) -> Look | None:
        """The last look at `span` or at something open beneath it; at anything, where looks name no span."""
        beneath = {span.id}
        for other in self.spans:
            if other.parent in beneath:
                beneath.add(other.id)
        mine = [look for look in self.looks if look.at >= span.start and (look.span is None or look.span in beneath)]
        return max(mine, key=lambda look: (look.span is not None, look.at), default=None)

    def busy(self, span: Open) -> bool:
        """Whether somebody was seen working on `span`."""
        look = self.last_look(span)
        return look is not None and look.busy

    def bytes_came(self) -> bool:
        """Whether an answer is arriving, however slowly: between two looks at the same thing it grew."""
        counts: dict[str | None, list[int]] = {}
        for look in self.looks:
            if isinstance(look.received, int):
                counts.setdefault(look.span, []).append(look.received)
        return any(len(each) > 1 and each[-1] > each[-2] for each in counts.values())
