"""Networks in namespaces: each scenario is made and probed once per session, in a process of its own."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from crewdoctor.wire.recording import read_recording

INSIDE = Path(__file__).with_name("inside.py")
IN_NAMESPACE = ["unshare", "-rnm"]


@cache
def why_not():
    """Why no network namespace can be had here; empty when one can."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        return "network namespaces need Linux and unshare"
    tried = subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"unshare -rnm does not work here: {tried.stderr.strip()}"


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """Callable: the name of a scenario to its recording."""
    if why_not():
        if os.environ.get("CREWDOCTOR_CI") == "1":
            pytest.fail(why_not())
        pytest.skip(why_not())
    folder = tmp_path_factory.mktemp("networks")

    @cache
    def record(scenario):
        path = folder / f"{scenario}.jsonl"
        command = [*IN_NAMESPACE, sys.executable, str(INSIDE), scenario, str(path)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        return read_recording(path)

    return record
