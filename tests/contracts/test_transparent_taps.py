"""Law 10: with and without taps the same program returns, raises and leaves open the same. One process per client."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

PROGRAM = Path(__file__).with_name("tap_program.py")
SYNCHRONOUS = ("requests", "urllib3", "urllib", "http_client", "httpx", "httpx_stream", "socket", "openai")
ASYNCHRONOUS = ("httpx_async", "httpx2_async", "aiohttp", "asyncio", "openai_async")
CLIENTS = SYNCHRONOUS + ASYNCHRONOUS
RAW = {"socket", "asyncio"}
AT_ONCE = 2
WITHIN = 100.0
"""Seconds one client may take; then it is ended and its stacks are shown."""

KINDS = {
    "404": "http.not_found",
    "429": "http.rate_limited",
    "500": "http.server_error",
    "refused": "tcp.refused",
    "silent": "timeout.read",
    "reset": "tcp.reset",
    "close": "tcp.closed",
    "stall": "timeout.read",
    "untrusted": "tls.untrusted",
    "unresolved": "dns.",
}
EXCEPTIONS = {
    # asyncio.wait_for knows only that its own time is over.
    ("asyncio", "silent"): "timeout.total",
    ("asyncio", "stall"): "timeout.total",
}


@pytest.fixture(scope="module")
def runs(behaving, behaving_tls, untrusted_tls, authority, tmp_path_factory):
    """Every client's run to be, all under way at once: they spend their time waiting, those that retry most of it."""
    bundle = tmp_path_factory.mktemp("taps") / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    behaved = ("ok", "404", "429", "500", "silent", "reset", "close", "stall")
    scenarios = {
        **{name: f"http://localhost:{behaving.port}/{name}" for name in behaved},
        # Nobody listens on port 1; a port that was closed just now may be given to somebody else meanwhile.
        "refused": "http://localhost:1/ok",
        "trusted": f"https://localhost:{behaving_tls.port}/ok",
        "untrusted": f"https://localhost:{untrusted_tls.port}/ok",
        "unresolved": "http://nothing-here.invalid:8080/ok",
    }
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment.update(SSL_CERT_FILE=str(bundle), REQUESTS_CA_BUNDLE=str(bundle))
    longest_first = sorted(CLIENTS, key=lambda client: not client.startswith("openai"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {client: pool.submit(ran, client, scenarios, environment) for client in longest_first}


def ran(client, scenarios, environment):
    """What one client noticed without and with taps, and the frames they wrote."""
    started = {
        taps: subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", "error", str(PROGRAM), client, taps, json.dumps(scenarios)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for taps in ("off", "on")
    }
    outcome = {"client": client}
    late = threading.Timer(WITHIN, lambda: [each.send_signal(signal.SIGABRT) for each in started.values()])
    late.start()
    try:
        told = {taps: process.communicate() for taps, process in started.items()}
    finally:
        late.cancel()
    for taps, (printed, complaints) in told.items():
        assert started[taps].returncode == 0, f"{client} {taps}: {complaints}"
        outcome[taps] = {**json.loads(printed), "stderr": complaints}
    return outcome


@pytest.fixture(scope="module", params=CLIENTS)
def run(request, runs):
    return runs[request.param].result()


def test_same_results_exceptions_and_open_sockets(run):
    left = run["on"]["noticed"].pop("still in flight", None)
    assert run["on"]["noticed"] == run["off"]["noticed"]
    assert run["on"]["stderr"] == run["off"]["stderr"]
    assert left == []
    assert "result" in run["on"]["noticed"]["trusted"]


def test_failures_are_classified_alike_for_every_client(run):
    for name, kind in KINDS.items():
        if run["client"] in RAW and name in {"404", "429", "500", "close"}:
            continue  # raw bytes have no status
        if "result" in run["off"]["noticed"][name] and run["client"] in {"urllib3", "http_client", "httpx_stream"}:
            continue  # does not raise for this
        expected = EXCEPTIONS.get((run["client"], name), kind)
        assert run["off"]["noticed"][name].get("kind", "").startswith(expected), (name, run["off"]["noticed"][name])


def spans(run):
    """Scenario → its spans as dicts, from the frames."""
    frames = run["on"]["frames"]
    opened = {frame["id"]: {**frame, "end": None} for frame in frames if frame["k"] == "open"}
    for frame in frames:
        if frame["k"] == "close":
            span = opened[frame["id"]]
            span.update(end=frame["end"], failure=frame["failure"], attrs={**span["attrs"], **frame["attrs"]})
    scenario = {span["id"]: span["subject"].partition(":")[2] for span in opened.values()}
    held = {}
    for span in opened.values():
        held.setdefault(scenario[span["id"]], []).append(span)
    return held


def test_no_tap_disabled_itself(run):
    assert [frame["text"] for frame in run["on"]["frames"] if frame["k"] == "own"] == []


def test_every_phase_is_seen(run):
    held = spans(run)
    names = {name: {span["name"] for span in of} for name, of in held.items()}
    assert {"dns.lookup", "tcp.connect", "net.exchange"} <= names["ok"]
    assert "tls.handshake" in names["untrusted"]
    assert "dns.lookup" in names["unresolved"]
    assert {"tls.handshake", "net.exchange"} <= names["trusted"]
    if run["client"] not in RAW:
        assert all("http.request" in of for of in names.values())


def test_spans_end_with_what_happened(run):
    held = spans(run)
    for name, of in held.items():
        assert [span["name"] for span in of if span["end"] is None] == [], name

    def failures(scenario, span_name):
        return [span["failure"]["kind"] for span in held[scenario] if span["name"] == span_name and span["failure"]]

    assert "tcp.refused" in failures("refused", "tcp.connect")
    assert set(failures("untrusted", "tls.handshake")) == {"tls.untrusted"}
    assert set(failures("unresolved", "dns.lookup")) <= {"dns.failed", "dns.not_found"}
    if run["client"] in RAW:
        return
    for scenario in ("silent", "stall"):
        if (run["client"], scenario) != ("httpx_stream", "stall"):  # reads three bytes and goes away
            assert set(failures(scenario, "http.request")) == {"timeout.read"}
    assert set(failures("500", "http.request")) == {"http.server_error"}
    limited = next(span for span in held["429"] if span["name"] == "http.request")
    assert limited["attrs"]["status"] == 429
    assert limited["attrs"]["retry_after"] == 0.01
    assert limited["attrs"]["ratelimit"] == {"remaining-requests": "0"}
    assert limited["attrs"]["timeout"]["read"] == {"timeout": 0.6}


def test_handshakes_tell_issuer_and_trust(run):
    held = spans(run)
    (trusted,) = [span for span in held["trusted"] if span["name"] == "tls.handshake"][:1]
    assert trusted["attrs"]["host"] == "localhost"
    assert trusted["attrs"]["port"]
    assert trusted["attrs"]["version"].startswith("TLSv1")
    assert trusted["attrs"]["issuer"] in {"Nobody In Particular", "Testing CA #1"} or "CA" in trusted["attrs"]["issuer"]
    assert trusted["attrs"]["trust"] not in {"", "unknown", "not verified"}


def test_exchanges_count_plaintext_and_phase(run):
    held = spans(run)
    for scenario, phase in (("ok", "receive"), ("trusted", "receive"), ("silent", "wait"), ("stall", "receive")):
        exchange = next(span for span in held[scenario] if span["name"] == "net.exchange")
        assert exchange["attrs"]["phase"] == phase, scenario
        assert exchange["attrs"]["sent_bytes"] >= 20
        assert (exchange["attrs"]["first_byte"] is None) == (phase == "wait")
    plain, secret = (
        next(span for span in held[each] if span["name"] == "net.exchange")["attrs"]["received_bytes"]
        for each in ("ok", "trusted")
    )
    assert plain == secret  # TLS is counted in the clear, handshakes and tickets left out


def test_hosts_are_the_names_the_user_wrote(run):
    for span in spans(run)["ok"]:
        if "host" in span["attrs"]:
            assert span["attrs"]["host"] == "localhost"


def test_attempts_are_counted_on_the_wire(run):
    if not run["client"].startswith("openai"):
        assert not any(span["name"] == "retry.backoff" for of in spans(run).values() for span in of)
        return
    requests = [span for span in spans(run)["500"] if span["name"] == "http.request"]
    assert [span["attrs"]["attempt"] for span in requests] == [1, 2]
    assert {span["attrs"]["client"] for span in requests} == {"openai"}
    assert [span["name"] for span in spans(run)["500"]].count("retry.backoff") == 1
