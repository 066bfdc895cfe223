"""Who did what on the wire, in a real crew: every request has the tool or the model call it belongs to above it."""

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("crew_program.py")
pytestmark = [pytest.mark.crewai, pytest.mark.timeout(240)]


class Stub(BaseHTTPRequestHandler):
    """A model that calls every tool it is offered in one turn and then answers; anything else is a page."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        pass

    def do_GET(self):
        self.reply(b"a page", "text/plain")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = any(message["role"] == "tool" for message in body["messages"])
        offered = [] if asked else [each["function"]["name"] for each in body.get("tools") or ()]
        if body.get("stream"):
            self.stream()
            return
        message = {"role": "assistant", "content": None if offered else "Final: done, sk-secret-answer"}
        if offered:
            message["tool_calls"] = [
                {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": '{"query": "q"}'}}
                for name in offered
            ]
        choice = {"index": 0, "finish_reason": "tool_calls" if offered else "stop", "message": message}
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        answer = {"id": "c", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice]}
        self.reply(json.dumps({**answer, "usage": usage}).encode(), "application/json")

    def reply(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for piece in ("all ", "is ", "well"):
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "stub"}
            chunk["choices"] = [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()
            time.sleep(0.1)
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True


@pytest.fixture(scope="module", params=["sync", "async"])
def spans(request, tmp_path_factory):
    """Span id → span of one kickoff."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Stub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        place = f"http://127.0.0.1:{server.server_port}"
        written = tmp_path_factory.mktemp("crew") / "frames.json"
        command = [sys.executable, str(PROGRAM), f"{place}/v1", f"{place}/page", request.param, str(written)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
        server.shutdown()
    assert written.exists(), ended.stdout[-3000:] + ended.stderr[-3000:]
    outcome = json.loads(written.read_text())
    held = {}
    for frame in outcome["frames"]:
        assert frame["k"] != "own", frame["text"]
        if frame["k"] == "open":
            held[frame["id"]] = {**frame, "end": None}
        elif frame["k"] == "close":
            span = held[frame["id"]]
            span.update(end=frame["end"], failure=frame["failure"], attrs={**span["attrs"], **frame["attrs"]})
    assert outcome["left"] == []
    return held


def named(spans, name, **attrs):
    return [
        span
        for span in spans.values()
        if span["name"] == name and all(span["attrs"].get(key) == value for key, value in attrs.items())
    ]


def above(spans, span):
    chain = []
    while span["parent"]:
        span = spans[span["parent"]]
        chain.append(span)
    return chain


def test_the_scopes_nest_as_the_crew_does(spans):
    (crew,) = named(spans, "crew.kickoff")
    assert crew["subject"] == "crew:reporters"
    tasks = {span["subject"]: span for span in named(spans, "task.execution")}
    assert set(tasks) == {"task:find", "task:2"}
    for agent in named(spans, "agent.execution"):
        assert [span["name"] for span in above(spans, agent)] == ["task.execution", "crew.kickoff"]
    agents = {span["subject"]: span["attrs"]["task"] for span in named(spans, "agent.execution")}
    assert agents == {"agent:Finder of tea": "task:find", "agent:Writer": "task:2"}
    assert all(span["end"] is not None for span in spans.values()), [s for s in spans.values() if s["end"] is None]


def test_a_tool_has_its_requests_beneath_it(spans):
    page = [span for span in named(spans, "http.request", method="GET") if span["attrs"]["url"].endswith("/page")]
    owners = {}
    for request in page:
        call = next(span for span in above(spans, request) if span["name"] == "tool.call")
        owners[call["subject"]] = request["attrs"]["client"]
        assert [span["name"] for span in above(spans, call)] == ["agent.execution", "task.execution", "crew.kickoff"]
        assert request["subject"] == call["subject"]
    assert owners == {"tool:Fetch Prices": "requests", "tool:Fetch News": "httpx"}


def test_tools_ran_in_parallel_and_did_not_mix(spans):
    prices, news = (named(spans, "tool.call", tool=tool)[0] for tool in ("fetch_prices", "fetch_news"))
    assert prices["start"] < news["end"]
    assert news["start"] < prices["end"]
    assert prices["attrs"]["agent"] == "agent:Finder of tea"
    assert prices["attrs"]["task"] == "task:find"
    assert prices["attrs"]["output_chars"] == len("a page")


def test_a_failing_tool_is_classified_by_its_exception(spans):
    (broken,) = named(spans, "tool.call", tool="broken")
    assert broken["failure"]["kind"] == "tcp.refused"
    assert "127.0.0.1" in broken["attrs"]["error_text"]


def test_a_model_has_its_requests_beneath_it(spans):
    posts = named(spans, "http.request", method="POST")
    assert {span["attrs"]["client"] for span in posts} == {"openai"}
    for request in posts:
        call = above(spans, request)[0]
        assert call["name"] == "llm.call"
        assert call["subject"] in {"agent:Finder of tea/llm", "agent:Writer/llm"}
        assert call["attrs"]["attempts"] == 1
        assert call["attrs"]["prompt_chars"] > 10
    assert len(posts) == len(named(spans, "llm.call")) == 3


def test_a_stream_tells_its_first_token_and_its_longest_gap(spans):
    (streamed,) = named(spans, "llm.call", stream=True)
    assert streamed["attrs"]["first_token"] > 0
    assert 0.05 < streamed["attrs"]["gaps_max"] < 5


def test_nothing_of_prompts_and_answers_is_kept(spans):
    text = json.dumps(list(spans.values()))
    assert "sk-secret-answer" not in text
    assert '"query"' not in text
