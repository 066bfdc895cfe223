"""What a ramp says: what it stands, where it saturates, and when it says nothing of anybody else."""

from types import SimpleNamespace

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.locality import is_local
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.ramp import Level, Ramp, bracket, parallelism, slower


def span(name, start=0.0, end=1.0, failure=None, subject="tool:x"):
    held = Failure(failure) if failure else None
    return Span(f"{name}{start}{end}", "scale.ramp@c", name, start, end, Layer.TOOL, subject, failure=held)


def level(n, pace, per_second, *beneath, **row):
    return Level(n, span("scale.level"), {"median": pace, "per_second": per_second, **row}, beneath)


def climbed(*levels, stopped_by="knee"):
    return Ramp(SimpleNamespace(facts={"stopped_by": stopped_by}), levels)


@pytest.mark.parametrize(
    ("limit", "expected"), [(6.0, (4, 8)), (6.4, (4, 8)), (4.1, (2, 8)), (3.9, (2, 8)), (1.0, (1, 2)), (30.0, (16, 16))]
)
def test_a_bracket_holds_the_limit_even_where_the_estimate_is_a_tenth_off(limit, expected):
    assert bracket(limit, [1, 2, 4, 8, 16]) == expected


def test_a_pool_of_six_saturates_between_four_and_eight():
    held = climbed(level(1, 1.0, 1.0), level(4, 1.0, 4.0), level(8, 1.35, 5.9), level(16, 2.7, 6.0))

    assert held.saturates() == (4, 8)


@pytest.mark.parametrize(
    "last", [level(8, 1.1, 7.3), level(8, 1.9, 5.4), level(8, None, 0.0)], ids=["as fast", "more through", "none ended"]
)
def test_what_still_brings_more_through_is_not_saturated(last):
    assert climbed(level(1, 1.0, 1.0), level(4, 1.0, 4.0), last).saturates() is None


def test_a_timeout_that_alone_was_kept_breaks_a_level_and_one_that_never_was_does_not():
    cut = span("tool.call", failure=FailureKind.TIMEOUT_READ)
    told = span("tool.call", failure=FailureKind.EXCEPTION)

    assert climbed(level(1, 1.0, 1.0), level(2, 1.0, 2.0), level(4, 1.0, 4.0, cut)).kept() == (2, 4)
    assert climbed(level(1, 1.0, 1.0, cut), level(2, 1.0, 2.0, cut)).kept() == (2, None)
    assert climbed(level(1, 1.0, 1.0), level(2, 1.0, 2.0, told)).kept() == (2, None)


@pytest.mark.parametrize(("row", "busy"), [({}, False), ({"cores": 0.9}, True), ({"late": 0.2}, True)])
def test_a_busy_machine_is_told(row, busy):
    assert level(8, 1.0, 8.0, **row).by_us is busy


@pytest.mark.parametrize(
    ("alone", "loaded", "expected"),
    [([1.0, 1.1], [2.5, 2.4], True), ([1.0, 1.4], [2.5, 2.4], False), ([0.1], [0.3], False), ([], [9.0], False)],
)
def test_slower_is_twice_the_longest_and_half_a_second(alone, loaded, expected):
    assert slower(alone, loaded) is expected


@pytest.mark.parametrize("width", [1, 2, 3])
def test_how_many_a_service_takes_is_what_it_completes_times_what_one_takes(width):
    """Twelve calls handed in almost at once, served `width` at a time, one second each."""
    ends = [1.0 + number // width for number in range(12)]
    calls = [span("net.exchange", 0.01 * number, end) for number, end in enumerate(ends)]
    evidence = SimpleNamespace(end_of=lambda each: each.end)

    assert parallelism(1.0, calls, evidence) == width


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("::1", True),
        ("[::1]", True),
        ("model.localhost", True),
        ("10.0.0.7", False),
        ("192.168.1.2", False),
        ("api.openai.com", False),
        ("localhost.evil.com", False),
        ("", False),
    ],
)
def test_only_this_machine_is_local(host, local):
    assert is_local(host) is local
