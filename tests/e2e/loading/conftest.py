"""Projects written to a folder and loaded, each in its own fork of one process that imported crewai."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from loading_cases.projects import Projects


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    return Projects(tmp_path_factory.mktemp("projects"))
