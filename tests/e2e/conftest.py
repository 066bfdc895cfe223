"""crewdoctor as a user starts it, and servers of the lab."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LAB = Path(__file__).parents[2] / "fixtures" / "lab"
BARE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("OPENAI", "CREWDOCTOR", "MODEL")) and not name.lower().endswith("_proxy")
}


@pytest.fixture(scope="module")
def serve():
    """Callable: a lab server with knobs to its port; all end with the module."""
    servers = []

    def start(kind, **knobs):
        command = [sys.executable, str(LAB / f"{kind}.py"), json.dumps(knobs)]
        servers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return int(servers[-1].stdout.readline())

    yield start
    for server in servers:
        server.stdin.close()
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture(scope="module")
def model(serve):
    """Base URL of a provider that answers."""
    return f"http://127.0.0.1:{serve('provider')}/v1"


@pytest.fixture(scope="module")
def healthy(serve):
    """URL of a service that answers."""
    return f"http://127.0.0.1:{serve('upstream')}/"


@pytest.fixture(scope="module")
def silent(serve):
    """URL of one that never does."""
    return f"http://127.0.0.1:{serve('upstream', silent=True)}/"


@pytest.fixture(scope="module")
def crewdoctor(tmp_path_factory):
    """Callable: arguments to (exit code, stdout, stderr) of a real process."""
    here = tmp_path_factory.mktemp("here")

    def run(*arguments, folder=None, seconds=100, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "crewdoctor", *map(str, arguments)],
            cwd=folder or here,
            env={**BARE, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run
