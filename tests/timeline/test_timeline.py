"""The timeline of a kickoff: properties over generated trees, and the shapes a real crew leaves."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.timeline import timeline
from crewdoctor.timeline.path import critical_path
from crewdoctor.timeline.tree import grow

STEP = "crew.kickoff@crew:c"
NAMES = [
    "task.execution",
    "agent.execution",
    "llm.call",
    "tool.call",
    "http.request",
    "tcp.connect",
    "limiter.sleep",
    "retry.backoff",
    "something.new",
]


def span(ident, name, start, end, parent=None, subject="", **attrs):
    return Span(ident, STEP, name, start, end, Layer.CREW, subject, parent, attrs=attrs)


def recording(spans, *, end, status=Status.OK):
    step = Step(STEP, "crew.kickoff", Layer.CREW, "crew:c", "loaded", 60.0)
    return Recording(
        Header(), results=(StepResult(step, status, spans[0].start if spans else 0.0, end),), spans=tuple(spans)
    )


times = st.floats(min_value=-5.0, max_value=25.0, allow_nan=False, allow_infinity=False)


@st.composite
def forests(draw):
    """Spans as they come: nested, parallel, open, outside their parents, with lost or circular links."""
    spans = [span("r", "crew.kickoff", 0.0, draw(st.one_of(st.none(), st.just(20.0))), subject="crew:c")]
    for index in range(draw(st.integers(0, 14))):
        start = draw(times)
        end = draw(
            st.one_of(st.none(), st.floats(min_value=0.0, max_value=20.0).map(lambda length, s=start: s + length))
        )
        parent = draw(st.one_of(st.none(), st.sampled_from(["r", "lost", *(f"s{n}" for n in range(15))])))
        subject = draw(st.sampled_from(["", "tool:a", "tool:b", "agent:x"]))
        spans.append(span(f"s{index}", draw(st.sampled_from(NAMES)), start, end, parent, subject))
    return spans


@settings(max_examples=60, deadline=None)
@given(forests())
def test_the_critical_path_is_contiguous_and_covers_the_kickoff(spans):
    root = grow(spans[0], spans, 20.0)
    path = critical_path(root)
    assert path[0].start == root.start == 0.0
    assert path[-1].end == root.end == 20.0
    assert all(before.end == after.start for before, after in pairwise(path))
    assert all(segment.seconds > 0 for segment in path)
    assert all(segment.node.start <= segment.start <= segment.end <= segment.node.end for segment in path)


@settings(max_examples=60, deadline=None)
@given(forests())
def test_a_segment_belongs_to_a_span_none_of_whose_children_ran(spans):
    for segment in critical_path(grow(spans[0], spans, 20.0)):
        middle = (segment.start + segment.end) / 2
        assert not any(child.start < middle < child.end for child in segment.node.children)


@settings(max_examples=60, deadline=None)
@given(forests())
def test_shares_and_exclusive_seconds_sum_to_the_total(spans):
    result = timeline(recording(spans, end=20.0))
    assert result.total == pytest.approx(20.0)
    assert sum(share.seconds for share in result.shares) == pytest.approx(result.total, abs=1e-6)
    assert sum(share.share for share in result.shares) == pytest.approx(1.0, abs=1e-6)
    assert sum(result.exclusive.values()) == pytest.approx(result.total, abs=1e-6)
    assert result.inclusive["crew:c"] == pytest.approx(result.total, abs=1e-6)
    assert all(result.inclusive[subject] >= seconds - 1e-9 for subject, seconds in result.exclusive.items())


@settings(max_examples=60, deadline=None)
@given(forests())
def test_exclusive_times_are_never_negative_and_the_tree_holds_every_span_once(spans):
    root = grow(spans[0], spans, 20.0)
    nodes = list(root.walk())
    assert len({id(node) for node in nodes}) == len(nodes)
    within = {each.id for each in spans if each.start <= 20.0 and (20.0 if each.end is None else each.end) >= 0.0}
    assert {node.span.id for node in nodes} == within
    for node in nodes:
        assert 0.0 <= node.exclusive() <= node.seconds + 1e-9
        assert node.parent is None or node.depth == node.parent.depth + 1


def test_orphans_of_the_same_time_never_adopt_each_other_in_a_ring():
    spans = [
        span("r", "crew.kickoff", 0.0, 20.0),
        span("h", "http.request", 1.0, 2.0, "lost"),
        span("l", "llm.call", 1.0, 2.0, "h"),
        span("g", "http.request", 1.0, 2.0, "gone"),
        span("w", "tool.call", 1.0, 2.0, "g"),
    ]
    assert {node.span.id for node in grow(spans[0], spans, 20.0).walk()} == set("rhlgw")


def crew_of_one(**tool):
    return [
        span("r", "crew.kickoff", 10.0, 20.0, subject="crew:c"),
        span("t", "task.execution", 10.0, 20.0, "r", "task:1"),
        span("a", "agent.execution", 10.5, 19.5, "t", "agent:x"),
        span("l1", "llm.call", 11.0, 13.0, "a", "agent:x/llm"),
        replace(span("w", "tool.call", 13.5, 18.0, "a", "tool:search"), **tool),
        span("h", "http.request", 13.6, 17.9, "w", "host:api.local:443", method="GET", url="https://api.local/q"),
        span("l2", "llm.call", 18.5, 19.0, "a", "agent:x/llm"),
    ]


def test_each_second_of_a_healthy_crew_has_one_owner():
    result = timeline(recording(crew_of_one(), end=20.0))
    assert result.finished
    assert {share.kind: pytest.approx(share.seconds) for share in result.shares} == {
        "llm": 2.5,
        "tool": 4.5,
        "framework": 3.0,
    }
    assert result.inclusive["tool:search"] == pytest.approx(4.5)
    assert result.exclusive["tool:search"] == pytest.approx(0.2)
    assert result.exclusive["host:api.local:443"] == pytest.approx(4.3)
    assert result.seconds_of("w") == pytest.approx(4.5)


def test_a_crew_that_came_to_its_end_is_the_top_rung_of_the_ladder():
    rung = timeline(recording(crew_of_one(), end=20.0)).rung
    assert (rung.name, rung.samples, rung.jump) == ("crew", 1, False)
    assert rung.median == pytest.approx(10.0)
    assert rung.exclusive == pytest.approx(3.0)
    assert rung.note == "its own work: 1 task, 2 model calls, 1 tool call"
    cut_off = [replace(crew_of_one()[0], end=None), *crew_of_one()[1:]]
    assert timeline(recording(cut_off, end=20.0)).rung is None


def test_bars_tell_kind_depth_and_whether_the_end_waited_for_them():
    spans = [*crew_of_one(), span("p", "llm.call", 11.0, 12.0, "a", "agent:x/llm")]
    bars = {bar.span: bar for bar in timeline(recording(spans, end=20.0)).bars}
    assert [bars[each].depth for each in "rtawh"] == [0, 1, 2, 3, 4]
    assert [bars[each].kind for each in "rtawh"] == ["crew", "task", "agent", "tool", "network"]
    assert bars["r"].start == 0.0
    assert bars["w"].start == pytest.approx(3.5)
    assert bars["h"].detail == "GET https://api.local/q"
    assert bars["l1"].critical
    assert not bars["p"].critical


def test_a_tool_still_waiting_when_the_crew_was_ended_owns_the_wait():
    spans = crew_of_one(end=None)[:6]
    spans = [replace(each, end=None) if each.id in {"r", "t", "a", "h"} else each for each in spans]
    result = timeline(recording(spans, end=40.0, status=Status.KILLED))
    assert not result.finished
    assert result.total == pytest.approx(30.0)
    assert result.inclusive["tool:search"] == pytest.approx(26.5)
    assert {bar.span for bar in result.bars if bar.open} == {"r", "t", "a", "w", "h"}


def test_a_crew_cut_off_while_nothing_was_known_to_run_is_unattributed_at_its_end():
    spans = [replace(each, end=None) if each.id in {"r", "t", "a"} else each for each in crew_of_one()[:4]]
    shares = {share.kind: share.seconds for share in timeline(recording(spans, end=33.0)).shares}
    assert shares == {
        "unattributed": pytest.approx(20.0),
        "llm": pytest.approx(2.0),
        "framework": pytest.approx(1.0),
    }


def test_limiter_and_backoff_inside_a_call_are_told_apart_from_it():
    spans = crew_of_one()[:5]
    spans += [span("b", "retry.backoff", 11.5, 12.0, "l1"), span("m", "limiter.sleep", 18.0, 19.5, "a")]
    shares = {share.kind: pytest.approx(share.seconds) for share in timeline(recording(spans, end=20.0)).shares}
    assert shares["backoff"] == 0.5
    assert shares["limiter"] == 1.5
    assert shares["llm"] == 1.5


def test_parallel_tasks_share_the_path_by_who_the_end_waited_for():
    spans = [
        span("r", "crew.kickoff", 0.0, 10.0, subject="crew:c"),
        span("t1", "task.execution", 0.0, 9.0, "r", "task:1"),
        span("t2", "task.execution", 0.0, 10.0, "r", "task:2"),
    ]
    assert timeline(recording(spans, end=10.0)).exclusive == {"task:2": pytest.approx(10.0)}


def test_a_connection_that_lost_its_context_goes_to_the_one_call_that_was_open():
    lost = span("x", "tcp.connect", 14.0, 17.0, None, "host:h:1")
    bars = {bar.span: bar for bar in timeline(recording([*crew_of_one()[:5], lost], end=20.0)).bars}
    assert bars["x"].depth == bars["w"].depth + 1


def test_a_connection_that_could_belong_to_two_calls_belongs_to_neither():
    other = span("o", "tool.call", 13.0, 18.0, "a", "tool:other")
    lost = span("x", "tcp.connect", 14.0, 17.0, None, "host:h:1")
    bars = {bar.span: bar for bar in timeline(recording([*crew_of_one()[:5], other, lost], end=20.0)).bars}
    assert bars["x"].depth == 1


def test_failures_are_shown_however_short():
    quick = replace(span("q", "tcp.connect", 13.5, 13.51, "w"), failure=Failure(FailureKind.TCP_REFUSED))
    short = span("z", "dns.lookup", 13.5, 13.51, "w")
    bars = {bar.span: bar for bar in timeline(recording([*crew_of_one(), quick, short], end=20.0)).bars}
    assert bars["q"].failure == "tcp.refused"
    assert "z" not in bars


def test_a_step_whose_kickoff_was_not_seen_is_its_own_root():
    result = timeline(recording(crew_of_one()[1:], end=20.0))
    assert result.total == pytest.approx(10.0)
    assert result.inclusive["tool:search"] == pytest.approx(4.5)


def test_without_a_kickoff_there_is_no_timeline():
    result = timeline(Recording(Header(), spans=(replace(span("c", "tcp.connect", 0, 1), step="net.tcp@host:h:1"),)))
    assert (result.bars, result.shares, result.total) == ((), (), 0.0)


def test_a_recording_cut_off_in_the_kickoff_still_has_a_timeline():
    spans = [replace(each, end=None) if each.id in {"r", "t", "a", "w"} else each for each in crew_of_one()[:5]]
    result = timeline(Recording(Header(), spans=tuple(spans), end=30.0, interrupted="truncated"))
    assert result.total == pytest.approx(20.0)
    assert result.inclusive["tool:search"] == pytest.approx(16.5)
