"""What the report says of an operation that was still waiting when it was last looked at."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from crewdoctor import budget, pipeline
from crewdoctor.hangs import hangs
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.options import Options
from crewdoctor.model.result import Status
from crewdoctor.model.setting import UNLIMITED, Location, Seconds
from crewdoctor.report import terminal
from crewdoctor.waits import blocked
from crewdoctor.wire.recording import read_recording


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).resolve().parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


kit = _load("recordings")
AGENT, CREW, LLM, TOOL = kit.AGENT, kit.CREW, kit.LLM, kit.TOOL
ELSEWHERE = Location("tools.py", 88, "search", "answer = parse(text)")


def evidence_of(scene, tmp_path):
    scene.write(tmp_path / "recording.jsonl")
    held = read_recording(tmp_path / "recording.jsonl")
    return Evidence(held, budget.ledger_of(held))


@pytest.fixture
def scene():
    made = kit.Scene()
    made.crew(
        kit.setting(LLM, "llm", "timeout.read", Seconds(120.0)),
        kit.setting(LLM, "llm", "max_retries", 2),
        kit.setting(AGENT, "agent", "max_execution_time", Seconds(60.0)),
    )
    made.options = Options(target="crew.py", outer=300.0)
    return made


def kickoff(scene, start=20.0, end=40.0):
    """A kickoff that was cut off; its agent's span and its step."""
    step = scene.step("crew.kickoff", CREW, start, end, Status.KILLED)
    crew = scene.span(step, "crew.kickoff", start, None)
    task = scene.span(step, "task.execution", start, None, subject="task:1", parent=crew)
    return step, scene.span(step, "agent.execution", start, None, subject=AGENT, parent=task)


def test_a_hang_of_a_tool_names_its_owners_and_every_clock_around_it(scene, tmp_path):
    step, agent = kickoff(scene)
    call = scene.tool(step, 22.0, None, parent=agent)
    scene.stack(step, 38.0, call, "recv", seconds=16.0, peer="internal-api.local:443", bytes_received=0)
    (hang,) = hangs(evidence_of(scene, tmp_path))

    assert [owner.subject for owner in hang.owners] == [CREW, "task:1", AGENT, TOOL]
    assert (hang.waiting, hang.peer, hang.timeout) == ("recv", "internal-api.local:443", UNLIMITED)
    assert hang.frames == (kit.TOOL_LINE,)
    told = {each.what: (each.limit, each.left, each.interrupts) for each in hang.ends}
    assert told == {
        "this wait": (UNLIMITED, None, True),
        "max_execution_time": (Seconds(60.0), 40.0, False),
        "--outer": (Seconds(300.0), 280.0, True),
    }


def test_a_hang_of_a_model_says_which_request_it_is_and_how_many_follow(scene, tmp_path):
    step, agent = kickoff(scene)
    scene.llm(step, 21.0, None, parent=agent, requests=1, read=120.0)
    (hang,) = hangs(evidence_of(scene, tmp_path))

    assert (hang.owners[-1].name, hang.attempt, hang.timeout) == ("llm.call", 1, Seconds(120.0))
    told = {each.what: each.limit for each in hang.ends}
    assert told["this wait"] == Seconds(120.0)
    assert told["the SDK's attempts"] == Seconds(361.5)


def test_the_same_hang_alone_and_in_the_crew_is_told_once_with_its_owners(scene, tmp_path):
    alone = scene.step("tool.isolated", TOOL, 5.0, 20.0, Status.KILLED)
    call = scene.tool(alone, 5.0, None)
    scene.stack(alone, 18.0, call, "recv", seconds=13.0, peer="internal-api.local:443", bytes_received=0)
    step, agent = kickoff(scene)
    call = scene.tool(step, 36.0, None, parent=agent)
    scene.stack(step, 39.0, call, "recv", seconds=3.0, peer="internal-api.local:443", bytes_received=0)
    (hang,) = hangs(evidence_of(scene, tmp_path))

    assert hang.owners[0].subject == CREW


def test_an_operation_that_had_only_begun_is_no_hang(scene, tmp_path):
    step, agent = kickoff(scene)
    call = scene.tool(step, 39.5, None, parent=agent)
    scene.stack(step, 39.9, call, "recv", seconds=0.4, peer="internal-api.local:443", bytes_received=0)

    assert hangs(evidence_of(scene, tmp_path)) == ()


def test_a_limit_around_the_wait_ends_it_where_its_own_does_not(scene, tmp_path):
    step = scene.step("tool.isolated", TOOL, 5.0, 20.0, Status.KILLED)
    call = scene.tool(step, 5.0, None)
    around = [{"peer": "the result of a future", "timeout": kit.wire(45.0), "seconds": 10.0}]
    scene.stack(step, 15.0, call, "recv", seconds=10.0, bytes_received=0, around=around)
    held = evidence_of(scene, tmp_path)
    (hang,) = hangs(held)

    assert hang.timeout == Seconds(50.0)
    assert hang.ends[0].where == "the result of a future"
    (finding,) = (each for each in pipeline.analyse(held.recording).findings if each.code == "CD304")
    assert "would have ended it" in finding.message
    assert "nothing" not in finding.message


def held_in_c(scene, *, seen_before):
    step = scene.step("tool.isolated", TOOL, 5.0, 20.5, Status.KILLED)
    call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1)
    if seen_before is not None:
        scene.stack(step, 13.0, call, "lock", seconds=8.0, line=seen_before)
    scene.stack(step, 20.0, call, "gil", seconds=15.0, source="faulthandler")
    return step


def test_c_code_that_lets_no_python_run_is_a_hang_at_its_line(scene, tmp_path):
    held_in_c(scene, seen_before=None)
    held = evidence_of(scene, tmp_path)
    (hang,) = hangs(held)
    (finding,) = (each for each in pipeline.analyse(held.recording).findings if each.code == "CD304")

    assert "C code that lets no other Python run" in hang.message
    assert (finding.location.line, "C code" in finding.message) == (57, True)


def test_the_dump_of_a_process_that_was_only_late_says_nothing_new(scene, tmp_path):
    held_in_c(scene, seen_before=kit.TOOL_LINE)
    held = evidence_of(scene, tmp_path)
    (call,) = held.spans("tool.call")

    assert blocked(held, call).waiting == "lock"


def test_a_dump_at_another_line_outranks_what_was_seen_before(scene, tmp_path):
    held_in_c(scene, seen_before=ELSEWHERE)
    held = evidence_of(scene, tmp_path)
    (call,) = held.spans("tool.call")

    assert blocked(held, call).waiting == "gil"


def test_the_child_that_is_waited_for_is_named_with_its_peer(scene, tmp_path):
    step = scene.step("tool.isolated", TOOL, 5.0, 20.0, Status.KILLED)
    call = scene.span(step, "tool.call", 5.0, None, subject=TOOL, tool="search", n=1)
    child = {"pid": 7, "program": "curl", "waiting": "recv", "peer": "10.0.0.7:443"}
    scene.stack(step, 19.0, call, "process", seconds=14.0, peer="sh", child=child, idle_seconds=14.0)
    (hang,) = hangs(evidence_of(scene, tmp_path))

    assert "a child process (curl, recv from 10.0.0.7:443)" in hang.message


def test_the_terminal_shows_the_users_lines_and_the_clocks(scene, tmp_path):
    step, agent = kickoff(scene)
    call = scene.tool(step, 22.0, None, parent=agent)
    scene.stack(step, 38.0, call, "recv", seconds=16.0, peer="internal-api.local:443", bytes_received=0)
    report = pipeline.analyse(evidence_of(scene, tmp_path).recording)
    shown = " ".join(terminal.render(report, width=120).split())

    assert f"owner {CREW} > task:1 > {AGENT} > {TOOL}" in shown
    assert "at tools.py:57 in search return requests.get" in shown
    assert "ends this wait: never, no timeout is set" in shown
    assert "max_execution_time: 60 s (crew.py:14), 40.0 s later, and does not interrupt it" in shown
    assert "Still waiting" not in terminal.render(replace(report, hangs=()))
