"""A client of MCP notices nothing of its tap; each try is a span, and says whether a clock ended it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("mcp_program.py")


@pytest.fixture(scope="module")
def runs():
    found = {}
    for kind in ("off", "on"):
        ended = subprocess.run(
            [sys.executable, str(PROGRAM), kind], capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == 0, ended.stderr
        found[kind] = json.loads(ended.stdout.splitlines()[-1])
    return found


@pytest.mark.lab
def test_a_user_notices_nothing(runs):
    assert runs["on"]["noticed"] == runs["off"]["noticed"]
    assert [False, "three rows"] in runs["off"]["noticed"]
    assert runs["on"]["own"] == []


def test_each_try_is_a_span_that_says_what_ended_it(runs):
    assert runs["on"]["kinds"] == ["", "", "cancelled", "timeout.total"]
