"""The critical path of a tool that loops: as it was told one child at a time, and in time that does not explode."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Span
from crewdoctor.timeline.path import critical_path
from crewdoctor.timeline.tree import grow


def told_slowly(root):
    """The same rule, read off its definition: of all children the one that ended last, ties by start and id."""
    backwards, pending = [], [(root, root.start, root.end)]
    while pending:
        node, low, high = pending.pop()
        running = [each for each in node.children if each.start < high and min(each.end, high) > max(each.start, low)]
        if not running:
            if high > low:
                backwards.append((node.span.id, low, high))
            continue
        child = max(running, key=lambda each: (min(each.end, high), -each.start, each.span.id))
        finish, begin = min(child.end, high), max(child.start, low)
        if high > finish:
            backwards.append((node.span.id, finish, high))
        if begin > low:
            pending.append((node, low, begin))
        pending.append((child, begin, finish))
    return backwards[::-1]


children = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 19), st.sampled_from([0, 1, 2, 5, 30])), max_size=13)


@settings(max_examples=100, deadline=None)
@given(children)
def test_it_is_the_path_of_the_child_that_ended_last(made):
    spans = [Span("0", "s", "crew.kickoff", 0.0, 20.0, Layer.CREW)]
    for number, (above, start, seconds) in enumerate(made, start=1):
        parent = str(min(above, number - 1))
        spans.append(Span(str(number), "s", "tool.call", start, start + seconds, Layer.TOOL, parent=parent))
    root = grow(spans[0], spans[1:], 25.0)
    assert [(each.node.span.id, each.start, each.end) for each in critical_path(root)] == told_slowly(root)


def test_twenty_thousand_children_are_no_matter():
    spans = [Span("0", "s", "tool.call", 0.0, 30_000.0, Layer.TOOL)]
    spans += [Span(str(n), "s", "http.request", float(n), n + 0.5, Layer.TOOL, parent="0") for n in range(1, 20_000)]
    root = grow(spans[0], spans[1:], 30_000.0)
    began = time.process_time()
    assert len(critical_path(root)) == 2 * 19_999 + 1
    assert time.process_time() - began < 5.0
