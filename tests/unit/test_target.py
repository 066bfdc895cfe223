import os
import sys
from pathlib import Path

import pytest

from crewdoctor.model.options import Options
from crewdoctor.model.refusal import Refusal
from crewdoctor.target import MINIMAL, NoProject, find_project

CREWAI = "[tool.crewai]\ntype = '{}'\n"
SCRIPT = "[project.scripts]\nrun_crew = 'house.main:run'\nkickoff = 'house.main:kickoff'\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes files, enters the folder, and says what a target there stands for."""

    def find(target, files, within="."):
        for path, text in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.chdir(tmp_path / within)
        found = find_project(Options(target=target, python=sys.executable))
        return found.target.replace(f"{tmp_path}{os.sep}", ""), Path(os.path.relpath(found.root, tmp_path)).as_posix()

    return find


FILES = {"pyproject.toml": CREWAI.format("crew") + SCRIPT, "src/house/main.py": "", "src/house/crew.py": ""}


@pytest.mark.parametrize(
    ("target", "within", "expected"),
    [
        (".", ".", "src/house/main.py:run"),
        ("", ".", "src/house/main.py:run"),
        ("", "src/house", "src/house/crew.py"),
        ("..", "src", "src/house/main.py:run"),
        ("src/house/crew.py", ".", "src/house/crew.py"),
        ("src/house/crew.py:House", ".", "src/house/crew.py:House"),
        ("src/house", ".", "src/house/crew.py"),
        (".:train", ".", "src/house/main.py:train"),
        ("house.crew:House", ".", "house.crew:House"),
        ("house.crew", ".", "house.crew"),
        ("crew:House", "src", "crew:House"),
    ],
)
def test_a_target_of_a_project(project, target, within, expected):
    assert project(target, FILES, within) == (expected, ".")


def test_without_a_target_a_folder_beneath_finds_the_crewai_project_around_it(project):
    found, root = project("", {**FILES, "docs/readme.md": ""}, "docs")
    assert (found, root) == ("src/house/main.py:run", ".")


def test_a_flow_project_starts_at_its_kickoff(project):
    assert project(".", {**FILES, "pyproject.toml": CREWAI.format("flow") + SCRIPT})[0] == "src/house/main.py:kickoff"


def test_scripts_of_poetry_count(project):
    text = "[tool.poetry.scripts]\nrun_crew = 'house.main:run'\n"
    assert project(".", {**FILES, "pyproject.toml": text})[0] == "src/house/main.py:run"


def test_a_definition_wins_over_a_script(project):
    files = {
        **FILES,
        "pyproject.toml": CREWAI.format("crew") + "definition = 'crew.jsonc'\n" + SCRIPT,
        "crew.jsonc": "{}",
    }
    assert project(".", files)[0] == "crew.jsonc"


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ("'/etc/passwd'", "inside"),
        ("'../crew.json'", "inside"),
        ("'~/crew.json'", "inside"),
        ("3", "must name"),
        ("''", "must name"),
        ("'gone.json'", "no such file"),
    ],
)
def test_a_definition_crewai_would_refuse_is_refused(project, definition, words):
    with pytest.raises(Refusal, match=words):
        project(".", {"pyproject.toml": f"[tool.crewai]\ntype = 'crew'\ndefinition = {definition}\n"})


def test_a_main_of_something_else_is_no_crew(project):
    with pytest.raises(NoProject):
        project(".", {"main.py": "print('hello')"})


def test_without_a_project_the_target_is_a_minimal_crew_and_a_wrong_name_is_refused(project):
    assert project("", {"readme.md": ""})[0] == str(MINIMAL)
    with pytest.raises(NoProject) as refused:
        project(".", {})
    assert refused.value.exit_code == 2
    with pytest.raises(Refusal) as wrong:
        project("crews.py", {})
    assert not isinstance(wrong.value, NoProject)


def test_loading_gets_half_of_a_short_deadline():
    options = Options(target=__file__, deadline=20.0, python=sys.executable)
    assert find_project(options).inspect_arguments(options)["deadline"] == 10.0


@pytest.mark.parametrize(
    ("options", "offline"),
    [({}, False), ({"llm": "own"}, False), ({"llm": "embedded"}, True), ({"scope": "settings"}, True)],
)
def test_what_makes_no_call_of_the_crews_own_models_is_loaded_offline(options, offline):
    held = Options(target=__file__, python=sys.executable, **options)
    assert find_project(held).inspect_arguments(held)["offline"] is offline


def test_a_file_that_is_not_there_names_the_project_around(project):
    files = {**FILES, "pyproject.toml": CREWAI.format("crew") + SCRIPT}

    with pytest.raises(Refusal, match=r"crew\.py: no such file; .* `crewdoctor diagnose \.`"):
        project("crew.py", files)
