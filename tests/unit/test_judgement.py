"""Whom the rules accuse first, and whom they leave alone: crews that look sick and are not, and the other way round."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import budget, causality, rulebook
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Severity
from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Seconds, Setting
from crewdoctor.model.span import FailureKind
from crewdoctor.wire.recording import read_recording


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).resolve().parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


kit = _load("recordings")
AGENT, CREW, LLM, TOOL = kit.AGENT, kit.CREW, kit.LLM, kit.TOOL
SDK = kit.default("default of openai 2.54.0")


def crew(scene, *, read=None, deadline=None, tool=10.0, scan=None, stream=False):
    limit = Seconds(deadline) if deadline else UNLIMITED
    held = UNLIMITED if tool is None else Seconds(tool)
    scene.crew(
        kit.setting(LLM, "llm", "timeout.read", Seconds(read or 600.0), None if read else SDK),
        kit.setting(LLM, "llm", "max_retries", 2, SDK),
        kit.setting(AGENT, "agent", "max_execution_time", limit),
        kit.setting(AGENT, "agent", "max_retry_limit", 2, SDK),
        Setting(TOOL, "tool", "timeout", held, kit.written(kit.TOOL_LINE)),
        scan=(kit.scan_entry("requests", "requests.get", UNLIMITED if tool is None else tool),)
        if scan is None
        else scan,
        stream=stream,
    )


def alone(scene, *seconds, **attrs):
    step = scene.step("llm.sdk", LLM, 4.0, 5.0 + sum(seconds))
    at = 4.0
    for each in seconds:
        scene.llm(step, at, at + each, **attrs)
        at += each


def isolated(scene, *, end=20.0, status=Status.OK):
    return scene.step("tool.isolated", TOOL, 5.0, end, status)


def look(scene, step, at, call, waiting="recv", **attrs):
    scene.stack(step, at, call, waiting, seconds=at - 5.0, peer="internal-api.local:443", **attrs)


def request(  # noqa: PLR0913 - a request has so many parts
    scene, step, call, start, end, *, host="internal-api.local", failure=None, timeout=10.0, client="requests"
):
    """A request beneath a tool call; the id of its exchange."""
    limits = timeout if isinstance(timeout, dict) else {"connect": kit.wire(timeout), "read": kit.wire(timeout)}
    peer = {"host": host, "port": 443}
    answered = {"status": 200, "first_byte": end - start} if end is not None and failure is None else {}
    outer = scene.span(
        step,
        "http.request",
        start,
        end,
        parent=call,
        failure=failure,
        client=client,
        timeout=limits,
        **peer,
        **answered,
    )
    inner = {"timeout": limits["read"], "first_byte": answered.get("first_byte")}
    return scene.span(step, "net.exchange", start, end, parent=outer, failure=failure, **inner, **peer)


# --- left alone ----------------------------------------------------------------------------------------------------


def slow_model_on_defaults(scene):
    crew(scene)
    alone(scene, 8.1, 8.0, 8.2)


def slow_simulated_model(scene):
    crew(scene, read=5.0)
    scene.simulated.append(LLM)
    alone(scene, 8.1, 8.0, simulated=True)


def timeout_nobody_wrote_with_little_to_spare(scene):
    crew(scene, read=600.0)
    alone(scene, 8.0)


def six_seconds_when_somebody_pressed_ctrl_c(scene):
    crew(scene, tool=None, scan=())
    step = isolated(scene, end=12.0, status=Status.KILLED)
    call = scene.tool(step, 5.0, None, timeout=30.0)
    look(scene, step, 11.9, call, bytes_received=0)


def answer_that_trickles_at_the_deadline(scene):
    crew(scene, scan=())
    step = isolated(scene, end=25.0, status=Status.KILLED)
    call = scene.tool(step, 5.0, None, timeout=30.0)
    look(scene, step, 20.0, call, bytes_received=4000)
    look(scene, step, 24.9, call, bytes_received=5000)


def stream_that_trickles_at_the_deadline(scene):
    crew(scene, stream=True)
    step = scene.step("llm.sdk", LLM, 4.0, 26.0, Status.KILLED)
    call = scene.llm(step, 4.0, None, stream=True, first_token=0.4, gaps_max=2.0)
    for at, count in ((20.0, 4000), (25.9, 5000)):
        scene.stack(step, at, call, "recv", seconds=1.0, line=None, bytes_received=count)


def value_error_for_invented_arguments(scene):
    crew(scene)
    step = isolated(scene)
    scene.tool(step, 5.0, 5.1, timeout=10.0, failure=FailureKind.EXCEPTION, text="empty query", source="schema")


def server_error_for_invented_arguments(scene):
    crew(scene)
    scene.tool(isolated(scene), 5.0, 5.1, timeout=10.0, status=500, source="synthesised")


def write_that_was_stopped(scene):
    crew(scene)
    scene.tool(isolated(scene), 5.0, 5.1, timeout=10.0, failure=FailureKind.BLOCKED_WOULD_WRITE)


def no_timeout_and_a_service_that_is_well(scene):
    crew(scene, tool=None)
    scene.tool(isolated(scene), 5.0, 5.3)


def failure_alone_of_a_tool_that_works_in_the_crew(scene):
    crew(scene)
    scene.tool(isolated(scene), 5.0, 5.1, timeout=10.0, failure=FailureKind.TCP_RESET)
    step = scene.step("crew.kickoff", CREW, 30.0, 35.0)
    scene.tool(step, 31.0, 31.5, timeout=10.0, source="model")


def limit_set_where_the_source_does_not_show_it(scene):
    crew(scene, tool=None)
    scene.tool(isolated(scene), 5.0, 5.1, timeout=10.0)


def work_bounded_from_outside(scene):
    scan = (kit.scan_entry("requests", "requests.get", UNLIMITED), kit.scan_entry("future", "future.result", 5.0))
    crew(scene, tool=None, scan=scan)
    scene.tool(isolated(scene), 5.0, 5.1, timeout=UNLIMITED)


def own_computation_four_at_once(scene):
    crew(scene, scan=())
    step = isolated(scene)
    scene.span(step, "tool.call", 5.0, 6.0, subject=TOOL, tool="search", n=1, args_source="schema")
    for _ in range(4):
        call = scene.span(step, "tool.call", 7.0, 11.0, subject=TOOL, tool="search", n=4, args_source="schema")
        scene.stack(step, 9.0, call, "cpu", seconds=2.0)


def gate_of_its_own_four_at_once(scene):
    crew(scene)
    step = isolated(scene)
    scene.tool(step, 5.0, 6.0, timeout=10.0)
    for index in range(4):
        call = scene.span(step, "tool.call", 7.0, 8.0 + index, subject=TOOL, tool="search", n=4, args_source="schema")
        request(scene, step, call, 7.0 + index, 8.0 + index)


def execution_just_within_its_limit(scene):
    crew(scene, deadline=10.0, read=2.0)
    step = scene.step("crew.kickoff", CREW, 30.0, 41.0)
    scene.span(step, "agent.execution", 30.0, 39.9, subject=AGENT)


def limit_inverted_by_defaults_alone(scene):
    crew(scene, deadline=60.0)


def long_streamed_answer(scene):
    crew(scene, read=5.0, stream=True)
    alone(scene, 14.0, 15.0, stream=True, first_token=0.6, gaps_max=0.9)


def side_trip_of_a_library_that_fails(scene):
    crew(scene, scan=())
    step = isolated(scene)
    call = scene.span(step, "tool.call", 5.0, 5.4, subject=TOOL, tool="search", n=1, args_source="schema")
    request(scene, step, call, 5.1, 5.2, failure=FailureKind.DNS_NOT_FOUND)


def second_mirror_answers(scene):
    crew(scene)
    step = isolated(scene)
    call = scene.span(step, "tool.call", 5.0, 5.4, subject=TOOL, tool="search", n=1, args_source="schema")
    request(scene, step, call, 5.1, 5.11, failure=FailureKind.TCP_REFUSED)
    request(scene, step, call, 5.2, 5.3, host="other.local")


def fresh_request_when_somebody_pressed_ctrl_c(scene):
    crew(scene)
    step = isolated(scene, end=14.5, status=Status.KILLED)
    call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema")
    for at in range(5, 14):
        request(scene, step, call, float(at), at + 0.9)
    open_one = request(scene, step, call, 14.0, None)
    look(scene, step, 14.4, open_one, bytes_received=0)


HEALTHY = (
    side_trip_of_a_library_that_fails,
    second_mirror_answers,
    fresh_request_when_somebody_pressed_ctrl_c,
    slow_model_on_defaults,
    slow_simulated_model,
    timeout_nobody_wrote_with_little_to_spare,
    six_seconds_when_somebody_pressed_ctrl_c,
    answer_that_trickles_at_the_deadline,
    stream_that_trickles_at_the_deadline,
    value_error_for_invented_arguments,
    server_error_for_invented_arguments,
    write_that_was_stopped,
    failure_alone_of_a_tool_that_works_in_the_crew,
    limit_set_where_the_source_does_not_show_it,
    work_bounded_from_outside,
    own_computation_four_at_once,
    gate_of_its_own_four_at_once,
    execution_just_within_its_limit,
    limit_inverted_by_defaults_alone,
    no_timeout_and_a_service_that_is_well,
    long_streamed_answer,
)


# --- accused -------------------------------------------------------------------------------------------------------


def hang_that_outlives_the_agents_limit(scene):
    crew(scene, tool=None, deadline=5.0)
    step = scene.step("crew.kickoff", CREW, 4.0, 20.0, Status.KILLED)
    kickoff = scene.span(step, "crew.kickoff", 4.0, None)
    agent = scene.span(step, "agent.execution", 4.1, None, subject=AGENT, parent=kickoff)
    call = scene.tool(step, 5.0, None, parent=agent)
    look(scene, step, 19.9, call, bytes_received=0)


def service_that_takes_one_at_a_time(scene):
    crew(scene, tool=1.7)
    step = isolated(scene)
    scene.tool(step, 5.0, 6.2, timeout=1.7)
    for _ in range(4):
        scene.tool(step, 7.0, 8.7, n=4, timeout=1.7, failure=FailureKind.TIMEOUT_READ)


def slow_tool_beyond_the_agents_limit(scene):
    crew(scene, tool=60.0, deadline=2.0)
    scene.tool(isolated(scene), 5.0, 17.0, timeout=60.0)
    step = scene.step("crew.kickoff", CREW, 30.0, 45.0)
    kickoff = scene.span(step, "crew.kickoff", 30.0, 43.0)
    failed = FailureKind.TIMEOUT_TOTAL
    agent = scene.span(step, "agent.execution", 30.1, 42.8, subject=AGENT, parent=kickoff, failure=failed)
    scene.tool(step, 30.5, 42.5, parent=agent, timeout=60.0, source="model")


def hang_beside_a_timeout_too_low(scene):
    crew(scene, read=2.0, tool=None)
    alone(scene, 4.6, 4.4, 4.5)
    step = isolated(scene, end=21.0, status=Status.KILLED)
    look(scene, step, 20.9, scene.tool(step, 5.0, None), bytes_received=0)


def model_that_says_nothing(scene):
    crew(scene, read=20.0)
    step = scene.step("llm.sdk", LLM, 4.0, 22.0, Status.KILLED)
    call = scene.llm(step, 4.0, None)
    scene.stack(step, 21.5, call, "recv", seconds=17.5, line=None, bytes_received=0)


def silent_alone_and_answered_in_the_crew(scene):
    """Twenty honest seconds within a timeout of thirty: crewdoctor's patience alone was shorter."""
    crew(scene, tool=30.0)
    step = isolated(scene, end=20.5, status=Status.KILLED)
    look(scene, step, 20.4, scene.tool(step, 5.0, None, timeout=30.0), bytes_received=0)
    kickoff = scene.step("crew.kickoff", CREW, 30.0, 52.0)
    root = scene.span(kickoff, "crew.kickoff", 30.0, 51.0)
    agent = scene.span(kickoff, "agent.execution", 30.1, 50.9, subject=AGENT, parent=root)
    scene.tool(kickoff, 30.5, 50.5, parent=agent, timeout=30.0, source="model")


def one_slow_answer_in_five(scene):
    crew(scene, read=5.0)
    alone(scene, 1.0, 1.1, 6.0, 1.0, 1.1)


def two_slow_answers_in_five(scene):
    crew(scene, read=5.0)
    alone(scene, 1.0, 6.1, 6.0, 1.0, 1.1)


def attempts_that_all_time_out(scene):
    crew(scene, tool=3.0)
    step = isolated(scene, end=27.0, status=Status.KILLED)
    call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema")
    for at in (5.0, 8.5, 12.5, 18.5):
        request(scene, step, call, at, at + 3.0, failure=FailureKind.TIMEOUT_READ, timeout=3.0)
    look(scene, step, 26.5, request(scene, step, call, 25.5, None, timeout=3.0), bytes_received=0)


def failure_the_tool_keeps_to_itself(scene):
    crew(scene, tool=2.0)
    step = isolated(scene)
    call = scene.span(step, "tool.call", 5.0, 7.1, subject=TOOL, tool="search", n=1, args_source="schema")
    request(scene, step, call, 5.0, 7.0, failure=FailureKind.TIMEOUT_READ, timeout=2.0)


def answer_that_drips(scene):
    crew(scene, tool=5.0)
    step = isolated(scene, end=27.0, status=Status.KILLED)
    call = scene.tool(step, 5.0, None, timeout=5.0)
    scene.stack(step, 26.5, call, "recv", seconds=0.4, peer="internal-api.local:443", bytes_received=140)


def one_of_several_at_once_hangs(scene):
    crew(scene, tool=None)
    step = isolated(scene, end=20.5, status=Status.KILLED)
    call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema")
    old = request(scene, step, call, 5.1, None, host="silent.local", timeout=UNLIMITED)
    young = request(scene, step, call, 20.1, None, timeout=UNLIMITED)
    look(scene, step, 20.3, old, bytes_received=0)
    look(scene, step, 20.3, young, bytes_received=0)
    scene.stack(step, 20.3, call, "lock", seconds=15.0, peer="the result of a future", timeout={"timeout": 8.0})


def pool_whose_calls_are_cut_off_in_the_crew(scene):
    service_that_takes_one_at_a_time(scene)
    step = scene.step("crew.kickoff", CREW, 30.0, 40.0)
    for start in (31.0, 31.2):
        scene.tool(step, start, start + 1.7, timeout=1.7, failure=FailureKind.TIMEOUT_READ, source="model")


def shared_client_of_one_connection(scene):
    crew(scene)
    step = isolated(scene)
    scene.tool(step, 5.0, 6.5, timeout=10.0)
    for index in range(4):
        end = 8.5 + index * 1.5
        call = scene.span(step, "tool.call", 7.0, end, subject=TOOL, tool="search", n=4, args_source="schema")
        outer = scene.span(step, "http.request", 7.0, end, parent=call, client="httpx", host="h", port=443, status=200)
        scene.span(step, "net.exchange", end - 1.5, end, parent=outer, host="h", port=443, first_byte=1.5)


SICK = (
    (shared_client_of_one_connection, "CD603", TOOL, Severity.WARNING, set()),
    (attempts_that_all_time_out, "CD305", TOOL, Severity.ERROR, set()),
    (failure_the_tool_keeps_to_itself, "CD305", TOOL, Severity.ERROR, set()),
    (answer_that_drips, "CD304", TOOL, Severity.ERROR, set()),
    (one_of_several_at_once_hangs, "CD304", TOOL, Severity.ERROR, {"CD301"}),
    (pool_whose_calls_are_cut_off_in_the_crew, "CD306", TOOL, Severity.ERROR, {"CD312"}),
    (hang_that_outlives_the_agents_limit, "CD304", TOOL, Severity.ERROR, {"CD301", "CD401"}),
    (service_that_takes_one_at_a_time, "CD306", TOOL, Severity.ERROR, {"CD312"}),
    (slow_tool_beyond_the_agents_limit, "CD401", AGENT, Severity.ERROR, {"CD403", "CD303"}),
    (hang_beside_a_timeout_too_low, "CD304", TOOL, Severity.ERROR, {"CD301"}),
    (silent_alone_and_answered_in_the_crew, "CD303", TOOL, Severity.WARNING, {"CD312"}),
    (model_that_says_nothing, "CD208", LLM, Severity.ERROR, set()),
    (one_slow_answer_in_five, "CD201", LLM, Severity.WARNING, set()),
    (two_slow_answers_in_five, "CD201", LLM, Severity.ERROR, set()),
)


def findings(build, path):
    scene = kit.Scene()
    build(scene)
    scene.write(path)
    held = read_recording(path)
    assert not held.notes
    found, _ = rulebook.run(Evidence(held, budget.ledger_of(held)))
    return [each for each in causality.order(found, held) if each.severity is not Severity.INFO]


@pytest.mark.parametrize("build", HEALTHY, ids=lambda build: build.__name__)
def test_nobody_is_accused(build, tmp_path):
    assert [(each.code, each.message) for each in findings(build, tmp_path / "recording.jsonl")] == []


@pytest.mark.parametrize(
    ("build", "code", "subject", "severity", "folded"), SICK, ids=lambda given: getattr(given, "__name__", "")
)
def test_the_cause_comes_first(build, code, subject, severity, folded, tmp_path):
    first, *_ = findings(build, tmp_path / "recording.jsonl")

    assert (first.code, first.subject, first.severity) == (code, subject, severity)
    assert {each.code for each in first.explained} == folded


def test_of_several_waits_at_once_the_oldest_is_named(tmp_path):
    first, *_ = findings(one_of_several_at_once_hangs, tmp_path / "recording.jsonl")

    assert "15.4 s" in first.message
    assert "recv from silent.local:443" in first.message


def test_attempts_are_counted_and_their_timeout_is_quoted(tmp_path):
    first, *_ = findings(attempts_that_all_time_out, tmp_path / "recording.jsonl")

    assert "did not answer within its timeout of 3 s" in first.message
    assert "in any of 4 attempts; it was still trying after 22.0 s" in first.message


def test_a_hidden_failure_is_called_hidden(tmp_path):
    first, *_ = findings(failure_the_tool_keeps_to_itself, tmp_path / "recording.jsonl")

    assert "returned an answer all the same" in first.message


def test_a_read_timeout_ends_no_answer_that_drips(tmp_path):
    first, *_ = findings(answer_that_drips, tmp_path / "recording.jsonl")

    assert "after 140 bytes of the answer" in first.message
    assert "its timeout of 5 s is for each read, not for the answer" in first.message
    assert first.limit.value is UNLIMITED
    assert "stream=True" in first.fix.code


def test_a_total_timeout_ends_what_no_read_timeout_would(tmp_path):
    def build(scene):
        crew(scene, scan=())
        step = isolated(scene, status=Status.KILLED)
        call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema")
        limits = {"total": kit.wire(300.0), "connect": kit.wire(UNLIMITED), "read": kit.wire(UNLIMITED)}
        waits = request(scene, step, call, 5.0, None, timeout=limits, client="aiohttp")
        look(scene, step, 19.9, waits, bytes_received=0)

    first, *_ = findings(build, tmp_path / "recording.jsonl")
    assert first.code == "CD304"
    assert first.limit.value == Seconds(300.0)


@pytest.mark.parametrize(("part", "told"), [("headers", ", its headers incomplete;"), ("body", ";")])
def test_headers_that_never_complete_are_told_from_a_body(part, told, tmp_path):
    def build(scene):
        crew(scene, tool=None, scan=())
        step = isolated(scene, status=Status.KILLED)
        call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema")
        waits = request(scene, step, call, 5.0, None, timeout=UNLIMITED)
        look(scene, step, 19.9, waits, bytes_received=17, part=part)

    first, *_ = findings(build, tmp_path / "recording.jsonl")
    assert first.code == "CD304"
    text = first.message.partition(", tools.py")[0] + ";" if ", tools.py" in first.message else first.message
    assert f"after 17 bytes of the answer{told}" in text.replace(")", ";")


def test_an_honest_call_beyond_the_agents_limit_may_be_allowed_for(tmp_path):
    first, *_ = findings(slow_tool_beyond_the_agents_limit, tmp_path / "recording.jsonl")

    assert first.code == "CD401"
    assert first.fix.code.splitlines()[0] == "Agent(..., max_execution_time=30)"
    assert "requests.get(url, timeout=(3.05, 1))" in first.fix.code


def test_a_sleep_is_told_with_its_length(tmp_path):
    def build(scene):
        crew(scene, scan=())
        step = isolated(scene, status=Status.KILLED)
        call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1, args_source="schema")
        scene.stack(step, 19.9, call, "sleep", seconds=14.9, peer="600 s", timeout={"timeout": 600.0})

    first, *_ = findings(build, tmp_path / "recording.jsonl")
    assert "it was in its own sleep of 600 s" in first.message


def test_an_overloaded_machine_is_mentioned(tmp_path):
    def build(scene):
        two_slow_answers_in_five(scene)
        scene.header = replace(scene.header, load=19.0)

    assert "overloaded (load 19 on 2 cores)" in findings(build, tmp_path / "recording.jsonl")[0].message
