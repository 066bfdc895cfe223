"""A model built again: its class and arguments, another client, and only the numbers of its timeouts changed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.crewai


@pytest.fixture(scope="module")
def seen():
    kept = {name: os.environ[name] for name in ("PYTHONPYCACHEPREFIX",) if name in os.environ}
    done = subprocess.run(
        [sys.executable, HERE / "rebuilding_program.py"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(HERE.parents[2]), **kept},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "\n@@" in done.stdout, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("\n@@")[2])


@pytest.mark.parametrize(
    ("name", "written", "before", "after"),
    [
        ("timeout", {"timeout": 30.0}, 30.0, 1.0),
        ("text", {"timeout": 30.0}, 30.0, 1.0),
        ("short", {"timeout": 0.5}, 0.5, 0.5),
        ("phases", {"client_params.timeout": 20.0}, [4, 20, 20, None], [1, 1, 1, None]),
        ("endless", {}, None, None),
        ("anthropic", {"timeout": 60.0}, 60.0, 1.0),
        ("gemini", {"timeout": 30.0}, None, None),
        ("gemini options", {"client_params.http_options.timeout": 45.0}, 45_000, 1000),
        ("azure", {"timeout": 30.0}, 300, 300),
        ("azure responses", {"timeout": 30.0}, 30.0, 1.0),
        ("bedrock", {"timeout": 30.0}, 300, 300),
    ],
)
def test_only_the_timeouts_value_changes(seen, name, written, before, after):
    told = seen[name]

    assert told.get("written") == written, told
    assert (told["before"], told["after"]) == (before, after)
    assert told["class"]
    assert told["kept"]
    assert not told["shares"]


def test_a_model_that_says_nothing_is_built_as_it_was(seen):
    assert seen["bare"]["written"] == {}
    assert seen["bare"]["before"] == seen["bare"]["after"]


def test_what_cannot_be_built_again_is_told(seen):
    assert seen["early"]["why"] == "it was built before crewdoctor could note its arguments"
    assert seen["changed"]["why"] == "it was changed after it was built: timeout.connect"
