"""However a step ends, it is classified, within its deadline, and nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status
from crewdoctor.supervisor import Supervisor
from crewdoctor.wire.recording import RecordingWriter, header, read_recording

PROBES = str(Path(__file__).with_name("probes"))
GRACE = 2.0
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="process trees are read from /proc")


def step(probe, deadline=20.0, **args):
    return Step(f"{probe}@here", probe, Layer.TOOL, "here", "own", deadline, args)


def marked(word):
    """Processes whose environment carries `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if word.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def alive(pid):
    """Whether it still runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(params=["fork", "spawn"])
def bench(request, tmp_path):
    """Callable: steps to results and the recording; afterwards no process of theirs is left."""
    word = f"CREWDOCTOR_TEST_{os.getpid()}_{time.monotonic_ns()}"
    path = tmp_path / "recording.jsonl"
    environment = {**os.environ, "CREWDOCTOR_START": request.param, word: "1"}

    def run(*steps, before_end=lambda: None, endpoint=None):
        writer = RecordingWriter(path)
        writer.write(header(Options()))
        with Supervisor(
            recording=writer,
            zero=time.monotonic(),
            crew_python=sys.executable,
            project_root=str(tmp_path),
            environment=environment,
            probes=PROBES,
        ) as supervisor:
            if endpoint is not None:
                supervisor.start_endpoint(endpoint)
            results = supervisor.run(steps)
            before_end()
        writer.close()
        return results, read_recording(path)

    yield run
    until = time.monotonic() + 5
    while marked(word) and time.monotonic() < until:
        time.sleep(0.05)
    assert marked(word) == []


def test_a_step_that_floods_its_streams_ends_well(bench):
    (result,), _ = bench(step("floods"))

    assert (result.status, result.facts["written"]) == (Status.OK, 3072)


def test_the_embedded_endpoint_keeps_no_step_waiting(bench):
    (result,), _ = bench(step("well"), endpoint={})

    assert result.status is Status.OK


def test_a_step_that_exits_hard_has_crashed_and_its_last_words_are_redacted(bench):
    (result,), recording = bench(step("exits"))

    assert result.status is Status.CRASHED
    assert "7" in result.reason
    assert "abcdefgh12345678" not in result.reason
    assert [event.name for event in recording.events] == ["before"]


@pytest.mark.parametrize("probe", ["ignores_sigterm", "holds_gil"])
def test_a_step_that_will_not_end_is_killed_at_its_deadline(bench, probe):
    (result,), _ = bench(step(probe, deadline=2.0))

    assert result.status is Status.KILLED
    assert result.seconds <= 2.0 + GRACE


def test_an_open_span_survives_the_kill(bench):
    _, recording = bench(step("holds_gil", deadline=1.5))

    (span,) = recording.spans
    assert (span.name, span.open) == ("tool.call", True)


def test_a_grandchild_that_called_setsid_is_gone(bench, tmp_path):
    pid_file = tmp_path / "pid"
    bench(step("leaves_grandchild", deadline=4.0, pid_file=str(pid_file), hold=True))

    pid = int(pid_file.read_text())
    until = time.monotonic() + 5
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(pid)


def test_garbage_is_counted_and_forks_write_nothing(bench):
    results, recording = bench(step("prints_garbage"), step("forks"), step("well"))

    assert results[2].status is Status.OK
    assert not [event for event in recording.events if "child" in event.name]
    assert any("garbled" in str(note) for note in recording.notes)


def test_a_segfault_is_a_crash_and_the_next_step_runs(bench):
    results, _ = bench(step("segfaults"), step("well"))

    assert [result.status for result in results] == [Status.CRASHED, Status.OK]


PARENT = """
import os, sys, time
from pathlib import Path
from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.supervisor import Supervisor
from crewdoctor.model.options import Options
from crewdoctor.wire.recording import RecordingWriter, header
writer = RecordingWriter(Path(sys.argv[1]))
writer.write(header(Options()))
with Supervisor(recording=writer, zero=time.monotonic(), crew_python=sys.executable, project_root=sys.argv[3],
                environment=dict(os.environ), probes=sys.argv[2]) as supervisor:
    supervisor.run([Step("holds_gil@here", "holds_gil", Layer.TOOL, "here", "own", 60.0)])
"""


def test_kill_9_leaves_a_readable_recording_and_no_worker(tmp_path):
    word = f"CREWDOCTOR_TEST_{os.getpid()}_{time.monotonic_ns()}"
    path = tmp_path / "recording.jsonl"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path), PROBES, str(tmp_path)], env={**os.environ, word: "1"}
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and not (path.exists() and b'"tool.call"' in path.read_bytes()):
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()

    until = time.monotonic() + 10
    while marked(word) and time.monotonic() < until:
        time.sleep(0.05)
    assert marked(word) == []
    assert [span.name for span in read_recording(path).spans] == ["tool.call"]


def test_ctrl_c_ends_the_step_and_keeps_its_result(tmp_path):
    path = tmp_path / "recording.jsonl"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(path), PROBES, str(tmp_path)],
        env=dict(os.environ),
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads here
    )
    until = time.monotonic() + 30
    while time.monotonic() < until and not (path.exists() and b'"tool.call"' in path.read_bytes()):
        time.sleep(0.05)
    parent.send_signal(signal.SIGINT)
    parent.wait(10)

    (result,) = read_recording(path).results
    assert result.status is Status.KILLED
    assert "interrupted" in result.reason
