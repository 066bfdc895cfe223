"""Calls of one tool among others: those of the ramp, and how many its service takes at once. Pure."""

from __future__ import annotations

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.span import Span
from crewdoctor.ramp import parallelism, tool_levels
from crewdoctor.toolcalls import ToolCalls, failure_of, wires
from crewdoctor.waits import unfinished

STEP = 1.5
"""Completions within so many service times belong to the first stair."""


def ramped(evidence: Evidence, tool: ToolEntry) -> ToolCalls:
    """Calls of the ramp, where they were seen to ask somebody: those of one kickoff, and those of the highest level."""
    alone, levels = tool_levels(evidence, tool.subject)
    asked = [held for held in levels if any(wires(evidence, span, "http.request", "net.exchange") for span in held)]
    return ToolCalls(tool, alone, asked[-1] if asked else [], [])


def width(evidence: Evidence, loaded: list[Span], alone: float) -> int:
    """How many the service takes at once: those completed within the first stair, where all began together."""
    began = min(span.start for span in loaded)
    done = [span for span in loaded if not unfinished(span) and failure_of(evidence, span) is None]
    if max(span.start for span in loaded) - began > alone / 2:
        return parallelism(alone, done, evidence)
    service = max(alone, min((span.seconds() for span in done), default=alone))
    return max(1, sum(1 for span in done if span.end is not None and span.end - began <= STEP * service))
