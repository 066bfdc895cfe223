"""`crewdoctor scale` as a user runs it: never more than it announced, the limit named, and nothing left by Ctrl-C."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [
    pytest.mark.crewai,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="process trees are read from /proc"),
]
CREW = '''
from concurrent.futures import ThreadPoolExecutor

import requests
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

@tool("read rows")
def read_rows(subject: str) -> str:
    """Read rows."""
    return requests.get("http://127.0.0.1:{port}/rows", timeout=60).text

@tool("send row")
def send_row(subject: str) -> str:
    """Send a row."""
    return requests.post("http://127.0.0.1:{port}/rows", timeout=60).text

model = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="sk-none")
worker = Agent(role="clerk", goal="g", backstory="b", tools=[read_rows, send_row], llm=model)
crew = Crew(agents=[worker], tasks=[Task(description="Read.", expected_output="A line.", agent=worker,
                                         output_file="written.md")])

def many():
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda each: crew.copy().kickoff(), range(20)))
'''


class Rows(BaseHTTPRequestHandler):
    """Counts what it is asked, and how much at once."""

    lock = threading.Lock()
    asked: list
    going = most = 0
    delay = 0.3

    def _answer(self):
        kind = type(self)
        with kind.lock:
            kind.asked.append(self.command)
            kind.going += 1
            kind.most = max(kind.most, kind.going)
        time.sleep(kind.delay)
        with kind.lock:
            kind.going -= 1
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass


@pytest.fixture
def scale(tmp_path):
    """Callable: arguments to a started `crewdoctor scale`; beside it the service and the folder."""
    rows = type("Seen", (Rows,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), rows)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "crew.py").write_text(CREW.replace("{port}", str(server.server_port)))
    kept = {name: held for name, held in os.environ.items() if not name.startswith(("OPENAI", "CREWDOCTOR"))}

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "crewdoctor", "scale", "crew.py", "--llm", "embedded", *arguments],
            cwd=tmp_path,
            env=kept | {"PYTHONPATH": str(ROOT), "SCALE_MARK": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - as above
        )

    start.rows, start.folder = rows, tmp_path
    yield start
    server.shutdown()
    server.server_close()


def marked(word):
    """Living processes whose environment carries `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and word.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def test_the_users_own_pool_is_found_and_nothing_beyond_what_was_announced_is_done(scale):
    report = scale.folder / "report.json"
    run = scale("--model-latency", "500ms", "--max-concurrency", "4", "-o", str(report), "--format", "rich")
    shown, told = run.communicate(timeout=200)
    held = json.loads(report.read_text())
    announced = int(re.search(rb"up to (\d+) times, at most 4 at once", told)[1])
    first = held["findings"][0]

    assert (first["code"], first["location"]["line"]) == ("CD602", 25)
    assert "has 2 threads" in first["message"]
    assert [each["n"] for each in held["load"]["levels"]] == [1, 2, 4]
    assert sum(each["kickoffs"] for each in held["load"]["levels"]) == announced == scale.rows.asked.count("GET")
    assert scale.rows.most <= 2
    assert "POST" not in scale.rows.asked
    assert not (scale.folder / "written.md").exists()
    assert "Many kickoffs at once, by threads, as crew.py:25 does" in shown.decode()
    assert run.returncode == 0


def test_ctrl_c_ends_it_within_two_seconds_and_leaves_nothing(scale):
    scale.rows.delay = 3.0
    recording = scale.folder / "recording.jsonl"
    run = scale("--model-latency", "100ms", "--style", "async-each", "--recording", str(recording))
    until = time.monotonic() + 120
    while time.monotonic() < until and scale.rows.going < 2:
        time.sleep(0.05)
    assert scale.rows.going >= 2, run.communicate()
    began = time.monotonic()
    os.kill(run.pid, signal.SIGINT)
    while set(marked(str(scale.folder))) - {run.pid, os.getpid()} and time.monotonic() - began < 10:
        time.sleep(0.02)
    took = time.monotonic() - began
    shown, _ = run.communicate(timeout=60)

    assert took < 2.0
    assert set(marked(str(scale.folder))) <= {os.getpid()}
    assert run.returncode == 130
    assert b"Many kickoffs at once" in shown
    asked = len(scale.rows.asked)
    time.sleep(1.0)
    assert len(scale.rows.asked) == asked
