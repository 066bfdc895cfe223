"""`--help` must not cost what a diagnosis costs."""

import json
import subprocess
import sys
import tempfile

import pytest

from crewdoctor.cli.app import app

HEAVY = {"crewai", "openai", "httpx", "dns", "rich", "pydantic", "asyncio"}
OURS = HEAVY - {"pydantic"}
"""Typer itself, from 0.29 on, reads a command's parameters with pydantic."""
LISTING = """
import json, os, sys
{before}
from crewdoctor.__main__ import main
from crewdoctor.cli.app import run
for arguments in {cases!r}:
    sys.stdout.flush()
    if os.fork() == 0:
        sys.argv = ["crewdoctor", *arguments]
        try:
            main()
        except SystemExit as end:
            with open({file!r}, "a") as lines:
                lines.write(json.dumps([arguments, end.code, sorted(sys.modules)]) + "\\n")
        sys.stdout.flush()
        os._exit(0)
    os.wait()
"""
COMMANDS = sorted(
    str(command.name or command.callback.__name__.replace("_", "-")) for command in app.registered_commands
)
CASES = {
    "--help": 0,
    "--version": 0,
    **{f"{name} --help": 0 for name in COMMANDS},
    "explain CD301": 0,
    "rules": 0,
    "diagnose nowhere.py": 2,
}


def listed(cases, before=""):
    """What each command line loads, in a fork of one process that has loaded nothing but the command line itself."""
    with tempfile.NamedTemporaryFile("r") as lines:
        program = LISTING.format(cases=[case.split() for case in cases], before=before, file=lines.name)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=100)
        held = {" ".join(arguments): (code, modules) for arguments, code, modules in map(json.loads, lines)}
    return ran.stdout, {
        case: (code, {each.partition(".")[0] for each in modules}) for case, (code, modules) in held.items()
    }


@pytest.fixture(scope="module")
def loaded():
    said, held = listed(CASES)
    assert b"Usage: crewdoctor" in said
    return held


def test_there_are_commands_to_look_at():
    assert {"analyse", "demo", "diagnose", "explain", "preflight", "probe-llm", "rules"} <= set(COMMANDS)


@pytest.mark.parametrize("case", CASES)
def test_what_needs_no_diagnosis_loads_nothing_heavy(loaded, case):
    code, modules = loaded[case]

    assert code == CASES[case]
    assert (HEAVY if case in {"--help", "--version"} else OURS).isdisjoint(modules)
    assert {"typer", "crewdoctor"} <= modules


def test_the_listing_sees_what_is_loaded():
    """The others prove nothing unless a module that is loaded shows up."""
    _, held = listed(["--version"], before="import asyncio")

    assert "asyncio" in held["--version"][1]
