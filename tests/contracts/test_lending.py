"""crewdoctor is lent to the user's interpreter: exactly one package, and nothing of crewdoctor's own environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crewdoctor.model.layer import Layer
from crewdoctor.model.plan import Step
from crewdoctor.model.result import Status
from crewdoctor.supervisor import Supervisor
from crewdoctor.wire.recording import RecordingWriter

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "crewdoctor"
PROBES = Path(__file__).with_name("foreign_probes")
LOWEST = (3, 10)
LENT_ROOMS = ("model", "wire", "probes", "worker", "scan", "runtime", "net", "llm")
OURS = ("typer", "rich", "httpx", "openai", "starlette", "uvicorn", "dns", "pytest", "click")
"""What crewdoctor's own environment holds, and the user's need not."""


def others():
    """Interpreters of other versions on this machine, lowest first, by version."""
    found = {}
    names = [f"python3.{minor}" for minor in range(10, 16)]
    folders = [*Path("~/.pyenv/versions").expanduser().glob("3.1*/bin"), Path("/usr/bin"), Path("/usr/local/bin")]
    for candidate in (*(folder / name for folder in folders for name in names), *map(shutil.which, names)):
        if candidate and os.access(candidate, os.X_OK):
            text = "import json, sys; print(json.dumps(list(sys.version_info[:2])))"
            asked = subprocess.run([candidate, "-I", "-c", text], capture_output=True, text=True, check=False)
            if asked.returncode == 0:
                found.setdefault(tuple(json.loads(asked.stdout)), str(candidate))
    return dict(sorted((version, path) for version, path in found.items() if version >= LOWEST))


@pytest.fixture(scope="module")
def interpreters():
    return {tuple(sys.version_info[:2]): sys.executable} | others()


@pytest.fixture(scope="module")
def foreign(interpreters, tmp_path_factory):
    """The Python of a bare environment: no package but a stand-in that is called crewai."""
    strange = {version: path for version, path in interpreters.items() if version != tuple(sys.version_info[:2])}
    if not strange:
        pytest.skip("no Python of another version on this machine")
    folder = tmp_path_factory.mktemp("foreign") / ".venv"
    made = subprocess.run(
        [next(iter(strange.values())), "-m", "venv", "--without-pip", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no environment can be made: {made.stderr.decode()[-200:]}")
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "crewai").mkdir()
    (packages / "crewai" / "__init__.py").write_text("__version__ = '0.0.stand-in'\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def told(foreign, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    rooms = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in ("probes", "scan")
        for path in sorted((PACKAGE / room).glob("*.py"))
        if path.stem != "__init__"
    ]
    step = Step("lists@crew", "lists_modules", Layer.SETTINGS, "crew", "crew", 30.0, {"foreign": OURS, "also": rooms})
    with Supervisor(
        recording=RecordingWriter(None),
        zero=time.monotonic(),
        crew_python=str(foreign),
        project_root=str(folder),
        environment={name: held for name, held in os.environ.items() if not name.startswith("PYTHON")},
        probes=str(PROBES),
    ) as supervisor:
        (result,) = supervisor.run([step])
    assert result.status is Status.OK, result
    return result.facts


def test_a_crew_worker_in_a_foreign_environment_holds_nothing_of_ours_but_crewdoctor(told, foreign):
    prefix, base, version = told["python"]
    assert (prefix, version != list(sys.version_info[:2])) == (str(foreign.parents[1]), True)
    modules = dict(told["modules"])
    assert modules["crewai"].startswith(prefix)
    home = (prefix + os.sep, base + os.sep)
    strangers = {
        name: file
        for name, file in modules.items()
        if file and not file.startswith(home) and name.partition(".")[0] not in {"__main__", "lent_probes"}
    }

    assert len(strangers) > 30
    assert {name.partition(".")[0] for name in strangers} == {"crewdoctor"}
    assert all(Path(file).is_relative_to(PACKAGE) for file in strangers.values())


def test_it_can_not_even_see_what_else_our_environment_holds(told):
    assert told["seen"] == []
    assert not [entry for entry in told["path"] if "site-packages" in entry and ".venv" not in entry]
    assert str(ROOT) not in told["path"]
    assert str(PACKAGE / "worker") not in told["path"]


LEND_AND_IMPORT = """
import importlib, importlib.util, json, pkgutil, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("bootstrap", sys.argv[1] + "/worker/bootstrap.py")
bootstrap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bootstrap)
bootstrap.lend("crewdoctor", Path(sys.argv[1]))
count = 0
for room in sys.argv[2:]:
    package = importlib.import_module("crewdoctor." + room)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        count += 1
roots = {name.partition(".")[0] for name in sys.modules if not name.startswith("_sysconfigdata")}
roots -= set(sys.stdlib_module_names)
print(json.dumps([count, sorted(roots)]))
"""


def test_what_is_lent_imports_with_the_standard_library_alone_on_the_lowest_python(interpreters):
    version, python = min(interpreters.items())
    if version > LOWEST:
        pytest.skip(f"the lowest Python here is {version[0]}.{version[1]}, not {LOWEST[0]}.{LOWEST[1]}")
    ran = subprocess.run(
        [python, "-S", "-I", "-B", "-c", LEND_AND_IMPORT, str(PACKAGE), *LENT_ROOMS],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    count, roots = json.loads(ran.stdout)
    assert count > 100
    assert set(roots) <= {"__main__", "bootstrap", "crewdoctor"}


def test_the_server_of_experiments_needs_the_standard_library_alone(interpreters):
    version, python = min(interpreters.items())
    if version > LOWEST:
        pytest.skip(f"the lowest Python here is {version[0]}.{version[1]}, not {LOWEST[0]}.{LOWEST[1]}")
    program = (
        f"import json, sys; sys.path.append({str(PACKAGE.parent)!r}); import crewdoctor.endpoint.stage;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))))"
    )
    ran = subprocess.run([python, "-S", "-I", "-B", "-c", program], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert [name for name in json.loads(ran.stdout) if not name.startswith("_sysconfigdata")] == [
        "__main__",
        "crewdoctor",
    ]
