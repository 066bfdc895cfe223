"""The stall test over two dozen kinds of tools: right verdict, right line, and the real services hear nothing."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.options import Options
from crewdoctor.model.phase import STALLS
from crewdoctor.model.setting import Seconds
from crewdoctor.pipeline import diagnose
from crewdoctor.stalls import KERNEL, RESOLVER, stalls
from crewdoctor.wire.recording import read_recording

pytestmark = [pytest.mark.long, pytest.mark.lab, pytest.mark.crewai, pytest.mark.netns, pytest.mark.timeout(600)]

CREW = Path(__file__).with_name("stalling_crew.py")
NOBODY = 65534

# When nothing comes after the request: a number is when it gives up, or would.
AFTER_REQUEST = {
    **dict.fromkeys(
        (
            *("by_requests", "by_requests_here", "by_urllib", "by_urllib3", "by_http_client", "by_httpx_async"),
            *("by_socket", "by_smtplib", "by_genai", "by_psycopg", "by_redis"),
        ),
        "for ever",
    ),
    "by_requests_bounded": 2,
    "by_httpx": 5,
    "by_anthropic": 4.5,  # two attempts of 2 s
    "by_pymongo": 3,
    "by_grpc": 3,
    "by_aiohttp": Seconds(300),
    "by_openai": Seconds(600),
    "by_boto3": Seconds(60),
    "by_mcp": Seconds(300),
    "Search the internet with Serper": Seconds(10),
    "Read website content": Seconds(15),
    "by_nobody": "no network",
}
LITERAL_ADDRESS = {"by_requests_here", "by_psycopg", "by_redis"}
PLAIN = {"by_requests_here", "by_socket", "by_smtplib", "by_redis", "by_pymongo"}
LINES = {
    "by_requests": "return requests.get(",
    "by_httpx": "return httpx.get(",
    "by_urllib": "urllib.request.urlopen(",
    "by_aiohttp": "session.get(",
    "by_psycopg": "database.execute(",
    "by_redis": ".blpop(",
    "by_socket": "plain.recv(",
    "by_smtplib": "server.sendmail(",
    "by_boto3": "client.get_item(",
}


@contextmanager
def real_service():
    """A port somebody listens on, and whoever came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        met = []

        def serve():
            while True:
                try:
                    connection, peer = server.accept()
                except OSError:
                    return
                met.append(peer)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], met
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def real_postgres():
    """A PostgreSQL that logs who connects: its port and its log."""
    if not shutil.which("postgres") or not shutil.which("initdb"):
        pytest.skip("postgres is not installed")
    folder = Path(tempfile.mkdtemp())
    user = ["setpriv", f"--reuid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    if user:
        os.chown(folder, NOBODY, NOBODY)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = str(folder / "d")
    subprocess.run([*user, "initdb", "-D", place, "-A", "trust", "-U", "u"], check=True, capture_output=True)
    log = folder / "log"
    with log.open("w") as out:
        settings = ["-c", "log_connections=on", "-p", str(port), "-k", "", "-c", "listen_addresses=127.0.0.1"]
        server = subprocess.Popen([*user, "postgres", "-D", place, *settings], stdout=out, stderr=out)
    try:
        until = time.monotonic() + 20
        while "ready to accept" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.1)
        yield port, log
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """Stalls by tool and phase, what the real services heard, the report, and whether theirs is a log that hears."""
    import psycopg

    folder = tmp_path_factory.mktemp("stalling")
    with ExitStack() as held, pytest.MonkeyPatch.context() as patch:
        postgres, log = held.enter_context(real_postgres())
        redis, came_to_redis = held.enter_context(real_service())
        real, came = held.enter_context(real_service())
        for name, port in {"STALL_POSTGRES": postgres, "STALL_REDIS": redis, "STALL_REAL": real}.items():
            patch.setenv(name, str(port))
        for name in ("SERPER_API_KEY", "OPENAI_API_KEY"):
            patch.setenv(name, "none")
        path = folder / "recording.jsonl"
        options = Options(target=str(CREW), scope="settings", prove=True, deadline=900.0, llm="own")
        report = diagnose(options, recording_path=path)
        heard = log.read_text().count("connection received")
        psycopg.connect(f"postgresql://u@127.0.0.1:{postgres}/postgres").close()
        hears = log.read_text().count("connection received") > heard
        seen = stalls(Evidence(read_recording(path)))
        by = {(each.subject.partition(":")[2], each.phase.value): each for each in seen}
        yield {"by": by, "report": report, "met": [*came, *came_to_redis], "postgres": heard, "hears": hears}


def test_the_real_services_hear_nothing(tried):
    assert tried["met"] == []
    assert (tried["postgres"], tried["hears"]) == (0, True)


def test_every_tool_met_every_phase(tried):
    assert len(tried["by"]) == len(AFTER_REQUEST) * len(STALLS) + len(STALLS)  # websockets is judged below
    assert [(key, each.reason) for key, each in tried["by"].items() if each.outcome.value == "unknown"] == []


@pytest.mark.parametrize("name", AFTER_REQUEST)
def test_after_the_request(tried, name):
    wanted, got = AFTER_REQUEST[name], tried["by"][name, "request"]
    if isinstance(wanted, Seconds):
        assert (got.outcome.value, got.limit) == ("limited", wanted)
    elif isinstance(wanted, str):
        assert got.outcome.value == wanted
    else:
        assert got.outcome.value == "gave up"
        assert wanted - 0.1 <= got.seconds < wanted + 4
        assert got.seen


@pytest.mark.parametrize("name", LINES)
def test_the_line_is_the_users_own(tried, name):
    place = tried["by"][name, "request"].location
    assert place.file == str(CREW)
    assert LINES[name] in CREW.read_text().splitlines()[place.line - 1]


def test_attempts_are_counted(tried):
    assert tried["by"]["by_anthropic", "request"].requests == 2
    assert tried["by"]["by_requests_bounded", "request"].requests == 1


@pytest.mark.parametrize("name", sorted(AFTER_REQUEST.keys() - {"by_nobody"}))
def test_names_and_handshakes_are_met_by_those_who_have_them(tried, name):
    assert (tried["by"][name, "lookup"].outcome.value == "not met") == (name in LITERAL_ADDRESS)
    assert (tried["by"][name, "tls"].outcome.value == "not met") == (name in PLAIN)


def test_what_the_system_ends_is_not_for_ever(tried):
    assert tried["by"]["by_requests", "lookup"].limited_by == RESOLVER
    assert tried["by"]["by_requests", "connect"].limited_by == KERNEL


def test_the_finding_names_the_tools_that_wait_for_ever(tried):
    flat = [*tried["report"].findings, *(each for one in tried["report"].findings for each in one.explained)]
    accused = {each.subject.partition(":")[2] for each in flat if each.code == "CD301"}
    assert accused == {name for name, wanted in AFTER_REQUEST.items() if wanted == "for ever"}
