"""stalls(): what an experiment's spans and facts say, and when they say nothing."""

import pytest

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.layer import Layer
from crewdoctor.model.phase import Phase
from crewdoctor.model.plan import Step
from crewdoctor.model.recording import Experiments, Header, Recording
from crewdoctor.model.result import Status, StepResult
from crewdoctor.model.setting import UNLIMITED, Location, Seconds
from crewdoctor.model.span import Failure, FailureKind, Span, Stack
from crewdoctor.stalls import KERNEL, RESOLVER, ends, stalls

HERE = Location("/work/tools.py", 7)
WATCHED = Failure(FailureKind.DEADLINE, "watched no longer")
GONE = Failure(FailureKind.TIMEOUT_READ, "read timed out", "requests.exceptions.ReadTimeout")
HEARD = {"lookup": 2, "accepted": 1, "hello": 1, "secured": 1, "request": 1}


def span(name, number, failure=None, end=9.0, parent="1.1", **attrs):
    step = "tool.stall@tool:search/x"
    return Span(f"1.{number}", step, name, 1.0, end, Layer.TOOL, "tool:search", parent, failure, attrs)


def one(phase, *wires, facts=None, failure=WATCHED, waiting="recv", timeout=None, status=Status.OK, **attrs):
    """The one stall of a recording whose call looks like this."""
    args = {"redirected": True, "phase": phase.value}
    step = Step("tool.stall@tool:search/x", "tool.stall", Layer.TOOL, "tool:search", "loaded", 14.0, args)
    facts = {"resolver_seconds": 10.0, "kernel_seconds": 127.0, "heard": HEARD, **(facts or {})}
    call = span("tool.stall", 1, failure, parent=None, phase=phase.value, **attrs)
    limit = {"timeout": timeout if timeout is not None else "unknown"}
    inner = wires[-1].id if wires else call.id
    looks = [
        Stack("1.90", step.id, 8.5, inner, waiting, (HERE,), HERE, "Thread-2 (run)", 7.0, {"timeout": limit}),
        Stack("1.91", step.id, 8.5, call.id, "lock", (), None, "MainThread", 8.0, {"peer": "an event"}),
    ]
    kept = Experiments((call, *wires), (), tuple(looks) if failure is WATCHED and (wires or waiting != "recv") else ())
    result = StepResult(step, status, 0.5, 9.5, "it went away" if status is Status.CRASHED else "", None, facts)
    (found,) = stalls(Evidence(Recording(Header(), results=(result,), experiments=kept, end=10.0)))
    return found


def exchange(timeout):
    return span("net.exchange", 5, end=None, host="api.example", port=443, timeout={"timeout": timeout})


@pytest.mark.parametrize(("phase", "wanted"), [(Phase.REQUEST, "for ever"), (Phase.BODY, "for ever")])
def test_a_wait_without_a_limit_is_for_ever(phase, wanted):
    stall = one(phase, exchange("unlimited"), timeout="unlimited")

    assert (stall.outcome.value, stall.limit, stall.location) == (wanted, UNLIMITED, HERE)
    assert (stall.host, stall.requests) == ("api.example:443", 1)


def test_a_limit_in_force_is_not_waited_for():
    stall = one(Phase.REQUEST, exchange(30.0), timeout=30.0)

    assert (stall.outcome.value, stall.limit) == ("limited", Seconds(30.0))
    assert stall.seconds == pytest.approx(8.0)


def test_a_limit_that_did_not_end_it_is_not_believed():
    stall = one(Phase.REQUEST, exchange(2.0), timeout=2.0)

    assert stall.outcome.value == "unknown"
    assert "2 s did not end it" in stall.reason


def test_a_wait_nobody_saw_through_is_unknown_and_accuses_nobody():
    stall = one(Phase.REQUEST, exchange("unknown"))

    assert stall.outcome.value == "unknown"
    assert stall.reason


def test_the_kernel_ends_a_connect_and_the_resolver_a_lookup():
    connect = span("tcp.connect", 5, end=None, host="api.example", port=443, timeout={"timeout": "unlimited"})
    lookup = span("dns.lookup", 5, end=None, host="api.example", port=443)
    none = {"heard": {"lookup": 2}}

    knocking = one(Phase.CONNECT, connect, facts=none, waiting="connect", timeout="unlimited")
    asking = one(Phase.LOOKUP, lookup, facts=none, waiting="dns")

    assert (knocking.outcome.value, knocking.limit, knocking.limited_by) == ("limited", Seconds(127.0), KERNEL)
    assert (asking.outcome.value, asking.limit, asking.limited_by) == ("limited", Seconds(10.0), RESOLVER)


def test_giving_up_says_with_what():
    stall = one(Phase.REQUEST, failure=GONE)

    assert stall.outcome.value == "gave up"
    assert stall.seen == "requests.exceptions.ReadTimeout: read timed out"


def test_an_answer_despite_the_silence_is_what_the_crew_sees():
    assert one(Phase.REQUEST, failure=None, output_chars=2).seen == "an answer of 2 characters"


@pytest.mark.parametrize(
    ("phase", "heard"),
    [
        (Phase.TLS, {"lookup": 2, "accepted": 1, "request": 1}),
        (Phase.LOOKUP, {"accepted": 1, "request": 1}),
        (Phase.BODY, {"lookup": 2, "accepted": 1}),
    ],
)
def test_a_phase_its_calls_do_not_go_through_is_not_met(phase, heard):
    assert one(phase, failure=GONE, facts={"heard": heard}).outcome.value == "not met"


def test_asking_nobody_is_told_apart_from_failing_before():
    silent = {"heard": {}}

    assert one(Phase.REQUEST, failure=None, facts=silent, output_chars=1).outcome.value == "no network"
    for failed in (
        one(Phase.REQUEST, failure=GONE, facts=silent),
        one(Phase.REQUEST, failure=None, facts=silent, error_text="no key"),
    ):
        assert failed.outcome.value == "unknown"
        assert failed.reason.startswith("it failed before it asked anybody")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"outside": "a datagram to 1.1.1.1:53"}, "would have gone past"),
        ({"blocked": True, "blocked_what": ["start a process curl"]}, "start a process curl"),
        ({"heard": {"accepted": 1, "hello": 1}}, "certificate"),
    ],
)
def test_an_experiment_that_did_not_hold_is_unknown_with_its_reason(facts, said):
    stall = one(Phase.REQUEST, failure=GONE, facts=facts)

    assert stall.outcome.value == "unknown"
    assert said in stall.reason


def test_a_process_that_went_away_is_unknown():
    stall = one(Phase.REQUEST, status=Status.CRASHED)

    assert (stall.outcome.value, stall.reason) == ("unknown", "it went away")


def test_another_line_that_ends_says_nothing_of_this_one():
    tried = (one(Phase.REQUEST, exchange(30.0), timeout=30.0),)

    assert ends(tried, HERE)
    assert ends(tried, None)
    assert not ends(tried, Location("/work/tools.py", 8))
    assert not ends((one(Phase.REQUEST, exchange("unlimited"), timeout="unlimited"),), HERE)
