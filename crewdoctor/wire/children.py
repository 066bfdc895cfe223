"""Processes of a recorded program within the spans they were started in: one timeline for all of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crewdoctor.model.span import Event, Span

_SLACK = 0.5
"""Seconds by which the word of a start may come after the process itself has spoken."""


def adopted(
    spans: Sequence[Span], events: Iterable[Event], facts: Mapping[str, Mapping[str, Any]], begun: Mapping[str, float]
) -> list[Span]:
    """The spans; the outermost of a child process lie in the span it was started in, and belong to whom that does."""
    held = {span.id: span for span in spans}
    started = [each for each in events if each.name == "process.started"]
    within = {
        step: found for step, told in facts.items() if (found := _owner(told, begun.get(step, 0.0), started, held))
    }
    if not within:
        return list(spans)
    return [
        _in(span, held[within[span.step]])
        if span.parent is None and span.step in within and held[within[span.step]].step != span.step
        else span
        for span in spans
    ]


def _owner(told: Mapping[str, Any], at: float, started: Sequence[Event], held: Mapping[str, Span]) -> str:
    """The span a process began in: it inherited the word, or its parent said so; empty where nobody knows."""
    program = told.get("program")
    if not isinstance(program, Mapping):
        return ""
    inherited = str(program.get("within") or "")
    if inherited in held:
        return inherited
    # A shell between the two is not recorded: then its number is the parent's of this one.
    for name in ("pid", "parent"):
        mine = [each for each in started if each.attrs.get("pid") == program.get(name) and each.at <= at + _SLACK]
        if mine and (span := str(mine[-1].attrs.get("span") or "")) in held:
            return span
    return ""


def _in(span: Span, owner: Span) -> Span:
    if span.subject in {"", "program"} and not span.name.startswith("process."):
        return replace(span, parent=owner.id, subject=owner.subject, layer=owner.layer)
    return replace(span, parent=owner.id)
