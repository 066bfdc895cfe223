"""Spans that lie beneath each other in a circle are cut loose, once, when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from crewdoctor.model.span import Span

_DEEPEST = 200


def rooted(spans: dict[str, Span]) -> Iterable[Span]:
    """The spans, none beneath itself or at an absurd depth: rules walk upwards until there is no parent."""
    depth: dict[str, int] = {}
    for span in spans.values():
        path: dict[str, Span] = {}
        here: Span | None = span
        while here is not None and here.id not in depth and here.id not in path:
            path[here.id] = here
            here = spans.get(here.parent) if here.parent is not None else None
        above = depth.get(here.id, -1) if here is not None else -1
        for each in reversed(path.values()):
            circle = each.parent in path and each.parent not in depth
            above = -1 if circle or above + 1 >= _DEEPEST else above
            if above < 0 and each.parent in spans:
                spans[each.id] = replace(each, parent=None)
            above += 1
            depth[each.id] = above
    return spans.values()
