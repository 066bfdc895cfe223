"""put_under: after it, a kickoff talks to the embedded endpoint and to nobody else."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="module")
def seen():
    """What the program in embedded_program.py reported; `elsewhere` and `proxy` are servers nobody may reach."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, socket.create_server(("127.0.0.1", 0)) as proxy:
        addresses = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in (elsewhere, proxy)]
        done = subprocess.run(
            [sys.executable, HERE / "embedded_program.py", addresses[0] + "/v1", addresses[1]],
            cwd=ROOT,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": "/nonexistent",
                "PYTHONPATH": str(ROOT),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert "\n@@" in done.stdout, done.stderr[-4000:]
        yield json.loads(done.stdout.rpartition("\n@@")[2])


@pytest.mark.crewai
def test_no_connection_but_to_the_endpoint(seen):
    endpoint = seen["endpoint"].removeprefix("http://").removesuffix("/v1")
    assert seen["connects"] in (["lookup 127.0.0.1", endpoint], [endpoint], sorted([endpoint, "lookup 127.0.0.1"]))
    assert {status for _, status in seen["requests"]} == {200}


@pytest.mark.crewai
def test_the_crew_finishes_and_calls_its_tool_once(seen):
    assert len(seen["calls"]) == 1
    assert seen["raw"]


@pytest.mark.crewai
def test_every_model_is_named(seen):
    assert seen["subjects"] == [
        "crew/planning_llm",
        "crew/chat_llm",
        "agent:Searcher/llm",
        "agent:Writer/llm",
        "agent:Reader/llm",
        "task:1/guardrail_llm",
        "crew/memory",
    ]


@pytest.mark.crewai
def test_settings_are_kept_and_the_live_client_is_not(seen):
    assert seen["same_client"] is False
    assert (seen["timeout"], seen["retries"], seen["temperature"]) == (7, 1, 0.25)
    assert seen["class"] == "OpenAICompatibleCompletion"
    assert seen["reader"] == [9, True, "llama3"]
    assert seen["keys"] == ["crewdoctor-simulated"]
    assert seen["original"][1] == "sk-theirs"
