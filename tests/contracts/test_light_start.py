"""`--help` must not cost what a diagnosis costs."""

import json
import subprocess
import sys

import pytest

HEAVY = {"crewai", "openai", "httpx", "dns", "rich", "pydantic", "asyncio"}
LISTING = """
import json, sys
sys.argv = ["crewdoctor", {argument!r}]
from crewdoctor.__main__ import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(argument):
    ran = subprocess.run(
        [sys.executable, "-c", LISTING.format(argument=argument)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    code, modules = json.loads(ran.stderr)
    assert code == 0
    assert ran.stdout
    assert HEAVY.isdisjoint(module.partition(".")[0] for module in modules)
    assert "typer" in modules
