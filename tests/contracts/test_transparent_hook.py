"""Law 10 for a program that records itself: what it notices with the hook is what it notices without."""

import json
import os
import subprocess
import sys

import pytest

from crewdoctor.model.recording import RECORD
from crewdoctor.supervisor.program import HOOK
from crewdoctor.wire.recording import read_recording
from tests.contracts.test_transparent_taps import PROGRAM

pytestmark = pytest.mark.lab

BEHAVED = ("ok", "404", "500", "silent", "reset", "close", "stall")


@pytest.mark.parametrize("client", ["requests", "urllib", "socket", "httpx_async", "aiohttp", "asyncio"])
def test_a_program_notices_nothing_of_its_recording(client, behaving, untrusted_tls, tmp_path):
    scenarios = {
        **{name: f"http://localhost:{behaving.port}/{name}" for name in BEHAVED},
        "refused": "http://localhost:1/ok",
        "untrusted": f"https://localhost:{untrusted_tls.port}/ok",
    }
    bare = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name != "PYTHONPATH"}
    recorded = {**bare, "PYTHONPATH": str(HOOK), RECORD: str(tmp_path / "r.jsonl")}
    command = [sys.executable, "-W", "error", str(PROGRAM), client, "off", json.dumps(scenarios)]
    started = [
        subprocess.Popen(command, env=each, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for each in (bare, recorded)
    ]
    without, with_hook = ((process.communicate(timeout=100), process.returncode) for process in started)

    assert with_hook == without
    held = read_recording(tmp_path / "r.jsonl")
    assert [note["text"] for note in held.notes] == []
    assert len({span.id for span in held.spans if span.name == "tcp.connect"}) >= len(BEHAVED)
    # The kernel is looked at once a second: of what it saw last nobody saw the end.
    assert [span.name for span in held.spans if span.end is None and span.name != "net.connection"] == []
