"""The redirect: clients in use, unpatched, are led to a server of ours; nothing reaches a real one, by any way out."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
# A network with a way out: a link whose other end takes every packet, and counts it.
OUTSIDE = (
    "ip link set lo up; ip link add out0 type veth peer name out1;"
    "sysctl -qw net.ipv6.conf.out0.disable_ipv6=1; sysctl -qw net.ipv6.conf.out1.disable_ipv6=1;"
    "ip link set out1 up; ip link set out0 up; ip addr add 10.9.0.1/24 dev out0;"
    "ip route add default via 10.9.0.2 dev out0; ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev out0;"
    "echo nameserver 10.9.0.53 > {folder}/resolv.conf; mount --bind {folder}/resolv.conf /etc/resolv.conf;"
    "ip neigh add 10.9.0.53 lladdr 02:00:00:00:00:01 dev out0;"
    "exec {command}"
)


@contextmanager
def real_service():
    """Stands for the real thing on this machine: whoever connects is noted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        met = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                met.append(connection.recv(100))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal")
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], met
        server.shutdown(socket.SHUT_RDWR)


def told_by(mode, port, *, within=(), folder=None):
    command = [sys.executable, str(HERE / "redirect_program.py"), mode, str(port)]
    if within:
        command = [*within, "sh", "-ec", OUTSIDE.format(folder=folder, command=" ".join(command))]
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert "@@" in done.stdout, done.stderr[-3000:]
    told = json.loads(done.stdout.rpartition("@@")[2])
    if "refused" in told:
        pytest.skip(told["refused"])
    return told


@pytest.fixture(scope="module", params=["isolated", "led"])
def seen(request):
    with real_service() as (port, met):
        yield {**told_by(request.param, port), "met": met, "mode": request.param}


def test_every_client_is_led_with_real_names_and_verification_on(seen):
    wanted = ("urllib", "requests", "httpx", "address", "loopback", "v6", "aiohttp", "uvloop", "proxy")
    assert {name: seen["answers"][name].get("answer") for name in wanted} == dict.fromkeys(wanted, "{}")
    assert {"GET urllib.example.com", "POST httpx.example.com", "GET 203.0.113.9", "GET aiohttp.example.com"} <= set(
        seen["requests"]
    )
    assert seen["answers"]["context_made_before"]["answer"].startswith("TLS")


def test_a_connection_of_before_forbids_it(seen):
    assert "is open from before" in seen["before"]


def test_other_protocols_get_as_far_as_their_request(seen):
    requests = {each.split()[0] for each in seen["requests"]}
    assert {"BLPOP", "DATA"} <= requests
    assert "timed out" in seen["answers"]["smtplib"]["text"]
    assert 0.9 < seen["answers"]["redis"]["seconds"] < 4


def test_the_real_service_hears_nothing(seen):
    assert seen["met"] == []


def test_the_real_service_would_have_heard_it():
    with real_service() as (port, met):
        told = told_by("free", port)

    assert told["answers"]["loopback"]["answer"] == "real"
    assert met


def test_socket_files_and_what_goes_past_are_refused(seen):
    assert seen["answers"]["socket_file"]["error"] == "Outside"
    past = {"c_socket", "datagram"}
    if seen["mode"] == "isolated":  # its network leads what Python's ways do not
        assert seen["answers"]["c_socket"]["answer"] == "connected"
        assert seen["answers"]["child"]["answer"] == "{}"
        assert "GET child.example.com" in seen["requests"]
    else:
        assert {seen["answers"][name]["error"] for name in past} == {"Outside"}
        assert len(seen["outside"]) == 1 + len(past)


@pytest.mark.parametrize("phase", ["connect", "tls", "request", "body"])
def test_a_phase_is_silence_until_the_clients_own_timeout(seen, phase):
    for name, told in seen["phases"][phase].items():
        assert "error" in told, (name, told)
        assert 0.9 < told["seconds"] < 4, (name, told)


def test_an_answer_is_what_the_caller_wants(seen):
    assert seen["refused_with"] == [429, "7", "slow down"]


@pytest.fixture(scope="module")
def within():
    command = ["unshare", "-rnm"]
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("unshare -rnm does not work here")
    return command


@pytest.mark.netns
def test_no_packet_leaves_the_machine(within, tmp_path):
    counted = {mode: told_by(mode, 9, within=within, folder=tmp_path)["sent"] for mode in ("free", "led", "isolated")}

    assert counted["free"]["out0"] > 0, "the counter counts"
    assert counted["led"]["out0"] == 0
    assert counted["isolated"].keys() == {"lo"}, "there is no way out of it at all"
