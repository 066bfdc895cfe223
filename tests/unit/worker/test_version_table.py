"""The table of what left crewai, held against the crewai that is installed."""

import json
import re
import subprocess
import sys

import pytest

from crewdoctor.worker.version_table import FIELDS, IMPORTS, WHOLE

pytestmark = pytest.mark.crewai
ROWS = {**IMPORTS, **FIELDS, **WHOLE}
NEW_HOMES = sorted({found for row in ROWS.values() for found in re.findall(r"from (\S+) import (\w+)", row.instead)})


PROGRAM = """
import importlib, json, sys
def holds(module, name):
    try:
        held = importlib.import_module(module)
    except ImportError:
        return False
    return not name or hasattr(held, name)
names = json.load(sys.stdin)
sys.stdout = sys.stderr
answer = json.dumps([holds(*each) for each in names])
sys.__stdout__.write(answer)
"""


@pytest.fixture(scope="module")
def held():
    """Whether the installed crewai has a name, asked in a process of its own."""
    names = [*IMPORTS, *NEW_HOMES]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(names), capture_output=True, text=True, check=True
    )
    return dict(zip(names, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_what_the_table_calls_gone_is_gone(held, module, name):
    assert not held[module, name]


@pytest.mark.parametrize(("module", "name"), NEW_HOMES)
def test_what_it_offers_instead_is_there(held, module, name):
    assert held[module, name]


def test_versions_are_in_order():
    for row in ROWS.values():
        assert bool(row.last) == bool(row.gone)
        assert not row.last or [int(n) for n in row.last.split(".")] < [int(n) for n in row.gone.split(".")]
