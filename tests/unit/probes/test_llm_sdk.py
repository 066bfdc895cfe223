"""llm.sdk against real endpoints: what it measures, when it stops, what it leaves in the recording."""

import contextlib
import gc
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest

from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving
from crewdoctor.endpoint.silent import silence
from crewdoctor.llm.sdks import raw_model
from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, TaskEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import CannotProbe
from crewdoctor.probes import llm_sdk
from crewdoctor.wire.frames import from_line
from crewdoctor.worker.recorder import Recorder

pytestmark = pytest.mark.lab

SUBJECT = "agent:analyst/llm"


def crew_on(base_url, *, stream=False, api="completions", **client):
    """What the probe asks of a loaded crew, on any server."""
    agent = SimpleNamespace(role="analyst", goal="know", backstory="b")
    task = SimpleNamespace(agent=agent, description="Study {topic}", expected_output="a report")
    live = SimpleNamespace(stream=stream, api=api, additional_params={})
    arguments = {"base_url": base_url, "api_key": "sk-planted-secret", **client}
    return SimpleNamespace(
        crew=SimpleNamespace(tasks=[task]),
        inputs={"topic": "tea"},
        agent=lambda _: agent,
        llm=lambda _: live,
        raw_call_arguments=lambda _: {"client": arguments, "create": {"model": "gpt-4o", "temperature": 0.1}},
    )


@pytest.fixture(autouse=True)
def calls_left_going():
    """Their servers are gone after a test: wait until the threads have noticed."""
    yield
    for thread in threading.enumerate():
        if thread.name == "crewdoctor-call":
            thread.join(5)
    gc.collect()


def step(**args):
    return Step(
        "llm.sdk@x",
        "llm.sdk",
        Layer.LLM,
        SUBJECT,
        "loaded",
        24.0,
        {"calls": 6, "chars": 2000, "agents": ["agent:analyst"], **args},
    )


def run(crew, seconds=20.0, **args):
    """Run the probe under a real recorder; spans by id (closed ones with `end`) and facts."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    recorder = Recorder()
    recorder.load = lambda: crew
    recorder.arm(
        writing, step="llm.sdk@x", number=1, zero=time.monotonic(), seconds=seconds, layer=Layer.LLM, subject=SUBJECT
    )
    try:
        llm_sdk.run(step(**args), recorder)
    finally:
        recorder.disarm()
    raw = b""
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(reading, 1 << 20):
            raw += piece
    os.close(reading)
    spans, facts = {}, {}
    for frame in filter(None, map(from_line, raw.splitlines())):
        if frame["k"] == "open":
            spans[frame["id"]] = {**frame, "closed": False}
        elif frame["k"] == "close":
            spans[frame["id"]].update(frame, closed=True, attrs={**spans[frame["id"]]["attrs"], **frame["attrs"]})
        elif frame["k"] == "fact":
            facts[frame["name"]] = frame["value"]
    return list(spans.values()), facts, raw


def test_a_healthy_model_is_sampled_cold_warm_and_streamed():
    with serving(EndpointOptions(first_token=0.05, inter_token=0.005)) as served:
        spans, facts, raw = run(crew_on(served.base_url))
        sizes = {each["stream"] for each in served.seen.entries}
    assert [span["attrs"]["kind"] for span in spans] == ["cold", "streamed", "warm", "warm", "streamed", "full"]
    assert facts["answered"] is True
    assert facts["hung"] is False
    assert len(facts["warm"]) == 2
    assert len(facts["first_token"]) == 3
    assert min(facts["first_token"]) >= 0.05
    assert facts["status"] == 200
    assert "attempts" not in facts
    assert sizes == {True, False}
    assert all(span["attrs"]["prompt_chars"] >= 1900 and span["attrs"]["layer_used"] == "raw" for span in spans)
    assert b"sk-planted-secret" not in raw
    assert b"Study tea" not in raw


def test_a_latency_above_the_users_timeout_is_seen_and_the_attempts_are_counted():
    with serving(EndpointOptions(first_token=0.7)) as served:
        spans, facts, _ = run(crew_on(served.base_url, timeout=0.4, max_retries=1))
        assert facts["cold"] >= 0.7
        assert facts["attempts"] == 2
        assert [each["attempt"] for each in served.seen.entries][-2:] == [0, 1]
    last = spans[-1]
    assert last["attrs"]["kind"] == "configured"
    assert last["attrs"]["attempts"] == 2
    assert last["failure"]["kind"] == "timeout.read"
    assert spans[0]["attrs"]["timeout"] == {"timeout": 0.4}


def test_a_model_that_never_answers_is_called_once_and_left_going():
    with silence() as server:
        began = time.monotonic()
        spans, facts, _ = run(crew_on(f"http://127.0.0.1:{server.port}/v1"), seconds=2.0)
        assert time.monotonic() - began < 2.0
        assert len(server.heard) == 1
    assert (facts["hung"], facts["answered"], facts["timeout"]) == (True, False, {"timeout": 600.0})
    assert len(spans) == 1
    assert spans[0]["failure"]["kind"] == "deadline"


def test_an_error_stops_the_samples_and_the_users_retries_are_counted():
    with serving(EndpointOptions(faults={"500": 1.0})) as served:
        spans, facts, _ = run(crew_on(served.base_url, max_retries=2))
        assert len(served.seen.entries) == 4
    assert [span["attrs"]["kind"] for span in spans] == ["cold", "configured"]
    assert (facts["answered"], facts["attempts"], facts["status"]) == (False, 3, 500)


def test_rate_limit_headers_are_kept():
    with serving(EndpointOptions(rate_limit=2)) as served:
        spans, _, _ = run(crew_on(served.base_url, max_retries=0))
    assert spans[0]["attrs"]["ratelimit"]["x-ratelimit-remaining-requests"] == "1"
    limited = next(span for span in spans if span["failure"])
    assert limited["failure"]["kind"] == "http.rate_limited"
    assert float(limited["attrs"]["retry_after"]) > 0


def test_a_stream_that_stalls_is_left_going_with_its_tokens_counted():
    with serving(EndpointOptions(stall_after=3)) as served:
        spans, facts, _ = run(crew_on(served.base_url), seconds=3.0)
    assert facts["hung"] is True
    assert spans[0]["failure"]["kind"] == "deadline"


def test_a_crew_that_streams_is_asked_in_streams_alone_and_its_stall_is_paid_once():
    with serving(EndpointOptions(stall_after=3)) as served:
        spans, facts, _ = run(crew_on(served.base_url, stream=True), seconds=3.0)
        assert [each["stream"] for each in served.seen.entries] == [True]
    assert (facts["hung"], facts["answered"], len(spans)) == (True, False, 1)


@contextlib.contextmanager
def answering(body, kind="application/json", status=200, headers=()):
    """A server that answers every POST with the same."""

    class Page(BaseHTTPRequestHandler):
        asked = 0

        def log_message(self, *_):
            pass

        def do_POST(self):
            Page.asked += 1
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in (("content-type", kind), ("content-length", str(len(body))), *headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", Page
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_in_place_of_a_completion_is_no_answer(stream):
    with answering(b"<html><body>Please log in</body></html>", "text/html") as (url, _):
        spans, facts, _ = run(crew_on(url, stream=stream, max_retries=0))
    assert facts["answered"] is False
    assert spans[0]["failure"]["kind"] == "protocol"
    assert spans[0]["failure"]["text"] == "200 with text/html"


def test_a_stream_without_an_event_is_no_answer():
    with answering(b"") as (url, _):
        spans, facts, _ = run(crew_on(url, stream=True, max_retries=0))
    assert facts["answered"] is False
    assert "no event of a stream" in spans[0]["failure"]["text"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "200 with application/json"),
        (b'{"id": "x", "choices": [', "200 with application/json"),
        (b'{"error": {"message": "backend offline"}}', "'message': 'backend offline'"),
    ],
    ids=["empty", "cut", "an error object"],
)
def test_an_answer_without_a_completion_is_no_answer(body, words):
    with answering(body) as (url, _):
        spans, facts, _ = run(crew_on(url, max_retries=0))
    assert facts["answered"] is False
    assert spans[0]["failure"]["kind"] == "protocol"
    assert words in spans[0]["failure"]["text"]


def test_what_the_provider_still_allows_is_left_to_the_crew():
    with serving(EndpointOptions(rate_limit=5)) as served:
        _, facts, _ = run(crew_on(served.base_url), reserve=4)
        assert len(served.seen.entries) == 2
    assert facts["rationed"] == 3
    assert "limited" not in facts


def test_at_the_limit_nothing_more_is_asked_and_the_wait_it_states_is_kept():
    with serving(EndpointOptions(rate_limit=1, retry_after=7)) as served:
        _, facts, _ = run(crew_on(served.base_url, max_retries=2))
        assert len(served.seen.entries) == 2
    assert facts["limited"] == 7.0
    assert "attempts" not in facts


def test_a_quota_that_is_used_up_is_no_limit_to_wait_out():
    body = b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'
    with answering(body, status=429) as (url, page):
        _, facts, _ = run(crew_on(url, max_retries=0))
        assert page.asked == 2
    assert "limited" not in facts


@pytest.mark.parametrize(("timeout", "cut"), [(0.4, True), (30.0, None)])
def test_a_timeout_below_every_answer_is_told_as_such(timeout, cut):
    with serving(EndpointOptions(first_token=0.7)) as served:
        _, facts, _ = run(crew_on(served.base_url, timeout=timeout, max_retries=0), calls=3)
    assert facts.get("cut_off") is cut


def test_the_responses_api_is_called_where_the_crew_calls_it():
    with serving() as served:
        _, facts, _ = run(crew_on(served.base_url, api="responses"))
        assert {each["path"] for each in served.seen.entries} == {"/v1/responses"}
    assert facts["answered"] is True
    assert facts["first_token"]


def test_no_key_is_a_reason_not_a_crash():
    crew = crew_on("http://127.0.0.1:9/v1")

    def no_key(_):
        raise ValueError("OPENAI_API_KEY is required")

    crew.raw_call_arguments = no_key
    with pytest.raises(CannotProbe, match="OPENAI_API_KEY is required"):
        run(crew)


def inventory(*llms):
    agent = AgentEntry("agent:analyst", "analyst", SUBJECT, prompt_chars=900)
    task = TaskEntry("task:1", "agent:analyst", prompt_chars=3000)
    return Inventory("t", "c", "/", "module", agents=(agent,), tasks=(task,), llms=llms)


def test_plan_calls_each_distinct_model_once_and_says_what_it_leaves_out():
    own = LlmEntry(SUBJECT, "gpt-4o", "openai", known=True, users=(SUBJECT, "agent:b/llm"), endpoint="host:h:443")
    same = LlmEntry("agent:b/llm", "gpt-4o", "openai", known=True)
    foreign = LlmEntry("agent:c/llm", "claude", "anthropic", known=False)
    planned = list(llm_sdk.plan(inventory(own, same, foreign), Options(llm="own"), ()))
    assert [type(each) for each in planned] == [Step, Skip, Skip]
    first = planned[0]
    assert (first.llm_calls, first.args["chars"], first.lane, first.args["agents"]) == (
        5,
        3900,
        "host:h:443",
        ["agent:analyst"],
    )
    assert first.tokens > 0
    assert "same model" in planned[1].reason
    assert "anthropic" in planned[2].reason


def test_a_model_without_an_sdk_of_its_own_is_left_to_the_full_crew():
    behind = LlmEntry(SUBJECT, "groq/llama", "litellm", known=True, attrs={"raw": False})
    (planned,) = llm_sdk.plan(inventory(behind), Options(llm="own"), ())
    assert isinstance(planned, Skip)
    assert "LiteLLM" in planned.reason
    assert isinstance(next(iter(llm_sdk.plan(inventory(behind), Options(llm="embedded"), ()))), Step)


def test_plan_on_the_embedded_model_costs_nothing():
    own = LlmEntry(SUBJECT, "gpt-4o", "openai", known=True)
    foreign = LlmEntry("agent:c/llm", "claude", "anthropic", known=False)
    planned = list(llm_sdk.plan(inventory(own, foreign), Options(llm="embedded"), ()))
    assert (planned[0].llm_calls, planned[0].tokens) == (0, 0)
    assert isinstance(planned[1], Skip)


@pytest.mark.parametrize(
    ("given", "connect"),
    [
        ({}, 5.0),
        ({"timeout": 2.0}, 2.0),
        ({"timeout": httpx.Timeout(9.0, connect=1.5)}, 1.5),
        ({"timeout": None}, 600.0),
    ],
)
def test_only_the_wait_for_an_answer_is_ours(given, connect):
    patient = raw_model(crew_on("http://127.0.0.1:9", **given), SUBJECT).patient(600.0)

    assert (patient.read, patient.connect) == (600.0, connect)
