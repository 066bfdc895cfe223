"""The command itself, over the cases where more than the loader decides: places, exits, output, deadlines."""

import json
import subprocess
import sys

import pytest
from loading_cases import CASES
from loading_cases.projects import BARE, ROOT, Projects

pytestmark = [pytest.mark.crewai, pytest.mark.timeout(240)]


def dry_run(tmp_path, name, *more, files=None):
    """Standard output and exit code of `crewdoctor diagnose --dry-run`, started in the project's folder."""
    case = CASES[name]
    root = Projects(tmp_path).write("it", files or case.files)
    target = [case.target] if case.target else []
    command = [sys.executable, "-m", "crewdoctor", "diagnose", *target, "--dry-run", "--python", sys.executable, *more]
    environment = {**BARE, **case.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        cwd=root,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=200,
        check=False,
    )
    return done.stdout, done.returncode, done.stderr


def test_no_target_is_the_project_of_the_folder(tmp_path):
    out, code, _ = dry_run(tmp_path, "Places, no target in a crewai project")
    assert code == 0
    assert "src/house/main.py:run" in out


def test_a_flow_loads_before_the_fork(tmp_path):
    out, code, _ = dry_run(tmp_path, "Flows, its folder, as crewai run starts it")
    assert code == 0, out
    assert "run the whole crew" in out


@pytest.mark.parametrize(
    "name",
    [
        "Places, folder without a crew",
        "Shapes, two objects",
        "Obstacles, calls os._exit",
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in (
                "Obstacles, asks with input()",
                "Web apps and tasks, built inside a request",
                "Shapes, inputs nobody gives",
            )
        ),
    ],
)
def test_the_exit_code_is_that_of_the_table(tmp_path, name):
    out, code, err = dry_run(tmp_path, name)
    case = CASES[name]
    assert code == case.exit, out + err
    assert case.sentence in " ".join((out + err).split())


def test_what_a_target_prints_stays_out_of_the_report(tmp_path):
    out, code, _ = dry_run(tmp_path, "Obstacles, prints garbage")
    assert code == 0
    assert out.startswith("plan for")
    assert "\x1b" not in out


def test_an_import_that_hears_nothing_ends_with_the_deadline(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        text = f"import urllib.request\nurllib.request.urlopen('http://localhost:{port}/')\n"
        out, code, _ = dry_run(
            tmp_path,
            "Obstacles, connects, hears nothing",
            "--deadline",
            "12s",
            "--format",
            "json",
            files={"crew.py": text},
        )
    finding = json.loads(out)["findings"][0]
    assert code == 3
    assert f"still waits for localhost:{port} (crew.py:2)" in finding["message"]
