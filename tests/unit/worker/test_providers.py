"""Providers: what the live client of each SDK is read to do, and a crew of each on the embedded endpoint alone."""

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
pytestmark = pytest.mark.crewai
UNLIMITED = {"timeout": "unlimited"}


def seen(kind):
    """What the program reported; a failure is not tried again."""
    told = _seen(kind)
    assert isinstance(told, dict), told
    return told


@cache
def _seen(kind):
    """What the program in providers_program.py reported."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        done = subprocess.run(
            [sys.executable, HERE / "providers_program.py", kind, f"http://127.0.0.1:{proxy.getsockname()[1]}"],
            cwd=ROOT,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": "/nonexistent",
                "PYTHONPATH": str(ROOT),
                **{name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ},
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    return done.stderr[-4000:] if "\n@@" not in done.stdout else json.loads(done.stdout.rpartition("\n@@")[2])


PROVIDERS = ["anthropic", "azure", "bedrock", "gemini"]
CLASSES = {
    "anthropic": ["AnthropicCompletion"],
    "azure": ["AzureCompletion"],
    "bedrock": ["BedrockCompletion"],
    "gemini": ["GeminiCompletion"],
}
PATHS = {
    "bedrock": {
        f"/model/anthropic.claude-3-5-sonnet-20241022-v2:0/{method}"
        for method in ("converse", "converse-stream", "count-tokens")
    },
    "azure": {"/chat/completions", "/openai/v1/responses"},
    "anthropic": {"/v1/messages", "/v1/messages/count_tokens"},
    "gemini": {
        f"/v1beta/models/gemini-{name}:{method}"
        for name in ("2.5-flash", "2.0-flash", "2.5-pro")
        for method in ("generateContent", "streamGenerateContent", "countTokens")
    },
}


@pytest.mark.parametrize(
    "kind", [each if each == "anthropic" else pytest.param(each, marks=pytest.mark.long) for each in PROVIDERS]
)
def test_reading_the_settings_sends_nothing(kind):
    assert seen(kind)["described"] == []


@pytest.mark.parametrize("kind", PROVIDERS)
def test_an_embedded_crew_connects_to_the_endpoint_alone(kind):
    endpoint = seen(kind)["endpoint"].removeprefix("http://").removesuffix("/v1")
    assert set(seen(kind)["connects"]) - {"lookup 127.0.0.1"} == {endpoint}
    assert {status for _, status, _ in seen(kind)["requests"]} == {200}


@pytest.mark.parametrize("kind", PROVIDERS)
def test_an_embedded_crew_finishes_on_its_own_sdk_and_calls_its_tool_once(kind):
    assert len(seen(kind)["calls"]) == 1
    assert seen(kind)["raw"]
    assert seen(kind)["classes"] == CLASSES[kind]
    assert {path for path, _, _ in seen(kind)["requests"]} <= PATHS[kind]


@pytest.mark.parametrize("kind", PROVIDERS)
def test_no_key_is_seen(kind):
    shown = json.dumps([seen(kind)["settings"], seen(kind)["entries"]]).replace("theirs.openai.azure.com", "")
    assert "theirs" not in shown
    assert seen(kind)["entries"]["bare"]["usable_key"] is False
    assert seen(kind)["entries"]["written"]["usable_key"] is True


def test_anthropic_is_told_no_limit_unless_somebody_says_one():
    settings = seen("anthropic")["settings"]
    for phase in ("connect", "read", "write", "pool"):
        value, where, _ = settings["bare"][f"timeout.{phase}"]
        assert value == UNLIMITED
        assert where.startswith("crewai ")
        assert where.endswith("gives the anthropic SDK no timeout")
    assert settings["bare"]["max_retries"][0] == 2
    assert settings["written"]["timeout.read"][0] == {"timeout": 7.0}
    assert settings["written"]["timeout.read"][1].startswith("tests/unit/worker/providers_program.py:")
    assert settings["written"]["max_retries"][0] == 1
    assert settings["phases"]["timeout.read"][0] == {"timeout": 9.0}
    assert settings["bare"]["pool.max_connections"][0] == 1000
    assert settings["bare"]["base_url"][0] == "https://api.anthropic.com"


def test_anthropic_keeps_its_settings_under_the_embedded_endpoint():
    assert seen("anthropic")["kept"]["written"] == [7, False, None]
    assert seen("anthropic")["kept"]["streamed"] == [None, True, 0.25]


def test_gemini_drops_what_is_written_and_waits_for_ever():
    settings = seen("gemini")["settings"]
    for name in ("bare", "written", "streamed", "express"):
        assert settings[name]["timeout.read"][0] == UNLIMITED
    assert settings["written"]["dropped.timeout"][0] == 7.0
    assert settings["written"]["dropped.timeout"][1].startswith("tests/unit/worker/providers_program.py:")
    assert settings["written"]["dropped.max_retries"][0] == 1
    assert settings["written"]["max_retries"][0] == 0
    assert not [name for name in settings["bare"] if name.startswith("dropped.")]


def test_gemini_takes_milliseconds_in_http_options_and_loses_them_on_vertex_with_a_key():
    settings = seen("gemini")["settings"]
    assert settings["phases"]["timeout.read"][0] == {"timeout": 9.0}
    assert settings["phases"]["max_retries"][0] == 2
    assert settings["phases"]["max_retries.read"][0] == 0
    assert settings["express"]["dropped.timeout"][0] == 9.0
    assert seen("gemini")["entries"]["bare"]["attrs"]["base_url"] == "https://generativelanguage.googleapis.com/"


def test_azure_chat_keeps_its_own_limits_whatever_is_written():
    settings = seen("azure")["settings"]
    for name in ("bare", "written", "streamed"):
        assert settings[name]["timeout.read"][0] == {"timeout": 300.0}
        assert settings[name]["timeout.connect"][0] == {"timeout": 300.0}
        assert settings[name]["max_retries"][0] == 3
        assert settings[name]["max_retries.read"][0] == 0
    assert settings["written"]["dropped.timeout"][0] == 7
    assert settings["written"]["dropped.max_retries"][0] == 1
    assert not [name for name in settings["bare"] if name.startswith("dropped.")]
    assert seen("azure")["entries"]["written"]["endpoint"] == "host:theirs.openai.azure.com:443"


def test_azure_responses_honours_them():
    settings = seen("azure")["settings"]["responses"]
    assert settings["timeout.read"][0] == {"timeout": 9.0}
    assert settings["timeout.read"][1].startswith("tests/unit/worker/providers_program.py:")
    assert settings["max_retries"][0] == 1
    assert not [name for name in settings if name.startswith("dropped.")]
    assert settings["base_url"][0] == "https://theirs.openai.azure.com/openai/v1/"


def test_bedrock_keeps_crewais_own_limits_whatever_is_written():
    settings = seen("bedrock")["settings"]
    for name in ("bare", "written", "streamed"):
        assert settings[name]["timeout.read"][0] == {"timeout": 300.0}
        assert settings[name]["timeout.connect"][0] == {"timeout": 60.0}
        assert settings[name]["max_retries"][0] == 3
        assert settings[name]["pool.max_connections"][0] == 10
    assert settings["written"]["dropped.timeout"][0] == 7
    assert settings["written"]["dropped.max_retries"][0] == 1
    assert settings["written"]["base_url"][0] == "https://bedrock-runtime.eu-west-1.amazonaws.com"


def test_an_api_base_no_compatible_client_reads_is_told():
    settings = seen("compatible")["settings"]
    assert settings["bare"]["dropped.api_base"][0] == "http://far.invalid:11434"
    assert settings["bare"]["base_url"][0] == "http://localhost:11434/v1/"
    assert "dropped.api_base" not in settings["deepseek"]


def test_compatible_models_are_read_and_keep_their_classes_under_the_embedded_endpoint():
    settings, entries = seen("compatible")["settings"], seen("compatible")["entries"]
    assert settings["written"]["timeout.read"][0] == {"timeout": 7.0}
    assert settings["written"]["max_retries"][0] == 1
    assert settings["responses"]["timeout.read"][0] == {"timeout": 9.0}
    assert entries["responses"]["attrs"]["api"] == "responses"
    assert entries["snowflake"]["endpoint"] == "host:x.snowflakecomputing.com:443"
    assert {status for _, status, _ in seen("compatible")["requests"]} == {200}
    assert "SnowflakeCompletion" in seen("compatible")["classes"]
    endpoint = seen("compatible")["endpoint"].removeprefix("http://").removesuffix("/v1")
    assert set(seen("compatible")["connects"]) - {"lookup 127.0.0.1"} == {endpoint}


def test_litellm_tells_what_its_calls_are_given_and_is_unknown_else():
    pytest.importorskip("litellm")
    settings, entries = seen("litellm")["settings"], seen("litellm")["entries"]
    assert settings["bare"]["timeout.read"][0] == {"timeout": "unknown"}
    assert settings["written"]["timeout.read"][0] == {"timeout": 7.0}
    assert settings["written"]["max_retries"][0] == 1
    assert entries["written"]["endpoint"] == "host:api.groq.com:443"
    assert (entries["bare"]["usable_key"], entries["written"]["usable_key"]) == (False, True)
    assert seen("litellm")["classes"] == ["OpenAICompletion"]
