"""Real crews of every shape finish on the embedded endpoint, each tool called once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SHAPES = [
    "native",
    "text",
    "blocked",
    "stream",
    "responses",
    "no tools",
    "pydantic",
    "pydantic without tools",
    "guardrail",
    "crew planning",
    "agent planning",
    "hierarchical",
    "delegation",
]
pytestmark = pytest.mark.crewai


@pytest.fixture(scope="module")
def said():
    done = subprocess.run(
        [sys.executable, HERE / "crews_program.py"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=115,
        check=False,
    )
    lines = [json.loads(line[2:]) for line in done.stdout.splitlines() if line.startswith("@@")]
    assert len(lines) == len(SHAPES), done.stderr[-4000:]
    return {each["name"]: each for each in lines}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_crew_finishes(said, shape):
    assert said[shape]["raw"]
    assert {status for _, status, _, _ in said[shape]["requests"]} == {200}


@pytest.mark.parametrize("shape", ["native", "text"])
def test_every_tool_is_called_once_with_arguments_its_schema_allows(said, shape):
    assert [call[0] for call in said[shape]["calls"]] == ["search", "write"]
    assert said[shape]["calls"][0][1] == "Study the price of tea"
    assert [tool for _, _, tool, _ in said[shape]["requests"]] == ["search_the_web", "write_file", ""]


@pytest.mark.parametrize("shape", ["stream", "responses", "pydantic", "guardrail", "crew planning", "agent planning"])
def test_the_one_tool_is_called_once(said, shape):
    assert [call[0] for call in said[shape]["calls"]] == ["search"]


def test_a_blocked_tool_is_not_called(said):
    assert [call[0] for call in said["blocked"]["calls"]] == ["search"]


@pytest.mark.parametrize("shape", ["pydantic", "pydantic without tools"])
def test_structured_output_is_valid(said, shape):
    assert set(said[shape]["pydantic"]) == {"title", "score", "tags"}


def test_streams_are_streamed_and_responses_go_to_responses(said):
    assert {stream for _, _, _, stream in said["stream"]["requests"]} == {True}
    assert {path for path, _, _, _ in said["responses"]["requests"]} == {"responses"}


def test_a_manager_delegates_to_a_coworker_who_exists(said):
    tools = [tool for _, _, tool, _ in said["hierarchical"]["requests"]]
    assert "delegate_work_to_coworker" in tools
    assert "search_the_web" in tools
