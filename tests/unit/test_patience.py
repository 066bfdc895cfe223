"""When a running step is ended before its deadline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crewdoctor import patience
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status, StepResult
from crewdoctor.patience import hung_tools, longest_wait
from crewdoctor.supervisor.live import LiveStep
from crewdoctor.wire.frames import to_line


def Live(step, now, started=0.0, last_moved=0.0, spans=(), stacks=()):  # noqa: N802 - reads as the thing it makes
    """What the supervisor's own LiveStep holds after these frames; with the moment of asking."""
    live = LiveStep(step, 1, started, started)
    for frame in (*spans, *stacks):
        live.feed(to_line(frame))
    live.last_moved = last_moved
    return live, now


def verdict(live, results):
    return patience.verdict(live[0], results, live[1])


def step(probe, subject="crew:c", **args):
    return Step(f"{probe}@{subject}", probe, Layer.CREW, subject, "loaded", 60.0, args)


def result(probe, subject, status=Status.OK, **facts):
    return StepResult(step(probe, subject), status, 0.0, 1.0, facts=facts)


def span(name, start, subject="", ident="1.1", parent=None):
    return {"k": "open", "id": ident, "name": name, "start": start, "subject": subject, "parent": parent, "attrs": {}}


def stack(at, waiting, of="1.1", **attrs):
    return {"k": "stack", "at": at, "span": of, "waiting": waiting, "frames": [], "attrs": attrs}


KICKOFF = step("crew.kickoff")
HUNG = result("tool.isolated", "tool:a", Status.KILLED)


def test_a_tool_that_hung_alone_ends_the_crew_at_its_first_recurrence():
    calling = [span("tool.call", 10.0, "tool:a")]
    live = Live(KICKOFF, 13.2, 0.0, 10.0, calling, [stack(12.0, "recv")])
    assert "`a` hangs here as it did alone: 3.2 s" in verdict(live, [HUNG])


@pytest.mark.parametrize(
    ("now", "subject", "stacks", "results"),
    [
        (12.5, "tool:a", [stack(12.0, "recv")], [HUNG]),
        (13.2, "tool:b", [stack(12.0, "recv")], [HUNG]),
        (13.2, "tool:a", [], [HUNG]),
        (13.2, "tool:a", [stack(12.0, "cpu")], [HUNG]),
        (13.2, "tool:a", [stack(12.0, "recv")], [result("tool.isolated", "tool:a", n1=[0.1], n4=[0.1])]),
        (13.2, "tool:a", [stack(12.0, "recv")], [result("tool.isolated", "tool:a", Status.KILLED, n1=[0.2])]),
        (13.2, "tool:a", [stack(12.0, "recv")], []),
    ],
    ids=["too early", "another tool", "not looked at", "computes", "was well", "only under load", "unknown"],
)
def test_what_is_not_that_hang_goes_on(now, subject, stacks, results):
    live = Live(KICKOFF, now, 0.0, 10.0, [span("tool.call", 10.0, subject)], stacks)
    assert verdict(live, results) == ""


def test_a_child_that_was_waited_for_in_vain_alone_is_so_again():
    live = Live(KICKOFF, 13.2, 0.0, 10.0, [span("tool.call", 10.0, "tool:a")], [stack(12.0, "process")])
    assert "`a` hangs here as it did alone" in verdict(live, [HUNG])


def test_a_recurrence_is_seen_through_the_wire_beneath_the_call():
    spans = [span("tool.call", 10.0, "tool:a"), span("http.request", 10.1, "", "1.2", "1.1")]
    live = Live(KICKOFF, 14.0, 0.0, 10.0, spans, [stack(13.0, "cpu", of="9.9"), stack(12.0, "recv", of="1.2")])
    assert verdict(live, [HUNG])


def test_a_recurrence_nobody_could_look_at_is_one_after_six_seconds():
    live = Live(KICKOFF, 16.1, 0.0, 10.0, [span("tool.call", 10.0, "tool:a")])
    assert verdict(live, [HUNG])


@pytest.mark.parametrize(
    ("quiet", "facts", "ends"),
    [
        (19.0, {}, False),
        (20.5, {}, True),
        (20.5, {"cold": 2.0, "warm": [1.0, 1.5]}, True),
        (20.5, {"cold": 8.0, "warm": [7.5]}, False),
        (24.5, {"cold": 8.0, "warm": [7.5]}, True),
    ],
)
def test_a_quiet_crew_is_ended_after_three_times_the_longest_wait_of_its_kind(quiet, facts, ends):
    live = Live(KICKOFF, 30.0 + quiet, 0.0, 30.0, [span("llm.call", 30.0, "agent:x/llm")])
    said = verdict(live, [result("llm.sdk", "agent:x/llm", **facts)])
    assert bool(said) is ends
    assert not ends or f"{quiet:.1f} s in llm.call of agent:x/llm" in said


def test_the_longest_wait_is_that_of_the_kind_that_is_open():
    slow_tool = result("tool.isolated", "tool:b", n1=[9.0])
    waiting_for_llm = Live(KICKOFF, 21.0, 0.0, 0.0, [span("llm.call", 0.0, "agent:x/llm")])
    waiting_for_tool = Live(KICKOFF, 21.0, 0.0, 0.0, [span("tool.call", 0.0, "tool:b")])
    between = Live(KICKOFF, 21.0, 0.0, 0.0, [span("agent.execution", 0.0, "agent:x")])
    results = [slow_tool, result("llm.sdk", "agent:x/llm", cold=1.0)]
    assert verdict(waiting_for_llm, results)
    assert verdict(waiting_for_tool, results) == ""
    assert verdict(between, results) == ""


def test_a_crew_whose_thread_computes_is_not_quiet():
    seen = [{**stack(20.0, "cpu"), "seconds": 16.0}]
    live = Live(KICKOFF, 25.0, 0.0, 0.0, [span("tool.call", 0.0, "tool:b")], seen)
    assert verdict(live, []) == ""


@pytest.mark.parametrize(("idle", "ends"), [(0.0, False), (15.0, True)], ids=["works", "stands there"])
def test_a_child_process_counts_as_work_only_while_it_uses_a_cpu(idle, ends):
    looks = [{**stack(20.0, "process", idle_seconds=idle), "seconds": 20.0}]
    live = Live(KICKOFF, 25.0, 0.0, 0.0, [span("tool.call", 0.0, "tool:b")], looks)
    assert bool(verdict(live, [])) is ends


def test_who_computed_for_a_moment_and_was_not_seen_again_is_done():
    seen = [{**stack(2.0, "cpu"), "seconds": 1.0}, {**stack(18.0, "process", idle_seconds=16.0), "seconds": 16.0}]
    live = Live(KICKOFF, 25.0, 0.0, 0.0, [span("tool.call", 0.0, "tool:b")], seen)
    assert "nothing has moved for 25.0 s in tool.call of tool:b" in verdict(live, [])


def test_a_crew_that_never_moved_is_counted_from_its_start():
    assert verdict(Live(KICKOFF, 25.0, 10.0, 0.0), []) == ""
    assert verdict(Live(KICKOFF, 31.0, 10.0, 0.0), []) == "nothing has moved for 21.0 s"


ALONE = step("tool.isolated", "tool:a", patience=15.0)


@pytest.mark.parametrize(
    ("now", "stacks", "ends"),
    [
        (15.5, [stack(8.0, "recv")], False),
        (16.5, [stack(8.0, "recv")], True),
        (16.5, [], True),
        (16.5, [stack(8.0, "cpu")], False),
        (16.5, [stack(4.0, "recv", bytes_received=10), stack(8.0, "recv", bytes_received=10)], True),
        (16.5, [stack(4.0, "recv", bytes_received=10), stack(8.0, "recv", bytes_received=90)], False),
    ],
    ids=["patient", "silent", "never looked at", "computes", "stalled in its body", "bytes arrive"],
)
def test_a_tool_alone_is_ended_when_it_has_been_silent_for_its_patience(now, stacks, ends):
    live = Live(ALONE, now, 0.0, 5.0, [span("tool.call", 1.0, "tool:a")], stacks)
    assert bool(verdict(live, [])) is ends


def test_a_tool_alone_that_still_tries_or_reads_has_its_whole_step():
    live = Live(ALONE, 16.5, 0.0, 9.0, [span("tool.call", 1.0, "tool:a")], [stack(14.0, "recv")])
    assert verdict(live, []) == ""


def test_between_calls_and_in_other_probes_nobody_is_ended():
    assert verdict(Live(ALONE, 99.0), []) == ""
    assert verdict(Live(step("llm.sdk"), 99.0, 0.0, 0.0, [span("llm.call", 0.0)]), []) == ""


def test_only_tools_that_never_answered_hung():
    results = [
        HUNG,
        result("tool.isolated", "tool:b", Status.KILLED, n1=[1.0]),
        result("tool.isolated", "tool:c", n1=[1.0]),
        result("llm.sdk", "agent:x/llm", Status.KILLED),
    ]
    assert hung_tools(results) == {"tool:a"}


def test_a_wait_of_the_subject_itself_outranks_those_of_others():
    results = [result("tool.isolated", "tool:a", n1=[9.0]), result("tool.isolated", "tool:b", n1=[1.0], n4=[2.0])]
    assert longest_wait(results, "tool", "tool:b") == 2.0
    assert longest_wait(results, "tool", "tool:unseen") == 9.0
    assert longest_wait(results, "llm") == 0.0


CUT = result("llm.sdk", "agent:a/llm", answered=True, cut_off=True)


def asked_again(subject="agent:a/llm", *, failure=True):
    """A call of the model that ended, and the next one that is going."""
    ended = {"kind": "timeout.read", "text": "", "exception": "", "causes": []} if failure else None
    closing = {"k": "close", "id": "1.2", "end": 9.0, "failure": ended, "attrs": {}}
    first, second = span("llm.call", 1.0, subject, "1.2"), span("llm.call", 9.1, subject, "1.3")
    return Live(KICKOFF, 10.0, 0.0, 9.5, [first, closing, second])


def test_a_timeout_that_cut_the_model_off_alone_ends_the_crew_when_it_asks_again():
    assert "agent:a/llm is cut off by its timeout here as it was alone" in verdict(asked_again(), [CUT])


@pytest.mark.parametrize(
    ("live", "results"),
    [
        (asked_again(failure=False), [CUT]),
        (asked_again(), [result("llm.sdk", "agent:a/llm", answered=True)]),
        (asked_again("agent:b/llm"), [CUT, result("llm.sdk", "agent:b/llm", answered=True)]),
    ],
    ids=["the first call got through", "it was not cut off alone", "it is another model"],
)
def test_otherwise_the_crew_goes_on(live, results):
    assert verdict(live, results) == ""


def tried(kind, *, again=True):
    """A call of an MCP tool whose first try ended so, while pings of the session keep coming."""
    failure = {"kind": kind, "text": "", "exception": "", "causes": []} if kind else None
    frames = [span("tool.call", 1.0, "tool:a"), span("mcp.call", 1.1, "tool:a", "1.2", "1.1")]
    frames += [{"k": "close", "id": "1.2", "end": 31.1, "failure": failure, "attrs": {}}]
    frames += [span("mcp.call", 32.1, "tool:a", "1.3", "1.1")] if again else []
    return Live(KICKOFF, 32.5, 0.0, 32.1, frames)


@pytest.mark.parametrize("kind", ["cancelled", "timeout.total"])
def test_an_mcp_client_that_gave_up_once_is_not_waited_for_a_second_time(kind):
    assert verdict(tried(kind), []) == "the MCP client gave up on `a` once, 31.5 s after it was called"
    assert verdict(tried(kind, again=False), [])


@pytest.mark.parametrize("kind", ["", "protocol", "tcp.reset"])
def test_a_try_that_the_server_ended_is_no_silence(kind):
    assert verdict(tried(kind), []) == ""


def limited(*, kind="http.rate_limited", again=True, by="agent:a/llm"):
    """An agent's execution that ended so after its retries, and the next one, that asks as well."""

    def closing(ident, end, kind):
        return {"k": "close", "id": ident, "end": end, "failure": {"kind": kind, "text": ""}, "attrs": {}}

    frames = [span("agent.execution", 1.0, "agent:a", "1.1"), span("http.request", 1.1, "agent:a/llm", "1.2", "1.1")]
    frames += [closing("1.2", 1.2, "http.rate_limited"), closing("1.1", 8.0, kind)]
    frames += [span("agent.execution", 8.1, "agent:a", "1.3"), span("http.request", 8.2, by, "1.4", "1.3")]
    frames += [closing("1.4", 8.3, "http.rate_limited")] if again else []
    return Live(KICKOFF, 9.0, 0.0, 8.3, frames)


def test_an_agent_that_failed_for_a_rate_limit_and_meets_it_again_ends_the_crew():
    assert verdict(limited(), []) == "agent:a failed for the rate limit of its model, and meets it again"


@pytest.mark.parametrize(
    "given",
    [{"again": False}, {"kind": "http.server_error"}, {"by": "tool:search"}],
    ids=["let through", "another", "a tool's"],
)
def test_an_agent_that_may_get_through_this_time_goes_on(given):
    assert verdict(limited(**given), []) == ""


def test_bytes_are_counted_apart_for_each_thing_that_is_looked_at():
    alone = step("tool.isolated", "tool:a", patience=15.0)
    waiting = [stack(4.0, "lock", "1.1", bytes_received=0), stack(4.1, "recv", "1.2", bytes_received=90)]
    later = [stack(8.0, "lock", "1.1", bytes_received=0), stack(8.1, "recv", "1.2", bytes_received=90)]
    spans = [span("tool.call", 0.5, "tool:a"), span("net.exchange", 0.6, "tool:a", "1.2", "1.1")]
    assert "no answer after" in verdict(Live(alone, 16.5, 0.0, 1.0, spans, [*waiting, *later]), [])


def test_a_tool_with_a_timeout_of_its_own_is_waited_for_in_the_crew():
    bounded = step("crew.kickoff", bounded={"tool:a": 30.0})
    calling, looks = [span("tool.call", 10.0, "tool:a")], [stack(12.0, "recv")]
    assert not verdict(Live(bounded, 41.0, 0.0, 10.0, calling, looks), [HUNG])
    assert "`a` hangs here as it did alone: 32.5 s" in verdict(Live(bounded, 42.5, 0.0, 10.0, calling, looks), [HUNG])


def lane(number, seconds):
    held = step("tool.isolated", f"tool:{number}", patience=15.0, of_lane=[45.0, 5])
    return replace(held, lane="tools of host:a:1"), seconds


@pytest.mark.parametrize(
    ("ended", "given"),
    [([], 15.0), ([0.5, 0.5, 0.5, 0.5], 15.0), ([15.5, 15.5], 10.0), ([15.5, 15.5, 13.0], 4.0)],
    ids=["first", "all well before", "two hung before", "nothing left"],
)
def test_a_lanes_time_goes_to_the_tool_that_needs_it(ended, given):
    results = [
        StepResult(held, Status.OK, 0.0, seconds) for held, seconds in (lane(at, each) for at, each in enumerate(ended))
    ]
    asked, _ = lane(9, 0)
    calling = [span("tool.call", 100.0, "tool:9")]
    assert not verdict(Live(asked, 100.0 + given - 0.2, 0.0, 0.0, calling, [stack(101.0, "recv")]), results)
    assert verdict(Live(asked, 100.0 + given + 0.2, 0.0, 0.0, calling, [stack(101.0, "recv")]), results)
