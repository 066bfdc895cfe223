"""Web apps that kick off crews, as `crewdoctor run` and the hook record them: served, hanging, and told to stop."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from crewdoctor.model.recording import RECORD
from crewdoctor.supervisor.program import HOOK
from tests.e2e.test_run import BARE, CREW, QUIET, records, report, wait_for

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(300)]

APP = (
    CREW
    + """
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.routing import Route

def in_thread(request):
    return PlainTextResponse(str(crew().kickoff(inputs={"dish": "soup"})))

async def in_loop(request):
    return PlainTextResponse(str(await crew().kickoff_async(inputs={"dish": "soup"})))

app = Starlette(routes=[Route("/thread", in_thread), Route("/loop", in_loop)])
"""
)
FASTAPI = (
    CREW
    + """
from fastapi import FastAPI

app = FastAPI()

@app.get("/thread")
def in_thread():
    return str(crew().kickoff(inputs={"dish": "soup"}))

@app.get("/loop")
async def in_loop():
    return str(await crew().kickoff_async(inputs={"dish": "soup"}))
"""
)
LINE = next(number for number, text in enumerate(APP.splitlines(), 1) if "urlopen" in text)


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Served:
    """A server's process, under `run` or with the hook on its path."""

    def __init__(self, folder, command, port, *, hook=False, source=APP, **environment):
        (folder / "app.py").write_text(source)
        self.folder, self.port = folder, port
        root = str(Path(__file__).parents[2])
        before = [] if hook else [sys.executable, "-m", "crewdoctor", "run", "--recording", "rec.jsonl", "--"]
        path = {"PYTHONPATH": f"{HOOK}:."} if hook else {"PYTHONPATH": f"{root}:."}
        recorded = {RECORD: str(folder / "rec.jsonl")} if hook else {}
        self.process = subprocess.Popen(
            [*before, *command],
            cwd=folder,
            env={**BARE, **path, **QUIET, **recorded, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.2)
        raise AssertionError(self.stopped()[2])

    def ask(self, path, seconds=90):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=seconds) as answer:
            return answer.status, answer.read().decode()

    def stopped(self, number=signal.SIGTERM, seconds=60):
        """Send it, and wait; where it goes on, kill what goes on."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            for each in records(self.folder / "rec.jsonl"):
                if each["k"] == "begin":
                    with suppress(ProcessLookupError):
                        os.kill(each["pid"], signal.SIGKILL)
            out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def uvicorn(port):
    return [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--timeout-graceful-shutdown", "2"]


@pytest.mark.parametrize(
    ("hook", "source"),
    [
        pytest.param(False, APP, marks=pytest.mark.long),
        (True, APP),
        pytest.param(
            False,
            FASTAPI,
            marks=pytest.mark.skipif(not find_spec("fastapi"), reason="fastapi is not installed here"),
        ),
    ],
    ids=["run", "hook", "run fastapi"],
)
def test_an_app_that_serves_is_recorded_and_its_report_is_silent(tmp_path, model, healthy, hook, source):
    port = free_port()
    served = Served(tmp_path, uvicorn(port), port, hook=hook, source=source, MODEL_URL=model, TOOL_URL=healthy)
    answers = [served.ask("/thread"), served.ask("/loop")]
    code, _, err = served.stopped()

    assert [status for status, _ in answers] == [200, 200]
    assert code in {0, 143, -signal.SIGTERM}
    assert hook or "No mismatch found" in err
    told = report(tmp_path)
    assert told.findings == ()
    assert next(bar.subject for bar in told.waterfall if bar.name == "tool.call") == "tool:find_recipe"
    assert next(each["detail"] for each in told.environment["clocks"] if each["name"] == "kickoff") == "2 kickoffs"


@pytest.mark.parametrize("path", ["/thread", pytest.param("/loop", marks=pytest.mark.long)])
def test_a_request_that_hangs_is_told_when_the_app_is_told_to_stop(tmp_path, model, silent, path):
    port = free_port()
    served = Served(tmp_path, uvicorn(port), port, MODEL_URL=model, TOOL_URL=silent)

    def ask():
        with suppress(OSError):
            served.ask(path)

    threading.Thread(target=ask, daemon=True).start()
    wait_for(tmp_path / "rec.jsonl", '"name":"tool.call"', 90)
    time.sleep(12)
    _, _, err = served.stopped(seconds=20)

    first = report(tmp_path).findings[0]
    assert (first.code, first.subject) == ("CD304", "tool:find_recipe")
    assert (Path(first.location.file).name, first.location.line) == ("app.py", LINE)
    assert "CD304 tool_hangs" in err
