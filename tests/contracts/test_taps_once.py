"""A method has one tap: the second of two would never be called, and nobody would know."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

PROGRAM = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
from crewdoctor.worker.taps import tap
asked = []
around = tap._untapped
def noting(owner, name):
    found = around(owner, name)
    if found is None and getattr(owner, name, None) is not None:
        asked.append(f"{getattr(owner, '__module__', '')}.{getattr(owner, '__name__', owner)}.{name}")
    return found
tap._untapped = noting
from crewdoctor.worker import context, taps
from crewdoctor.worker.recorder import Recorder
recorder = Recorder()
context.install(recorder)
taps.install_all(recorder)
for name in ("asyncio ssl aiohttp anyio.streams.tls dns.resolver dns.asyncresolver google.genai grpc.aio httpx httpx2 "
             "mcp.client.session openai psycopg pymongo redis.asyncio requests smtplib sqlite3 uvloop "
             "websockets.asyncio.client websockets.sync.client").split():
    importlib.import_module(name)
print(json.dumps([asked, recorder.own_lines]))
"""
ROOT = Path(__file__).resolve().parents[2]


def test_no_two_taps_stand_around_the_same_method():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT)], capture_output=True, text=True, check=True, timeout=100
    )
    twice, own = json.loads(done.stdout.splitlines()[-1])

    assert twice == []
    assert own == []
