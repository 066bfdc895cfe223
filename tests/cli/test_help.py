"""What `--help` shows a newcomer at 80 columns."""

import re
import shlex
import subprocess
import sys

import pytest

from crewdoctor.cli.app import app

COMMANDS = [each.callback.__name__.replace("_", "-") for each in app.registered_commands]


def shown(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "crewdoctor", *arguments, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "80", "PATH": ""},
    )
    return done.stdout


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_it_fits_80_columns_and_ends_with_examples_whose_flags_exist(command):
    text = shown(*command.split())
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text.partition("Examples:")[0]))
    examples = [shlex.split(row) for row in text.partition("Examples:")[2].splitlines() if row.strip()]

    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"--\S+ <list\[", text)
    assert examples
    for example in examples:
        assert example[0] == "crewdoctor"
        assert example[1] == command if command else example[1] in COMMANDS
        own = example[2 : example.index("--")] if "--" in example else example[2:]  # behind it: the user's command
        assert {each for each in own if each.startswith("-")} <= options | {"--help"}
