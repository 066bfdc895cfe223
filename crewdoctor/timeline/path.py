"""The critical path: at every moment of a kickoff, the one operation its end was waiting for."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from crewdoctor.timeline.tree import Node

LLM, TOOL, LIMITER, BACKOFF, FRAMEWORK, UNATTRIBUTED = (
    "llm",
    "tool",
    "limiter",
    "backoff",
    "framework",
    "unattributed",
)
KINDS = (LLM, TOOL, LIMITER, BACKOFF, FRAMEWORK, UNATTRIBUTED)

_KIND_OF = {
    "llm.call": LLM,
    "tool.call": TOOL,
    "limiter.sleep": LIMITER,
    "retry.backoff": BACKOFF,
    "agent.execution": FRAMEWORK,
    "task.execution": FRAMEWORK,
    "crew.kickoff": FRAMEWORK,
    "python.import": FRAMEWORK,
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the critical path that belongs to one span alone."""

    node: Node
    start: float
    end: float
    kind: str

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.end - self.start


def critical_path(root: Node) -> tuple[Segment, ...]:
    """Walk back from the root's end, always into the child that ended last; segments in order of time.

    The segments are contiguous and cover the root from start to end. A child still running where another one took
    over is followed up to that moment: something was being waited for, and it was there.
    """
    backwards: list[Segment] = []
    pending: list[tuple[Node, float, float]] = [(root, root.start, root.end)]
    children: dict[int, _Children] = {}
    while pending:
        node, low, high = pending.pop()
        held = children.get(id(node)) or children.setdefault(id(node), _Children(node))
        child = held.last(low, high) if high > low else None
        if child is None:
            if high > low:
                backwards.append(Segment(node, low, high, _kind(node, high)))
            continue
        finish, begin = min(child.end, high), max(child.start, low)
        if high > finish:
            backwards.append(Segment(node, finish, high, _kind(node, high)))
        if begin > low:
            pending.append((node, low, begin))
        pending.append((child, begin, finish))
    return tuple(reversed(backwards))


class _Children:
    """The children of a node, asked for from its end backwards: a tool that loops has tens of thousands."""

    __slots__ = ("_ended", "_next", "_running")

    def __init__(self, node: Node) -> None:
        lasting = [child for child in node.children if child.end > child.start]
        lasting.sort(key=lambda child: child.span.id, reverse=True)
        self._ended = sorted(enumerate(lasting), key=lambda each: (-each[1].end, each[1].start))
        self._next = 0
        self._running: list[tuple[float, int, Node]] = []

    def last(self, low: float, high: float) -> Node | None:
        """Return the one that ended last within (low, high); of several running at `high`, the first to start.

        `high` never grows from one call to the next.
        """
        ended = self._ended
        while self._next < len(ended) and ended[self._next][1].end >= high:
            rank, child = ended[self._next]
            heapq.heappush(self._running, (child.start, rank, child))
            self._next += 1
        if self._running and self._running[0][0] < high:
            return self._running[0][2]
        self._running.clear()  # the rest began later still
        if self._next < len(ended) and ended[self._next][1].end > low:
            return ended[self._next][1]
        return None


def _kind(node: Node, until: float) -> str:
    """Whose time an exclusive stretch of `node` up to `until` is.

    Above the calls it is the framework's; except where a span was cut off while nothing beneath it was known to
    run: nobody knows what it waited for.
    """
    for each in node.chain():
        kind = _KIND_OF.get(each.span.name)
        if kind is None:
            continue
        if kind == FRAMEWORK and each is not node:
            return UNATTRIBUTED
        if kind == FRAMEWORK and node.span.open and until >= node.end:
            return UNATTRIBUTED
        return kind
    return UNATTRIBUTED
