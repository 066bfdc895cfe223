"""However a whole diagnosis ends, what it measured is told, and nothing of it runs on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crewdoctor.model.result import Status
from crewdoctor.wire.recording import read_recording

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.crewai,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="process trees are read from /proc"),
]
CREW = '''
import urllib.request
from crewai import Agent, Crew, Task
from crewai.tools import tool


@tool("fetch rates")
def fetch_rates(subject: str) -> str:
    """Fetch rates."""
    return urllib.request.urlopen("http://127.0.0.1:{port}/rates").read().decode()


worker = Agent(role="Clerk", goal="g", backstory="b", tools=[fetch_rates], max_retry_limit=0)
crew = Crew(agents=[worker], tasks=[Task(description="d", expected_output="e", agent=worker)])
'''
HANGING = "tool.isolated@tool:fetch rates"


def marked(word):
    """Living processes whose environment carries `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and word.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def until(fact, seconds):
    over = time.monotonic() + seconds
    while not (held := fact()) and time.monotonic() < over:
        time.sleep(0.05)
    return held


def heed_ctrl_c():
    """Whoever runs the tests in the background ignores it, and a child inherits that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Run:
    """`crewdoctor diagnose` of a crew whose tool hangs, started; `word` marks its processes."""

    def __init__(self, folder, word):
        self.folder, self.word = folder, word
        kept = {name: held for name, held in os.environ.items() if not name.startswith(("OPENAI", "CREWDOCTOR"))}
        self.environment = kept | {"PYTHONPATH": str(ROOT)}
        self.command = [sys.executable, "-m", "crewdoctor"]
        self.recording = folder / "recording.jsonl"
        self.process = subprocess.Popen(
            [*self.command, "diagnose", "crew.py", "--recording", "recording.jsonl", "--format", "json"],
            cwd=folder,
            env=self.environment | {word: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,  # noqa: PLW1509 - no threads here
        )

    def until_recorded(self, *texts, seconds=90):
        def there():
            held = self.recording.read_bytes() if self.recording.exists() else b""
            return all(text in held for text in texts) or self.process.poll() is not None

        assert until(there, seconds), "the diagnosis did not get as far"
        assert self.process.poll() is None, self.process.communicate()

    def result(self, step):
        (found,) = [each for each in read_recording(self.recording).results if each.step.id == step]
        return found.status, found.reason

    def analysed(self):
        return subprocess.run(
            [*self.command, "analyse", "recording.jsonl", "--format", "json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def run(tmp_path):
    started = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        (tmp_path / "crew.py").write_text(CREW.format(port=silent.getsockname()[1]))
        word = f"CREWDOCTOR_TESTED_{os.getpid()}_{time.monotonic_ns()}"

        def begin():
            started.append(Run(tmp_path, word))
            return started[-1]

        yield begin
        for each in started:
            if each.process.poll() is None:
                each.process.kill()
            each.process.communicate()
        assert until(lambda: not marked(word), 10), f"still running: {marked(word)}"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_a_signal_in_mid_run_gives_the_partial_report(run, number, code):
    diagnosis = run()
    diagnosis.until_recorded(f'"step":"{HANGING}"'.encode(), b'"waiting":"recv"')

    diagnosis.process.send_signal(number)
    sent = time.monotonic()
    stdout, stderr = diagnosis.process.communicate(timeout=20)

    assert (diagnosis.process.returncode, b"Traceback" in stderr) == (code, False), stderr.decode()
    assert time.monotonic() - sent < 10
    assert marked(diagnosis.word) == []
    report = json.loads(stdout)
    assert (report["exit_code"], report["interrupted"]) == (code, signal.Signals(number).name)
    assert "tool:fetch rates" in {each["subject"] for each in report["findings"]}
    status, reason = diagnosis.result(HANGING)
    assert (status, "interrupted" in reason) == (Status.KILLED, True), reason
    assert diagnosis.analysed().stdout == stdout


def test_a_signal_while_the_crew_is_loaded_says_so(run):
    diagnosis = run()
    diagnosis.until_recorded(b'"k":"header"')

    diagnosis.process.send_signal(signal.SIGTERM)
    stdout, stderr = diagnosis.process.communicate(timeout=20)

    assert (diagnosis.process.returncode, b"Traceback" in stderr) == (143, False), stderr.decode()
    assert marked(diagnosis.word) == []
    report = json.loads(stdout)
    assert report["findings"] == []
    assert "SIGTERM" in report["verdict"]


def test_kill_9_leaves_a_recording_that_can_be_analysed_and_no_worker(run):
    diagnosis = run()
    diagnosis.until_recorded(f'"step":"{HANGING}"'.encode(), b'"waiting":"recv"')

    diagnosis.process.kill()
    diagnosis.process.communicate(timeout=20)

    assert until(lambda: not marked(diagnosis.word), 10), f"still running: {marked(diagnosis.word)}"
    analysed = diagnosis.analysed()
    report = json.loads(analysed.stdout)
    assert b"Traceback" not in analysed.stderr
    assert report["interrupted"] == "truncated"
    assert "tool:fetch rates" in {each["subject"] for each in report["findings"]}
    status, reason = diagnosis.result(HANGING)
    assert (status, "crewdoctor itself ended" in reason) == (Status.KILLED, True), reason
