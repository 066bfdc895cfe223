"""llm.sdk through the SDKs of other providers, against real endpoints: the same facts, whoever speaks."""

import sys
from pathlib import Path

import pytest
from azure.core.credentials import AzureKeyCredential
from google.genai import types

sys.path.insert(0, str(Path(__file__).parent))
from test_llm_sdk import calls_left_going, crew_on, run  # noqa: F401

from crewdoctor.endpoint.options import EndpointOptions
from crewdoctor.endpoint.server import serving
from crewdoctor.endpoint.silent import silence
from crewdoctor.llm.sdks import raw_model

pytestmark = pytest.mark.lab  # four real SDKs: a minute of imports and waits


def anthropic(base_url, *, stream=False, create=None, **client):
    root = base_url.removesuffix("/v1")
    held = {"base_url": root, "api_key": "sk-planted-secret", "timeout": None, **client}
    return "anthropic", held, {"model": "claude-any", "max_tokens": 64000, **(create or {})}


def gemini(base_url, *, stream=False, timeout=None, max_retries=0):
    options = {"base_url": base_url.removesuffix("/v1"), "timeout": int(timeout * 1000) if timeout else None}
    if max_retries:
        options["retry_options"] = types.HttpRetryOptions(attempts=max_retries + 1, initial_delay=0.1)
    client = {"vertexai": False, "api_key": "sk-planted-secret", "http_options": options}
    return "google.genai", client, {"model": "gemini-any", "temperature": 0.1}


def azure(base_url, *, stream=False, timeout=None, max_retries=0):
    client = {"endpoint": base_url.removesuffix("/v1"), "credential": AzureKeyCredential("sk-planted-secret")}
    client |= {"read_timeout": timeout} if timeout else {}
    client |= {"retry_total": max_retries, "retry_backoff_factor": 0.1}
    return "azure.ai.inference", client, {"model": "gpt-4o", "temperature": 0.1}


def bedrock(base_url, *, stream=False, timeout=None, max_retries=0):
    retries = {"total_max_attempts": max_retries + 1, "mode": "standard"}
    client = {
        "session": {
            "aws_access_key_id": "AK",
            "aws_secret_access_key": "sk-planted-secret",
            "region_name": "eu-west-1",
        },
        "config": {"read_timeout": timeout or 300, "connect_timeout": 60, "retries": retries},
        "endpoint_url": base_url.removesuffix("/v1"),
    }
    return "boto3", client, {"model": "anthropic.claude-any", "inferenceConfig": {"temperature": 0.1}}


SDKS = pytest.mark.parametrize(
    "sdk", [anthropic, azure, *(pytest.param(each, marks=pytest.mark.long) for each in (bedrock, gemini))]
)


def crew_of(sdk, base_url, *, stream=False, **client):
    """What the probe asks of a loaded crew whose model speaks through `sdk`."""
    name, arguments, create = sdk(base_url, stream=stream, **client)
    crew = crew_on(base_url, stream=stream)
    crew.raw_call_arguments = lambda _: {"sdk": name, "client": arguments, "create": create}
    return crew


@SDKS
def test_a_healthy_model_is_sampled_cold_warm_and_streamed(sdk):
    with serving(EndpointOptions(first_token=0.05, inter_token=0.005)) as served:
        spans, facts, raw = run(crew_of(sdk, served.base_url))
        streamed = {each["stream"] for each in served.seen.entries}
    assert [span["attrs"]["kind"] for span in spans] == ["cold", "streamed", "warm", "warm", "streamed", "full"]
    assert not [span["failure"] for span in spans if span["failure"]]
    assert (facts["answered"], facts["hung"], facts["status"]) == (True, False, 200)
    assert len(facts["first_token"]) == 3
    assert min(facts["first_token"]) >= 0.05
    assert streamed == {True, False}
    assert all(span["attrs"]["tokens"] for span in spans)
    assert b"sk-planted-secret" not in raw


@SDKS
def test_a_latency_above_the_users_timeout_is_seen_and_the_attempts_are_counted(sdk):
    with serving(EndpointOptions(first_token=0.7)) as served:
        spans, facts, _ = run(crew_of(sdk, served.base_url, timeout=0.4, max_retries=1))
        asked = len(served.seen.entries)
    assert facts["cold"] >= 0.7
    again = {anthropic: 1, bedrock: 1}.get(sdk, 0)  # the others repeat a status, and no silence
    assert (facts["attempts"], facts["cut_off"]) == (1 + again, True)
    assert asked == len(spans) + again
    assert spans[-1]["failure"]["kind"] == "timeout.read"


@SDKS
def test_a_model_that_never_answers_is_called_once_and_left_going(sdk):
    with silence() as server:
        spans, facts, _ = run(crew_of(sdk, f"http://127.0.0.1:{server.port}/v1"), seconds=2.0)
        assert len(server.heard) == 1
    assert (facts["hung"], facts["answered"]) == (True, False)
    assert spans[0]["failure"]["kind"] == "deadline"


@SDKS
def test_an_error_stops_the_samples_and_the_users_retries_are_counted(sdk):
    with serving(EndpointOptions(faults={"500": 1.0})) as served:
        spans, facts, _ = run(crew_of(sdk, served.base_url, max_retries=2))
    assert [span["attrs"]["kind"] for span in spans] == ["cold", "configured"]
    assert (facts["answered"], facts["attempts"], facts["status"]) == (False, 3, 500)


@SDKS
def test_a_rate_limit_is_told(sdk):
    with serving(EndpointOptions(rate_limit=1)) as served:
        spans, facts, _ = run(crew_of(sdk, served.base_url, max_retries=0))
    limited = next(span for span in spans if span["failure"])
    assert limited["failure"]["kind"] == "http.rate_limited"
    assert facts["limited"] > 0


@SDKS
def test_a_crew_that_streams_is_asked_in_streams_alone_and_its_stall_is_paid_once(sdk):
    with serving(EndpointOptions(stall_after=1)) as served:
        spans, facts, _ = run(crew_of(sdk, served.base_url, stream=True), seconds=3.0)
        assert [each["stream"] for each in served.seen.entries] == [True]
    assert (facts["hung"], facts["answered"], len(spans)) == (True, False, 1)


def test_a_thinking_anthropic_model_is_given_room_to_think():
    create = {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    crew = crew_of(anthropic, "http://127.0.0.1:9/v1", create=create)
    model = raw_model(crew, "x")
    assert model.limited(16) == {"max_tokens": 2064}
    assert model.limited(None) == {"max_tokens": 64000}
