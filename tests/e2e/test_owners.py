"""Whose work every operation on the wire is: three agents side by side, four tools each, a port for every tool.

The tools ask in the ways users write: plainly, in a thread, in a pool of their own, in a coroutine, in a thread of one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.result import Status
from crewdoctor.probes import crew_kickoff
from crewdoctor.supervisor import Supervisor
from crewdoctor.wire.codec import decode
from crewdoctor.wire.recording import RecordingWriter, header, read_recording

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(180)]

WIRE = ("dns.lookup", "tcp.connect", "http.request", "net.exchange")
WAYS = {
    "plain": """
    return requests.get(f"http://localhost:{port}/", timeout=10).text
""",
    "thread": """
    found = []
    thread = threading.Thread(target=lambda: found.append(requests.get(f"http://localhost:{port}/", timeout=10).text))
    thread.start()
    thread.join()
    return found[0]
""",
    "pool": """
    with ThreadPool(2) as pool:
        pool.map(lambda each: requests.get(f"http://localhost:{port}/{each}", timeout=10).text, range(2))
    return POOL.submit(lambda: httpx.get(f"http://localhost:{port}/", timeout=10).text).result()
""",
    "coroutine": """
    async def ask():
        one = asyncio.to_thread(requests.get, f"http://localhost:{port}/", timeout=10)
        return "".join(map(str, await asyncio.gather(one, more())))
    async def more():
        async with httpx.AsyncClient(timeout=10) as client:
            return (await client.get(f"http://localhost:{port}/")).text
    return asyncio.run(ask())
""",
}
HEAD = """
import asyncio, threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
import httpx, requests
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

POOL = ThreadPoolExecutor(2)
model = LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="sk-none")
"""
TOOL = """
@tool("{name}")
def {name}(subject: str) -> str:
    \"\"\"Look up one thing with {name}.\"\"\"
    port = {port}{body}
"""
AGENT = """
agent{n} = Agent(role="Clerk {n}", goal="g", backstory="b", tools=[{tools}], max_iter=12, llm=model)
task{n} = Task(description="Use every tool {n}.", expected_output="A line.", agent=agent{n}, async_execution=True)
"""
TAIL = """
last = Agent(role="Editor", goal="g", backstory="b", llm=model)
total = Task(description="Sum up.", expected_output="A line.", agent=last, context=[task1, task2, task3])
crew = Crew(agents=[agent1, agent2, agent3, last], tasks=[task1, task2, task3, total])
"""


class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.2)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The recording of the kickoff, and port to (tool, agent, task)."""
    folder = tmp_path_factory.mktemp("owners")
    owners, servers, text = {}, [], HEAD
    for n in (1, 2, 3):
        names = [f"{way}_{n}" for way in WAYS]
        for name, body in zip(names, WAYS.values(), strict=True):
            servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Slow))
            threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
            port = servers[-1].server_port
            owners[port] = (f"tool:{name}", f"agent:Clerk {n}", f"task:{n}")
            text += TOOL.format(name=name, port=port, body=body)
        text += AGENT.format(n=n, tools=", ".join(names))
    (folder / "crew.py").write_text(text + TAIL)
    writer = RecordingWriter(folder / "recording.jsonl")
    writer.write(header(Options()))
    options = Options(llm="embedded")
    try:
        with Supervisor(
            recording=writer,
            zero=time.monotonic(),
            crew_python=sys.executable,
            project_root=str(folder),
            environment=dict(os.environ),
        ) as supervisor:
            args = {"target": "crew.py", "project_root": str(folder), "inputs": {}, "llm": "embedded"}
            inventory = decode(Inventory, supervisor.inspect(args).facts["inventory"])
            (step,) = crew_kickoff.plan(inventory, options, ())
            url = supervisor.start_endpoint({})
            (result,) = supervisor.run([replace(step, args={**step.args, "embedded_base_url": url})])
            assert (result.status, result.facts["result"]) == (Status.OK, "completed"), result
    finally:
        writer.close()
        for server in servers:
            server.shutdown()
            server.server_close()
    return read_recording(folder / "recording.jsonl"), owners


def chain(span, spans):
    """Name to subject of everything above a span."""
    found, here = {}, spans.get(span.parent or "")
    while here is not None:
        found[here.name] = here.subject
        here = spans.get(here.parent or "")
    return found


def test_every_operation_on_the_wire_has_the_right_owners(ran):
    recording, owners = ran
    spans = {span.id: span for span in recording.spans}
    wrong, seen = [], dict.fromkeys(owners, 0)
    for span in spans.values():
        if span.name in WIRE and span.attrs.get("port") in owners:
            seen[span.attrs["port"]] += 1
            tool, agent, task = owners[span.attrs["port"]]
            above = chain(span, spans)
            held = (above.get("tool.call"), above.get("agent.execution"), above.get("task.execution"))
            if held != (tool, agent, task) or span.subject != tool or "crew.kickoff" not in above:
                wrong.append((span, above))

    assert wrong == []
    assert all(count >= 4 for count in seen.values()), seen


def test_every_request_of_a_model_belongs_to_one_call_of_its_agent(ran):
    recording, owners = ran
    spans = {span.id: span for span in recording.spans}
    posts = [span for span in spans.values() if span.name == "http.request" and span.attrs.get("method") == "POST"]
    agents = set()
    for span in posts:
        call = spans[span.parent]
        above = chain(span, spans)
        assert call.name == "llm.call"
        assert call.attrs["call_id"]
        assert span.attrs["attempt"] == 1
        assert call.subject == f"{above['agent.execution']}/llm"
        agents.add(above["agent.execution"])

    assert agents == {agent for _, agent, _ in owners.values()} | {"agent:Editor"}


def test_agents_did_work_side_by_side(ran):
    recording, _ = ran
    runs = [span for span in recording.spans if span.name == "agent.execution" and "Clerk" in span.subject]

    assert len({span.subject for span in runs}) == 3
    assert max(span.start for span in runs) < min(span.end for span in runs)


def test_a_request_tells_its_thread_and_its_client_object(ran):
    recording, owners = ran
    requests = [span for span in recording.spans if span.name == "http.request"]
    clients = {}
    for span in requests:
        assert span.attrs["thread"]
        clients.setdefault(span.attrs["client_object"], set()).add(span.attrs.get("port") in owners)

    assert all(len(each) == 1 for each in clients.values())
    assert len(clients) > len(owners)
