"""The top rung of the ladder: the one run of the whole crew."""

from __future__ import annotations

from collections.abc import Sequence

from crewdoctor.model.report import Rung
from crewdoctor.timeline.path import FRAMEWORK, UNATTRIBUTED, Segment
from crewdoctor.timeline.tree import Node

_OWN = frozenset({FRAMEWORK, UNATTRIBUTED})
_COUNTED = (("task.execution", "task"), ("llm.call", "model call"), ("tool.call", "tool call"))


def crew_rung(root: Node, path: Sequence[Segment]) -> Rung | None:
    """Return the rung of a kickoff that came to its end; None for one that was cut off.

    The crew does work of its own, so it is compared by what no model, tool, limiter or backoff took of it: `exclusive`.
    It ran once: it never claims a jump.
    """
    if root.span.open or not path:
        return None
    counts = [(sum(node.span.name == name for node in root.walk()), words) for name, words in _COUNTED]
    told = ", ".join(f"{count} {words}" + ("" if count == 1 else "s") for count, words in counts if count)
    own = sum(segment.seconds for segment in path if segment.kind in _OWN)
    return Rung("crew", 1, root.seconds, root.seconds, own, note=f"its own work: {told}" if told else "its own work")
