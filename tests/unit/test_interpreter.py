import sys

import pytest

from crewdoctor.interpreter import find_interpreter
from crewdoctor.model.refusal import Refusal


@pytest.fixture
def away(tmp_path, monkeypatch):
    """A folder nobody's environment is near, and a Python of ours without crewai."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [])
    return tmp_path


def environment(folder, *, crewai=True, packages="lib/python3.12/site-packages"):
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    if crewai:
        (folder / packages / "crewai").mkdir(parents=True)
    return str(python)


def project(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_the_projects_own_environment(away, name):
    root = project(away / "house")
    python = environment(root / name)
    environment(away / "shell")
    assert find_interpreter("", root, {"VIRTUAL_ENV": str(away / "shell")}) == python


def test_one_without_crewai_gives_way_to_one_that_has_it(away):
    root = project(away / "house")
    environment(root / ".venv", crewai=False)
    python = environment(away / "shell")
    assert find_interpreter("", root, {"CONDA_PREFIX": str(away / "shell")}) == python


def test_the_folder_one_stands_in(away):
    python = environment(away / ".venv")
    assert find_interpreter("", project(away / "src"), {}) == python


def test_a_member_of_a_workspace_finds_the_environment_of_the_whole(away, monkeypatch):
    monkeypatch.chdir("/")
    python = environment(away / "space" / ".venv")
    (away / "space" / "uv.lock").touch()
    assert find_interpreter("", project(away / "space" / "packages" / "house"), {}) == python


def test_an_environment_above_the_repository_is_somebody_elses(away, monkeypatch):
    monkeypatch.chdir("/")
    environment(away / ".venv")
    project(away / "repository" / ".git")
    assert find_interpreter("", project(away / "repository" / "house"), {}) == sys.executable


def test_ours_where_crewai_lies_beside_us(away, monkeypatch):
    (away / "ours" / "crewai").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(away / "ours")])
    environment(away / "usr", packages="local/lib/python3.12/dist-packages")
    assert find_interpreter("", project(away / "house"), {"PATH": str(away / "usr" / "bin")}) == sys.executable


@pytest.mark.parametrize("packages", ["lib/python3.12/site-packages", "local/lib/python3.12/dist-packages"])
def test_the_python_of_the_shell_in_a_container(away, packages):
    python = environment(away / "usr", packages=packages)
    assert find_interpreter("", project(away / "house"), {"PATH": str(away / "usr" / "bin")}) == python


def test_without_crewai_anywhere_the_projects_own_is_asked_and_says_so(away):
    root = project(away / "house")
    python = environment(root / ".venv", crewai=False)
    assert find_interpreter("", root, {"PATH": ""}) == python
    assert find_interpreter("", project(away / "other"), {"PATH": ""}) == sys.executable


def test_python_names_an_executable_or_an_environment(away):
    python = environment(away / "there")
    assert find_interpreter(python, away, {}) == python
    assert find_interpreter(str(away / "there"), away, {}) == python
    assert find_interpreter("sh", away, {}).endswith("/sh")
    with pytest.raises(Refusal, match="not an interpreter"):
        find_interpreter(str(away / "nowhere"), away, {})
