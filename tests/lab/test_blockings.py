"""Tools of one crew that block in all kinds of ways: the hang names line, operation, peer, limit and owner, in time."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from crewdoctor import pipeline
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.report import json_report, terminal
from crewdoctor.wire.recording import read_recording

pytestmark = [pytest.mark.crewai, pytest.mark.netns, pytest.mark.lab, pytest.mark.timeout(240)]

HERE = Path(__file__).resolve().parent
LAB = HERE.parents[1] / "fixtures" / "lab"
SECONDS = 6.0
GRACE = 2.0


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


KINDS = module_of(HERE / "blockings" / "kinds.py")
NAMESPACE = module_of(LAB / "namespace.py")
each_kind = pytest.mark.parametrize("kind", KINDS.KINDS, ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What one run of all of them left: its recording, its report, the places its servers had."""
    if reason := NAMESPACE.why_not():
        if os.environ.get("CREWDOCTOR_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("blockings")
    servers = [["upstream", {"mute": True, "port": 7001}], ["upstream", {"body_stall": True, "port": 7002}]]
    prefix = NAMESPACE.prefix(servers=servers, nameservers=[["127.0.0.53", None]])
    command = [*prefix, sys.executable, str(HERE / "blockings" / "inside.py"), str(folder), str(SECONDS)]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    recording = read_recording(folder / "recording.jsonl")
    return recording, pipeline.analyse(recording), json.loads((folder / "places.json").read_text())


@pytest.fixture
def hang(seen, kind):
    """The one hang of a kind's tool."""
    if kind.needs and not importlib.util.find_spec(kind.needs):
        pytest.skip(f"{kind.needs} is not installed")
    (found,) = (each for each in seen[1].hangs if each.subject == f"tool:{kind.name}")
    return found


@each_kind
def test_it_names_the_line_that_waits(kind, hang, seen):
    _, line, text = KINDS.source(kind, seen[2])

    assert (Path(hang.frames[0].file).name, hang.frames[0].line) == (f"{kind.name}_tool.py", line)
    assert hang.frames[0].source == text
    assert f"{kind.name}_tool.py:{line}" in hang.message


@each_kind
def test_it_names_operation_and_peer(kind, hang, seen):
    assert hang.waiting in kind.waiting
    assert kind.peer.format(**seen[2]) in hang.peer
    assert bool(hang.received) is kind.received


@each_kind
def test_it_names_the_limit_in_force(kind, hang):
    if kind.unlimited:
        assert hang.timeout is UNLIMITED
        assert (hang.ends[0].what, hang.ends[0].left) == ("this wait", None)
    elif kind.timeout:
        assert isinstance(hang.timeout, Seconds)
        assert hang.timeout.value == pytest.approx(kind.timeout, abs=kind.within)
        assert hang.ends[0].left == pytest.approx(kind.timeout - SECONDS, abs=3.0)


@each_kind
def test_it_names_its_owner_and_the_clock_around_it(kind, hang):
    assert (hang.owners[-1].name, hang.owners[-1].subject) == ("tool.call", f"tool:{kind.name}")
    (deadline,) = (each for each in hang.ends if each.what == "max_execution_time")
    assert deadline.limit == Seconds(240)
    assert not deadline.interrupts
    assert "crew.py" in deadline.where


@each_kind
def test_its_step_ends_with_its_deadline(kind, hang, seen):
    (result,) = (each for each in seen[0].results if each.step.subject == f"tool:{kind.name}")

    assert result.step.deadline == SECONDS
    assert SECONDS <= result.seconds <= SECONDS + GRACE
    assert hang.silent <= result.seconds


def test_what_a_child_does_is_told(seen):
    messages = {each.subject: each.message for each in seen[1].hangs}

    assert "a child process (sleep)" in messages["tool:process"]
    assert f"recv from {seen[2]['silent_peer']}" in messages["tool:child_on_the_wire"]


def test_terminal_and_json_tell_it(seen):
    report = seen[1]
    shown = terminal.render(report, verbosity=1)
    held = json.loads(json_report.render(report))["hangs"]

    assert len(held) == len(report.hangs)
    assert "Still waiting when it was ended" in shown
    assert "max_execution_time: 240 s" in shown
    assert {each["subject"] for each in held} == {each.subject for each in report.hangs}
