"""Law 10 for every client of the matrix: with and without taps the same results, exceptions, texts and open sockets.

Two processes per client and one round of calls in each, all at once: a server that answers, called from four places;
one that is silent, one that stops half-way, one that hangs up, one that refuses, one nobody trusts.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
CLIENTS = sorted(path.stem for path in (FIXTURES / "clients").glob("*.py"))
HOWS = ("here", "to_thread", "pool", "thread")
SECONDS = {"mcp_stdio": 20.0}
"""The timeout of clients that start their own server; it is there when its interpreter is."""
USUAL = 1.2
OFTEN = ("silent", "half", "close", "refused", "untrusted")
WAIT = 0.3
WITHIN = 60.0
AT_ONCE = 2

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    sys.path.insert(0, str(FIXTURES))
    try:
        from lab.servers import Lab

        held = Lab(str(tmp_path_factory.mktemp("clients")), WAIT)
        yield held
        held.close()
    finally:
        sys.path.remove(str(FIXTURES))


LAZY = {"anthropic", "openai", "openai_async"}
"""Build their types at the first answer: two threads that do so at once fail, with taps or without (openai 2.54.0)."""


@pytest.fixture(scope="module")
def runs(request, lab):
    """The two runs of every client that is asked for, under way from the start."""
    made = {}

    def target(protocol, behaviour):
        key = protocol, behaviour
        if key not in made:
            made[key] = lab.target(protocol, behaviour, secure=protocol != "mcp")
        return made[key]

    from matrix_clients import header

    asked = {}
    wanted = {item.callspec.params["client"] for item in request.session.items if item.module is request.module}
    for client in sorted(wanted):
        _, protocol, _ = header(FIXTURES / "clients" / f"{client}.py")
        hows = HOWS if protocol != "mcp_stdio" else HOWS[:2]
        calls = {f"ok {how}": {"how": how, "target": target(protocol, "ok")} for how in hows}
        behaviours = {"wait": (), "dns": ("silent",), "mcp": ("refused",), "mcp_stdio": ()}
        behaviours["postgres"] = ("close", "refused", "untrusted")  # nothing would end its wait for the others
        behaviours["http"] = (*OFTEN, "head")
        for behaviour in behaviours.get(protocol, OFTEN):
            calls[behaviour] = {"how": "here", "target": target(protocol, behaviour)}
        if protocol == "wait":
            calls["late"] = {"how": "here", "target": {**target(protocol, "ok"), "wait": 2 * USUAL}}
        rounds = [calls]
        if client in LAZY:
            first = next(iter(calls))
            rounds = [{first: calls.pop(first)}, calls]
        asked[client] = rounds
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {client: pool.submit(both, lab, client, rounds) for client, rounds in asked.items()}


def both(lab, client, rounds):
    told = {}
    for taps in (False, True):
        asked = {"client": client, "taps": taps, "seconds": SECONDS.get(client, USUAL), "calls": rounds}
        done = subprocess.run(
            [sys.executable, str(FIXTURES / "client_program.py"), json.dumps(asked)],
            capture_output=True,
            text=True,
            timeout=WITHIN,
            env=lab.environment(),
            cwd=lab.folder,
            check=False,
        )
        assert done.returncode == 0, f"{client} {taps}: {done.stderr[-2000:]}"
        told[taps] = {**json.loads(done.stdout), "stderr": done.stderr}
    return told


@pytest.mark.parametrize("client", CLIENTS)
def test_the_same_is_noticed_with_and_without_taps(runs, client):
    told = runs[client].result()

    assert told[True]["noticed"] == told[False]["noticed"]
    assert told[True]["sockets"] == told[False]["sockets"]
    assert told[True]["stderr"] == told[False]["stderr"]
    assert [frame["text"] for frame in told[True]["frames"] if frame["k"] == "own"] == []
    assert told[True]["left"] == [] or client in MONITORED
    good = [each for name, each in told[False]["noticed"].items() if name.startswith("ok ")]
    assert all("result" in each for each in good), good


MONITORED = {"pymongo", "pymongo_async"}
"""Monitors of theirs go on after the call."""
PHASES = {"dns.lookup", "tcp.connect", "tls.handshake", "net.exchange"}
SEEN = {
    "grpc": {"http.request"},
    "grpc_async": {"http.request"},
    "dnspython": {"dns.lookup"},
    "mcp_http": {"mcp.call", "http.request", "dns.lookup", "tcp.connect", "net.exchange"},
    "mcp_stdio": {"mcp.call"},
}
"""What is seen of those that do not talk TLS over TCP through Python's own sockets."""
WAITS = {"asyncio_queue", "condition", "future", "lock", "queue", "sqlite", "subprocess"}
NETWORK = [client for client in CLIENTS if client not in WAITS]
UNVERIFIED = {"smtplib"}
"""Trusts anybody by default."""


@pytest.fixture(scope="module")
def recorded(runs):
    """Client → its spans, by the call they belong to."""
    from lab.cells import Run

    return lambda client: Run(runs[client].result()[True]["frames"])


@pytest.mark.parametrize("client", NETWORK)
def test_every_phase_is_seen_wherever_the_call_is_made(recorded, client):
    run = recorded(client)

    for subject in sorted(each for each in run.roots if each.startswith("tool:ok ")):
        names = {span["name"] for span in run.beneath(subject)}
        assert SEEN.get(client, PHASES) <= names, subject


@pytest.mark.parametrize("client", NETWORK)
def test_failures_are_told_for_what_they_are(recorded, client):
    run = recorded(client)
    expected = {"refused": ("tcp.refused",), "untrusted": ("tls.untrusted",)}
    expected["silent"] = ("timeout.", "dns.timeout")
    expected["close"] = ("tcp.",)

    for name, kinds in expected.items():
        if f"tool:{name}" not in run.roots or (client in UNVERIFIED and name == "untrusted"):
            continue
        told = [span["failure"]["kind"] for span in run.beneath(f"tool:{name}") if span.get("failure")]
        assert any(each.startswith(kinds) for each in told), (name, told)


@pytest.mark.parametrize("client", NETWORK)
def test_a_stall_in_the_headers_is_told_from_one_in_the_body(recorded, client):
    run = recorded(client)
    if "tool:head" not in run.roots:
        pytest.skip("no HTTP")

    for name, phase in (("silent", "wait"), ("head", "headers"), ("half", "body")):
        told = [span["attrs"]["phase"] for span in run.beneath(f"tool:{name}") if span["name"] == "http.request"]
        assert told == [phase], name


@pytest.mark.parametrize("client", NETWORK)
def test_the_timeout_in_force_is_read_at_the_call(recorded, client):
    from lab.cells import numbers

    run, seconds = recorded(client), {"psycopg": 2.0, "psycopg_async": 2.0, **SECONDS}.get(client, USUAL)
    told = [number for span in run.beneath("tool:ok here") for number, _ in numbers(span["attrs"].get("timeout"))]

    assert any(abs(number - seconds) < 0.02 for number in told), told


@pytest.mark.parametrize("client", [each for each in NETWORK if each not in MONITORED])
def test_no_span_outlives_its_call(recorded, client):
    run = recorded(client)

    # A connection the kernel alone sees ends with the look that misses it, a second later.
    assert [
        span["name"] for span in run.spans.values() if span["end"] is None and not span["attrs"].get("kernel")
    ] == []
