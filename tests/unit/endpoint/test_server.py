"""The endpoint under the real openai SDK, sync and async."""

import asyncio
import json
import multiprocessing
import os
import signal
import time
import urllib.request

import httpx
import openai
import pytest
from pydantic import BaseModel

from crewdoctor.endpoint import server, silent
from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving
from crewdoctor.endpoint.silent import silence

HELLO = [{"role": "user", "content": "Say 'hello there'"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
}


@pytest.fixture
def endpoint():
    with serving() as served:
        yield served


@pytest.fixture
def client(endpoint):
    with openai.OpenAI(base_url=endpoint.base_url, api_key="k", max_retries=0, timeout=10) as held:
        yield held


def client_of(served, **arguments):
    return openai.OpenAI(**{"base_url": served.base_url, "api_key": "k", "max_retries": 0, "timeout": 5, **arguments})


def test_plain(client):
    raw = client.chat.completions.with_raw_response.create(model="any-model", messages=HELLO)
    answer = raw.parse()
    assert raw.headers["x-crewdoctor-simulated"] == "1"
    assert answer.choices[0].message.content == "hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "any-model"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_streamed_with_usage(client):
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="m", messages=HELLO, stream=True, stream_options=options))
    assert "".join(each.choices[0].delta.content or "" for each in chunks if each.choices) == "hello there"
    assert chunks[-1].usage.total_tokens > 0


def test_streamed_tool_call_can_be_put_together(client):
    with client.chat.completions.stream(model="m", messages=HELLO, tools=[TOOL]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls[0].function.name == "search"
    assert json.loads(message.tool_calls[0].function.arguments)["query"]


class Verdict(BaseModel):
    valid: bool
    tags: list[str]


def test_structured_output_parses(client):
    parsed = client.chat.completions.parse(model="m", messages=HELLO, response_format=Verdict).choices[0].message.parsed
    assert parsed.valid is True


def test_a_limit_cuts_a_text_and_says_so(client):
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], max_tokens=2)
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 2)


def test_responses_plain_streamed_and_counted(client):
    assert client.responses.create(model="m", input="Say 'hello'").output_text == "hello"
    with client.responses.stream(model="m", input="Say 'hello'") as stream:
        assert stream.get_final_response().output_text == "hello"
    assert client.responses.parse(model="m", input="x", text_format=Verdict).output_parsed.valid is True
    assert client.responses.input_tokens.count(model="m", input="x" * 400).input_tokens >= 100


def test_responses_tool_call_then_answer_by_previous_id(client):
    tool = {"type": "function", "name": "search", "parameters": TOOL["function"]["parameters"], "strict": False}
    first = client.responses.create(model="m", input="x", tools=[tool])
    assert (first.output[0].type, first.output[0].name) == ("function_call", "search")
    output = [{"type": "function_call_output", "call_id": first.output[0].call_id, "output": "found"}]
    last = client.responses.create(model="m", input=output, tools=[tool], previous_response_id=first.id)
    assert last.output_text


def test_embeddings_are_unit_vectors_of_the_text(client):
    vectors = [each.embedding for each in client.embeddings.create(model="e", input=["a", "b", "a"]).data]
    assert [len(each) for each in vectors] == [1536] * 3
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(each * each for each in vectors[0]) == pytest.approx(1, abs=1e-4)
    floats = client.embeddings.create(model="e", input="a", dimensions=8, encoding_format="float").data[0].embedding
    assert len(floats) == 8


def test_models(client):
    assert "gpt-4o" in {each.id for each in client.models.list()}
    assert client.models.retrieve("org/some-model").id == "org/some-model"


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings"])
@pytest.mark.parametrize("body", [b"not json", b"[]", b"{}"])
def test_a_bad_body_is_refused_as_a_provider_would(endpoint, path, body):
    answer = httpx.post(endpoint.base_url + path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_async_calls_run_side_by_side():
    async def ask(served):
        async with openai.AsyncOpenAI(base_url=served.base_url, api_key="k") as held:
            calls = (held.chat.completions.create(model="m", messages=HELLO) for _ in range(10))
            return await asyncio.gather(*calls)

    with serving(EndpointOptions(first_token=0.3)) as served:
        began = time.monotonic()
        answers = asyncio.run(ask(served))
    assert {each.choices[0].message.content for each in answers} == {"hello there"}
    assert time.monotonic() - began < 2.5


def test_the_log_tells_attempts_and_fates():
    with serving(EndpointOptions(faults={"503": 1.0})) as served, client_of(served, max_retries=1) as held:
        with pytest.raises(openai.InternalServerError):
            held.chat.completions.create(model="gpt-x", messages=HELLO)
        with urllib.request.urlopen(served.base_url.removesuffix("/v1") + "/_crewdoctor/log") as answer:
            seen = json.load(answer)["requests"]
    assert [(each["path"], each["attempt"], each["status"], each["fault"]) for each in seen] == [
        ("/v1/chat/completions", 0, 503, "503"),
        ("/v1/chat/completions", 1, 503, "503"),
    ]


def test_delays():
    with serving(EndpointOptions(first_token=0.3, inter_token=0.1)) as served, client_of(served) as held:
        began = time.monotonic()
        moments = [
            time.monotonic() - began for each in held.chat.completions.create(model="m", messages=HELLO, stream=True)
        ]
        assert moments[0] >= 0.3
        plain = time.monotonic()
        tokens = held.chat.completions.create(model="m", messages=HELLO).usage.completion_tokens
        assert time.monotonic() - plain >= 0.3 + 0.1 * (tokens - 1)
        assert tokens == 2


def test_stall_after_some_tokens():
    with serving(EndpointOptions(stall_after=1)) as served, client_of(served, timeout=0.5) as held:
        heard = []
        with pytest.raises((httpx.ReadTimeout, openai.APITimeoutError)):  # openai 3 wraps it in a stream as well
            heard.extend(each for each in held.chat.completions.create(model="m", messages=HELLO, stream=True))
        with pytest.raises(openai.APITimeoutError):
            held.chat.completions.create(model="m", messages=HELLO)


def test_rate_limit_names_the_wait_and_the_sdk_honours_it():
    with serving(EndpointOptions(rate_limit=1, rate_period=1.5)) as served, client_of(served, max_retries=1) as held:
        held.chat.completions.create(model="m", messages=HELLO)
        began = time.monotonic()
        raw = held.chat.completions.with_raw_response.create(model="m", messages=HELLO)
        waited = time.monotonic() - began
        assert [(each["status"], each["fault"]) for each in served.seen.entries] == [(200, ""), (429, "429"), (200, "")]
    assert waited >= 1.0
    assert raw.headers["x-ratelimit-limit-requests"] == "1"
    assert raw.headers["x-ratelimit-remaining-requests"] == "0"


def test_reset_is_a_reset():
    with serving(EndpointOptions(reset=1.0)) as served, client_of(served) as held:
        with pytest.raises(openai.APIConnectionError) as caught:
            held.chat.completions.create(model="m", messages=HELLO)
        causes, error = [], caught.value
        while error is not None:
            causes.append(type(error))
            error = error.__cause__ or error.__context__
        assert ConnectionResetError in causes


def test_never_answering():
    with serving(EndpointOptions(silent=1.0)) as served, client_of(served, timeout=0.4) as held:
        with pytest.raises(openai.APITimeoutError):
            held.chat.completions.create(model="m", messages=HELLO)
        assert [each["status"] for each in served.seen.entries] == [None]


def fates(seed):
    with serving(EndpointOptions(seed=seed, faults={"500": 0.3, "503": 0.2})) as served:
        return [httpx.post(served.base_url + "/embeddings", json={"input": "x"}).status_code for _ in range(20)]


def test_the_same_seed_gives_the_same_faults():
    first = fates(7)
    assert fates(7) == first
    assert len(set(first)) > 1
    assert fates(8) != first


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"first_tokn": 1}, "no option 'first_tokn'"),
        ({"reset": 2}, "reset: a probability"),
        ({"faults": {"500": -1}}, "500: "),
    ],
)
def test_bad_options_are_named(args, message):
    with pytest.raises(ValueError, match=message):
        EndpointOptions.read(args)


def test_options_survive_json():
    args = {"blocked_tools": ["a"], "models": ["m"], "faults": {"500": 0.5}, "stall_after": 3}
    options = EndpointOptions.read(json.loads(json.dumps(args)))
    assert (options.blocked_tools, options.models, options.stall_after) == (("a",), ("m",), 3)


def test_a_taken_port_is_an_error_not_a_hang(endpoint):
    port = int(endpoint.base_url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match="in use"):
        server.run({"port": port}, print)


@pytest.mark.parametrize("entry", [server.run, silent.run])
def test_run_says_its_port_and_ends_on_sigterm(entry):
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=entry, args=({}, theirs.send))
    process.start()
    try:
        assert ours.poll(20)
        port = ours.recv()
        if entry is server.run:
            assert httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 200
        os.kill(process.pid, signal.SIGTERM)
        process.join(5)
        assert process.exitcode is not None
    finally:
        process.kill()
        process.join()
        for each in (ours, theirs, process):
            each.close()


def test_closing_does_not_wait_for_a_silent_call():
    began = time.monotonic()
    with serving(EndpointOptions(silent=1.0)) as served, pytest.raises(httpx.ReadTimeout):
        httpx.post(served.base_url + "/embeddings", json={"input": "x"}, timeout=0.3)
    assert time.monotonic() - began < 4


def test_silence_hears_and_never_speaks():
    with silence() as heard:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"http://127.0.0.1:{heard.port}/x", timeout=0.3)
        assert bytes(heard.heard[0].data).startswith(b"GET /x ")


def test_silence_in_the_middle_of_a_body():
    opening = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    with silence(opening) as heard, httpx.stream("GET", f"http://127.0.0.1:{heard.port}/x", timeout=0.3) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            answer.read()


def test_answers_on_one_connection_are_not_held_back(client):
    took = []
    for _ in range(12):
        began = time.monotonic()
        client.chat.completions.create(model="m", messages=HELLO)
        took.append(time.monotonic() - began)
    assert min(took[1:]) < 0.03  # an answer that Nagle holds back waits for a delayed acknowledgement: 40 ms, each
