"""Who says what a setting is, from what was noted while the object was built."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from crewdoctor.worker.construction import Built, Constructions
from crewdoctor.worker.provenance import Sources


class Agent:
    role, max_iter = "R", 7


def sources(tmp_path, text, *, config=(), keywords=("max_iter",), **more):
    file = tmp_path / "crew.py"
    file.write_text(text)
    agent = Agent()
    built = Built("Agent", [(str(file), len(text.splitlines()), "f")] if text else [], keywords, config)
    return agent, Sources(Constructions({id(agent): built}), root=tmp_path, **more)


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_name_is_followed_to_its_line(tmp_path):
    agent, held = sources(tmp_path, "TURNS = 7\nx = Agent(max_iter=TURNS)\n")

    found = held.of(agent, "max_iter")

    assert found.where == "crew.py:1"
    assert found.location is not None
    assert found.location.source == "TURNS = 7"


def test_what_cannot_be_followed_says_so(tmp_path):
    agent, held = sources(tmp_path, "from x import settings\nx = Agent(max_iter=settings.turns)\n")

    assert held.of(agent, "max_iter").where == "crew.py:2, settings.turns cannot be followed"


def test_a_variable_is_named_where_it_is_set_and_where_it_is_not(tmp_path, monkeypatch):
    agent, held = sources(tmp_path, 'import os\nx = Agent(max_iter=int(os.getenv("HOUSE_TURNS", "7")))\n')
    assert held.of(agent, "max_iter").where == "crew.py:2, for want of env HOUSE_TURNS"

    monkeypatch.setenv("HOUSE_TURNS", "7")
    found = held.of(agent, "max_iter")
    assert (found.origin, found.where) == ("environment", "env HOUSE_TURNS")

    held.dotenv = {"HOUSE_TURNS": 4}
    found = held.of(agent, "max_iter")
    assert (found.origin, found.where) == ("dotenv", ".env:4")


def test_a_keyword_that_wins_over_a_configuration_names_its_line(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "agents.yaml").write_text("worker:\n  role: R\n  max_iter: 3\n")
    agent, held = sources(tmp_path, "x = Agent(config=c, max_iter=7)\n", config=("role", "max_iter"))

    found = held.of(agent, "max_iter")

    assert (found.where, found.shadows) == ("crew.py:1", "config/agents.yaml:3")


def test_a_definition_in_json_has_the_line(tmp_path):
    (tmp_path / "crew.jsonc").write_text('{ // turns\n  "max_iter": 7\n}')
    agent, held = sources(tmp_path, "", definition=str(tmp_path / "crew.jsonc"))

    assert held.of(agent, "max_iter").where == "crew.jsonc:2"


def test_a_file_that_wins_over_the_environment_the_program_was_started_with_says_so(tmp_path):
    program = (
        "import os; os.environ['HOUSE_TURNS'] = '9'\n"
        "from crewdoctor.worker.provenance import Sources\n"
        "held = Sources(dotenv={'HOUSE_TURNS': 2, 'HOUSE_OTHER': 3})\n"
        "print(held.of_variable('HOUSE_TURNS').shadows, held.of_variable('HOUSE_OTHER').shadows, sep='|')\n"
    )
    given = {**os.environ, "HOUSE_TURNS": "7", "HOUSE_OTHER": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ("env HOUSE_TURNS|" if sys.platform == "linux" else "|")
