"""The tool, crew and agent probes on a live crew: one supervisor, one import of crewai, services on loopback."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status
from crewdoctor.probes import crew_kickoff, tool_isolated
from crewdoctor.supervisor import Supervisor
from crewdoctor.timeline import timeline
from crewdoctor.wire.codec import decode
from crewdoctor.wire.recording import RecordingWriter, header, read_recording

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(180)]

CREW = '''
import requests
from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

@tool("read rows")
def read_rows(subject: str) -> str:
    """Read rows."""
    return requests.get("{url}/rows", params={{"s": subject}}, timeout=10).text

@tool("add row")
def add_row(subject: str) -> str:
    """Add a row."""
    return requests.post("{url}/rows", json={{"s": subject}}, timeout=10).text

def stored(output):
    requests.post("{url}/stored", json={{"text": output.raw}}, timeout=10)
    return True, output.raw

worker = Agent(role="{{kind}} clerk", goal="g", backstory="b", tools=[read_rows, add_row], max_iter=8,
               llm=LLM(model="openai/gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="sk-none"))
report = Task(description="Read the rows of {{kind}}.", expected_output="A line.", agent=worker, human_input=True,
              output_file="written.md", guardrail=stored)
crew = Crew(agents=[worker], tasks=[report])
'''


class Rows(BaseHTTPRequestHandler):
    seen: list

    def _answer(self):
        type(self).seen.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """A supervisor that has loaded the crew: (run, inventory, folder, methods the service has seen, recording)."""
    folder = tmp_path_factory.mktemp("crew")
    handler = type("Seen", (Rows,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "crew.py").write_text(textwrap.dedent(CREW).format(url=f"http://127.0.0.1:{server.server_port}"))
    path = folder / "recording.jsonl"
    writer = RecordingWriter(path)
    writer.write(header(Options()))
    try:
        with Supervisor(
            recording=writer,
            zero=time.monotonic(),
            crew_python=sys.executable,
            project_root=str(folder),
            environment=dict(os.environ),
        ) as supervisor:
            held = supervisor.inspect(
                {"target": "crew.py", "project_root": str(folder), "inputs": {"kind": "grain"}, "llm": "embedded"}
            )
            url = supervisor.start_endpoint({})

            def run(*steps, embedded=True):
                extra = {"embedded_base_url": url} if embedded else {}
                return supervisor.run([replace(step, args={**step.args, **extra}) for step in steps])

            yield run, decode(Inventory, held.facts["inventory"]), folder, handler.seen, lambda: read_recording(path)
    finally:
        writer.close()
        server.shutdown()
        server.server_close()


OPTIONS = Options(llm="embedded", inputs={"kind": "grain"})


def test_a_tool_that_reads_is_measured_and_one_that_writes_is_stopped(crew):
    run, inventory, _, seen, _ = crew
    before = len(seen)
    results = {each.step.subject: each for each in run(*tool_isolated.plan(inventory, OPTIONS, ()), embedded=False)}
    reading, writing = results["tool:read rows"], results["tool:add row"]
    assert (reading.status, writing.status) == (Status.OK, Status.OK)
    assert len(reading.facts["n1"]) == 3
    assert len(reading.facts["n4"]) == 4
    assert reading.facts["guarded"] is True
    assert writing.facts["blocked"] is True
    assert "POST" in writing.facts["blocked_what"][0]
    assert set(seen[before:]) == {"GET"}


def test_a_tool_let_through_may_write(crew):
    run, inventory, _, seen, _ = crew
    options = replace(OPTIONS, allow_tools=("add row",))
    steps = [step for step in tool_isolated.plan(inventory, options, ()) if step.subject == "tool:add row"]
    (result,) = run(*(replace(step, id=f"{step.id}:allowed") for step in steps), embedded=False)
    assert "blocked" not in result.facts
    assert "POST" in seen


def test_the_whole_crew_runs_on_the_simulated_model_and_changes_nothing(crew):
    run, inventory, folder, seen, recording = crew
    before = len(seen)
    (result,) = run(*crew_kickoff.plan(inventory, OPTIONS, ()))
    assert (result.status, result.facts["result"]) == (Status.OK, "completed"), result
    assert set(seen[before:]) == {"GET"}
    assert {each.rpartition("/")[2] for each in result.facts["blocked"]} == {"rows", "stored"}
    assert not (folder / "written.md").exists()
    assert set(result.facts["left_out"]) == {"human input of 1 tasks", "output_file", "task outputs kept for replay"}
    assert result.facts["agents"][inventory.agents[0].subject]["runs"] == 1
    assert result.facts["tools"]["tool:read rows"]["calls"] == 1
    shown = timeline(recording())
    assert shown.finished
    assert sum(share.seconds for share in shown.shares) == pytest.approx(shown.total, abs=1e-6)
    assert {"crew", "task", "agent", "llm", "tool"} <= {bar.kind for bar in shown.bars}
    assert [bar.subject for bar in shown.bars if bar.kind == "crew"] == ["crew:crew"]


def test_calls_of_a_paid_model_end_at_the_cap(crew):
    run, inventory, _, _, recording = crew
    (step,) = crew_kickoff.plan(inventory, OPTIONS, ())
    capped = replace(step, id=f"{step.id}:capped", args={**step.args, "most_llm_calls": 1})
    (result,) = run(capped)
    assert result.facts["llm_calls"] == 1
    assert result.facts["llm_calls_capped"] == 1
    assert result.facts["result"] != "completed"
    calls = [span for span in recording().spans if span.step == capped.id and span.name == "http.request"]
    assert len([call for call in calls if call.attrs.get("method") == "POST"]) == 1


def test_an_agent_whose_tools_are_well_shows_nothing_alone(crew):
    run, inventory, _, _, _ = crew
    tools = ["tool:read rows", "tool:add row"]
    args = {"tools": tools, "alone": dict.fromkeys(tools, 0.1), "symptom": "", "may_write": [], "slack": 1.0}
    subject = inventory.agents[0].subject
    (result,) = run(Step(f"agent.bisect@{subject}", "agent.bisect", Layer.AGENT, subject, "loaded", 40.0, args))
    assert result.status is Status.OK, result
    assert result.facts["reproduced"] is False
    assert [each["tools"] for each in result.facts["rounds"]] == [[], tools]


def test_the_culprit_is_found_by_halving(crew):
    """The limit allows no second model call: with tools alone known to take nothing, every tool is too slow."""
    run, inventory, _, _, _ = crew
    tools = ["tool:read rows", "tool:add row"]
    args = {"tools": tools, "alone": {}, "symptom": "", "may_write": [], "slack": -30.0}
    subject = inventory.agents[0].subject
    (result,) = run(Step(f"agent.bisect@{subject}:2", "agent.bisect", Layer.AGENT, subject, "loaded", 40.0, args))
    assert result.facts["culprit"] == ["tool:read rows"]
