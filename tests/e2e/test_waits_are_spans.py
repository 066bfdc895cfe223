"""Retries, sleeps and queues of a crew are spans with owners, and bars of its waterfall."""

from __future__ import annotations

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.result import Status
from crewdoctor.probes import crew_kickoff
from crewdoctor.supervisor import Supervisor
from crewdoctor.timeline import timeline
from crewdoctor.wire.codec import decode
from crewdoctor.wire.recording import RecordingWriter, header, read_recording

pytestmark = [pytest.mark.crewai, pytest.mark.lab, pytest.mark.timeout(180)]

SLOW = 0.8
CREW = """
import asyncio, subprocess
from concurrent.futures import ThreadPoolExecutor
import aiohttp, httpx, requests
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

URL = "http://127.0.0.1:{port}/"
SESSION = requests.Session()
SESSION.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=1, pool_block=True))

def both(call):
    with ThreadPoolExecutor(2) as pool:
        return "".join(pool.map(call, range(2)))

@tool("of_urllib3")
def of_urllib3(subject: str) -> str:
    "Look up one thing over one connection."
    return both(lambda _: SESSION.get(URL, timeout=9).text)

@tool("of_httpx")
def of_httpx(subject: str) -> str:
    "Look up another thing over one connection."
    with httpx.Client(limits=httpx.Limits(max_connections=1), timeout=9) as client:
        return both(lambda _: client.get(URL).text)

@tool("of_aiohttp")
def of_aiohttp(subject: str) -> str:
    "Look up a third thing over one connection."
    async def ask(session):
        async with session.get(URL) as answer:
            return await answer.text()
    async def main():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
            return "".join(await asyncio.gather(ask(session), ask(session)))
    return asyncio.run(main())

@tool("of_threads")
def of_threads(subject: str) -> str:
    "Look up two things with one thread."
    with ThreadPoolExecutor(1) as pool:
        return "".join(pool.map(lambda _: requests.get(URL, timeout=9).text, range(2)))

@tool("of_children")
def of_children(subject: str) -> str:
    "Sleep a while."
    return str(subprocess.run(["sleep", "0.7"], timeout=30).returncode)

model = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:{model}/v1", api_key="sk-none", max_retries=1)
clerk = Agent(role="Clerk", goal="g", backstory="b", max_iter=20, llm=model,
              tools=[of_urllib3, of_httpx, of_aiohttp, of_threads, of_children])
crew = Crew(agents=[clerk], tasks=[Task(description="d", expected_output="e", agent=clerk)])
"""


class Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(SLOW)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def recording(tmp_path_factory, serve):
    """Of one kickoff whose model fails three times, so that its agent is run twice."""
    folder = tmp_path_factory.mktemp("waits")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    model = serve("provider", first_token=0.02, fail_first=3)
    (folder / "crew.py").write_text(CREW.format(port=server.server_port, model=model))
    writer = RecordingWriter(folder / "recording.jsonl")
    writer.write(header(Options()))
    try:
        with Supervisor(
            recording=writer,
            zero=time.monotonic(),
            crew_python=sys.executable,
            project_root=str(folder),
            environment=dict(os.environ),
        ) as supervisor:
            args = {"target": "crew.py", "project_root": str(folder), "inputs": {}, "llm": "own"}
            inventory = decode(Inventory, supervisor.inspect(args).facts["inventory"])
            (result,) = supervisor.run(list(crew_kickoff.plan(inventory, Options(llm="own"), ())))
            assert (result.status, result.facts["result"]) == (Status.OK, "completed"), result
    finally:
        writer.close()
        server.shutdown()
        server.server_close()
    return read_recording(folder / "recording.jsonl")


def of(recording, name, subject=None):
    return [span for span in recording.spans if span.name == name and subject in (None, span.subject)]


@pytest.mark.parametrize("client", ["urllib3", "httpx", "aiohttp"])
def test_waiting_for_a_connection_of_a_pool(recording, client):
    waits = of(recording, "pool.wait", f"tool:of_{client}")

    assert max(wait.seconds() for wait in waits) == pytest.approx(SLOW, abs=0.6)
    assert len([wait for wait in waits if wait.seconds() > SLOW / 2]) == 1


def test_waiting_for_a_thread_of_a_pool(recording):
    (wait,) = of(recording, "thread.wait", "tool:of_threads")

    assert wait.seconds() == pytest.approx(SLOW, abs=0.6)
    assert wait.attrs["workers"] == 1


def test_waiting_for_a_child(recording):
    (wait,) = of(recording, "process.wait", "tool:of_children")

    assert (wait.attrs["program"], wait.seconds() >= 0.6) == ("sleep", True)


def test_attempts_of_the_sdk_and_its_backoff_between_them(recording):
    first, second, *_ = of(recording, "llm.call")
    for call, statuses in ((first, [500, 500]), (second, [500, 200])):
        beneath = [span for span in recording.spans if span.parent == call.id]
        one, pause, two = sorted(beneath, key=lambda span: span.start)
        assert [each.name for each in (one, pause, two)] == ["http.request", "retry.backoff", "http.request"]
        assert [each.attrs["attempt"] for each in (one, two)] == [1, 2]
        assert [each.attrs["status"] for each in (one, two)] == statuses
        assert one.end <= pause.start <= pause.end <= two.start


def test_executions_of_an_agent_are_numbered(recording):
    runs = of(recording, "agent.execution", "agent:Clerk")

    assert [run.attrs["execution"] for run in runs] == [1, 2]
    assert [run.failure is None for run in runs] == [False, True]


def test_they_are_bars_of_the_waterfall(recording):
    bars = timeline(recording).bars
    told = {(bar.name, bar.detail) for bar in bars}

    assert {bar.kind for bar in bars} >= {"wait", "backoff", "llm", "tool"}
    assert ("thread.wait", "for one of 1 threads") in told
    assert ("pool.wait", "for a connection of 1") in told
    assert ("process.wait", "sleep") in told
    assert ("retry.backoff", "before retry 1") in told
    assert ("agent.execution", "execution 2") in told
