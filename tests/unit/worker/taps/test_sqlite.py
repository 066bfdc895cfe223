"""sqlite3 behaves the same with and without its tap; a lock that is waited for is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("sqlite_program.py")


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
    assert runs["on"]["blocked"] == runs["off"]["blocked"] == "database is locked"
    assert runs["on"]["own"] == []


def test_a_lock_is_seen_while_it_is_waited_for(runs):
    assert ["lock", "a lock on the database book.db", {"timeout": 1.6}] in runs["on"]["stacks"]
