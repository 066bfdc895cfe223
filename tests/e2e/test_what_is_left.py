"""What a command leaves in the folder one stands in."""

import signal
import subprocess
import sys
import tempfile

import pytest

pytestmark = pytest.mark.crewai


def run(here, *arguments):
    command = [sys.executable, "-m", "crewdoctor", *arguments]
    return subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False)


def test_a_dry_run_leaves_nothing_but_the_recording_one_asks_for(tmp_path):
    (tmp_path / "crew.py").write_text("1 / 0\n")

    done = run(tmp_path, "diagnose", "crew.py", "--dry-run", "--format", "json")

    assert (done.returncode, "CD902" in done.stdout) == (3, True), done.stderr
    assert [each.name for each in tmp_path.iterdir() if each.name != "__pycache__"] == ["crew.py"]

    run(tmp_path, "diagnose", "crew.py", "--dry-run", "--recording", "mine.jsonl")
    assert (tmp_path / "mine.jsonl").read_text()


def test_the_demo_says_where_it_records_and_that_is_not_here(tmp_path):
    command = [sys.executable, "-m", "crewdoctor", "demo"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        told = running.stderr.readline()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)

    assert f"recording: {tempfile.gettempdir()}/crewdoctor-demo-" in told
    assert list(tmp_path.iterdir()) == []
