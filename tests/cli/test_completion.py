"""Completion as a shell asks for it."""

import json
import subprocess
import sys

import pytest

HEAVY = {"crewai", "openai", "httpx", "dns", "asyncio"}  # rich and pydantic are Typer's own affair
PROGRAM = """
import json, sys
sys.argv = ["crewdoctor", *{arguments!r}]
from crewdoctor.__main__ import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def ran(arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(arguments=arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **environment},
    )
    code, modules = json.loads(done.stderr)
    return done.stdout, code, modules


def offered(line):
    words = line.split(" ")
    told, code, modules = ran(
        [], COMP_WORDS=line.rstrip(), COMP_CWORD=str(len(words) - 1), _CREWDOCTOR_COMPLETE="complete_bash"
    )
    assert code == 0
    assert HEAVY.isdisjoint(module.partition(".")[0] for module in modules)
    return told.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("crewdoctor diag", ["diagnose"]),
        ("crewdoctor diagnose --fail", ["--fail-on"]),
        ("crewdoctor diagnose --fail-on ", ["error", "warning", "never"]),
        ("crewdoctor analyse --format m", ["markdown"]),
        ("crewdoctor diagnose --llm e", ["embedded"]),
        ("crewdoctor explain cd301", ["cd301"]),
        ("crewdoctor diagnose --select CD304", ["CD304"]),
    ],
)
def test_bash_is_offered(line, expected):
    assert offered(line) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_shown_and_nothing_is_written(shell, tmp_path):
    shown = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    told, code, _ = ran(["--show-completion", shell], **shown)

    assert code == 0
    assert f"_CREWDOCTOR_COMPLETE=complete_{shell}" in told
    assert list(tmp_path.iterdir()) == []
