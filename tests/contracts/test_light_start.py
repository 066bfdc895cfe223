"""`--help` must not cost what a diagnosis costs."""

import json
import subprocess
import sys

import pytest

from crewdoctor.cli.app import app

HEAVY = {"crewai", "openai", "httpx", "dns", "rich", "pydantic", "asyncio"}
OURS = HEAVY - {"pydantic"}
"""Typer itself, from 0.29 on, reads a command's parameters with pydantic."""
LISTING = """
import json, sys
sys.argv = ["crewdoctor", *{arguments!r}]
from crewdoctor.__main__ import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""
COMMANDS = sorted(
    str(command.name or command.callback.__name__.replace("_", "-")) for command in app.registered_commands
)


def loaded(arguments, code=0):
    ran = subprocess.run(
        [sys.executable, "-c", LISTING.format(arguments=arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *_, last = ran.stderr.splitlines()
    ended, modules = json.loads(last)
    assert ended == code
    return ran.stdout, {module.partition(".")[0] for module in modules}


def test_there_are_commands_to_look_at():
    assert {"analyse", "demo", "diagnose", "explain", "preflight", "probe-llm", "rules"} <= set(COMMANDS)


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(argument):
    said, modules = loaded([argument])

    assert said
    assert HEAVY.isdisjoint(modules)
    assert "typer" in modules


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_nothing_heavy(command):
    said, modules = loaded([command, "--help"])

    assert command in said
    assert OURS.isdisjoint(modules)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["explain", "CD301"], 0), (["rules"], 0), (["diagnose", "nowhere.py"], 2)], ids=str
)
def test_what_needs_no_diagnosis_loads_nothing_heavy_either(arguments, code):
    assert OURS.isdisjoint(loaded(arguments, code)[1])


def test_the_listing_sees_what_is_loaded():
    """The other tests prove nothing unless a module that is loaded shows up."""
    ran = subprocess.run(
        [sys.executable, "-c", "import asyncio\n" + LISTING.format(arguments=["--version"])],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert "asyncio" in json.loads(ran.stderr)[1]
