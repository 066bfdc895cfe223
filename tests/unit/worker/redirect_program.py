"""A process that is led as the step of a stall test is, and what its clients then see. Prints one JSON object.

`python redirect_program.py isolated|led|free REAL_PORT`: in a network of its own, or by Python's own ways alone; `free`
is not led at all, which is what the others are compared with.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from crewdoctor.model.phase import Phase
from crewdoctor.model.probe import CannotProbe
from crewdoctor.worker import namespace, points

points.install()
mode, real = sys.argv[1], int(sys.argv[2])
if mode == "isolated":
    refused = namespace.enter()
    if refused:
        sys.stdout.write("@@" + json.dumps({"refused": refused}))
        sys.exit()

from crewdoctor.worker.redirect import redirect  # noqa: E402 - as in a step: the namespace first

SHORT = 1.0


def by_urllib(url="https://urllib.example.com/x"):
    return urllib.request.urlopen(url, timeout=SHORT).read().decode()


def by_requests():
    import requests

    return requests.get("https://requests.example.com/x", timeout=SHORT).text


def by_httpx():
    import httpx

    return httpx.post("https://httpx.example.com:8443/x", timeout=SHORT).text


def by_address():
    return by_urllib("https://203.0.113.9/x")


def by_loopback():
    return by_urllib(f"http://127.0.0.1:{real}/x")


def by_v6():
    return by_urllib("http://[2606:4700::1]:8123/x")


async def _aiohttp():
    import aiohttp

    limit = aiohttp.ClientTimeout(total=SHORT)
    async with aiohttp.ClientSession(timeout=limit) as session, session.get("https://aiohttp.example.com/x") as answer:
        return await answer.text()


def by_aiohttp():
    return asyncio.run(_aiohttp())


def by_proxy():
    through = urllib.request.ProxyHandler({"https": "http://proxy.example.com:3128"})
    secured = urllib.request.HTTPSHandler(context=BEFORE)
    return (
        urllib.request.build_opener(through, secured)
        .open("https://proxied.example.com/x", timeout=SHORT)
        .read()
        .decode()
    )


def by_uvloop():
    import uvloop

    return uvloop.run(_aiohttp())


def by_redis():
    import redis

    return redis.Redis(host="redis.example.com", socket_timeout=SHORT, retry=None).blpop("queue", 0)


def by_smtplib():
    import smtplib

    with smtplib.SMTP("mail.example.com", 587, timeout=SHORT) as server:
        return server.sendmail("a@example.com", "b@example.com", "hello")


def by_child():
    return subprocess.run(
        ["curl", "-sk", "--max-time", "1", "https://child.example.com/x"], capture_output=True, text=True, check=True
    ).stdout


def by_psycopg():
    import psycopg

    began = time.monotonic()
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect("postgresql://u:p@postgres.example.com/x", connect_timeout=2).close()
    return f"{time.monotonic() - began:.0f}"


def by_socket_file():
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect("/run/some.sock")


def by_context_made_before():
    with (
        socket.create_connection(("before.example.com", 443), SHORT) as plain,
        BEFORE.wrap_socket(plain, server_hostname="before.example.com") as tls,
    ):
        return tls.version()


def by_c_socket():
    import _socket

    bare = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM, 0)
    bare.settimeout(SHORT)
    bare.connect(("192.0.2.1", 80))
    return "connected"


def by_datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.sendto(b"x", ("192.0.2.53", 5353))


CLIENTS = {name.removeprefix("by_"): made for name, made in list(globals().items()) if name.startswith("by_")}
BEFORE = ssl.create_default_context()
IN_C = {"psycopg", "child"}
FREE = {"loopback", "address", "datagram"}


def tried(call):
    began = time.monotonic()
    try:
        return {"answer": call(), "seconds": time.monotonic() - began}
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error)[:200], "seconds": time.monotonic() - began}


def refused_for_a_connection_of_before():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        try:
            redirect()
        except CannotProbe as reason:
            return str(reason)
    return ""


def sent():
    """Packets each device has sent."""
    devices = [line.split() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    return {each[0].rstrip(":"): int(each[10]) for each in devices}


def refusal():
    """None: a connection begun while the phases change may be reset."""
    try:
        by_urllib()
    except urllib.error.HTTPError as error:
        return [error.code, error.headers["Retry-After"], error.read().decode()]
    except urllib.error.URLError:
        return None


def main():
    told = {"answers": {}, "phases": {}}
    if mode != "free":
        told["before"] = refused_for_a_connection_of_before()
    lead = None if mode == "free" else redirect((8443,))
    wanted = {"isolated": set(CLIENTS), "led": CLIENTS.keys() - IN_C, "free": FREE}[mode]
    for name in (each for each in CLIENTS if each in wanted):
        told["answers"][name] = tried(CLIENTS[name])
    if lead is not None:
        told["requests"] = [f"{each['method']} {each['host']}" for each in lead.heard("request")]
        for phase in (Phase.CONNECT, Phase.TLS, Phase.REQUEST, Phase.BODY):
            lead.play(phase)
            told["phases"][phase.value] = {name: tried(CLIENTS[name]) for name in ("urllib", "aiohttp")}
        lead.play(Phase.ANSWER, status=429, headers={"Retry-After": "7"}, body="slow down")
        told["refused_with"] = refusal() or refusal() or refusal()
        told.update(isolated=lead.isolated, outside=lead.outside)
    told["sent"] = sent()
    sys.stdout.write("@@" + json.dumps(told))


main()
