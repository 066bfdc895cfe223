"""A TCP connection to every address of an endpoint."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, CannotProbe, Probe
from crewdoctor.model.reach import clients_of, not_needed
from crewdoctor.model.result import StepResult
from crewdoctor.net.clients import proxy_choice
from crewdoctor.net.parallel import side_by_side

PROBE = Probe(id="net.tcp", layer=Layer.NETWORK, question="it accepts connections")

DEADLINE = 20.0
BYSTANDER_DEADLINE = 8.0
"""Telemetry: a look, no more."""
CONNECT_TIMEOUT = 4.0
FAST = 0.25
SAMPLES = 3


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per endpoint."""
    for endpoint in inventory.endpoints:
        reason = not_needed(endpoint, inventory, options)
        if reason:
            yield Skip(PROBE.id, PROBE.layer, endpoint.subject, reason)
            continue
        clients = clients_of(endpoint, inventory)
        yield Step(
            id=f"{PROBE.id}@{endpoint.subject}",
            probe=PROBE.id,
            layer=PROBE.layer,
            subject=endpoint.subject,
            worker="crew",
            deadline=BYSTANDER_DEADLINE if endpoint.kind == "telemetry" else DEADLINE,
            args={"host": endpoint.host, "port": endpoint.port, "scheme": endpoint.scheme, "clients": clients},
            announce=f"connect to {endpoint.host}:{endpoint.port}, send nothing",
        )


def run(step: Step, bench: Bench) -> None:
    """Facts: `addresses`, `via_proxy` (every client of this endpoint goes through a proxy)."""
    host, port, scheme = str(step.args["host"]), int(step.args["port"]), str(step.args["scheme"])
    clients = [str(each) for each in step.args["clients"]]
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"
    via_proxy = bool(clients) and all(proxy_choice(client, url).proxy for client in clients)
    bench.fact("via_proxy", via_proxy)
    found = _resolve(step.subject, host, port, bench)
    if not found and not via_proxy:
        raise CannotProbe(f"{host} does not resolve, so there is no address to connect to")
    bench.fact("addresses", [str(each[1][0]) for each in found])
    side_by_side(
        [partial(_knock, step.subject, each, host, via_proxy, bench) for each in found],
        within=min(bench.remaining() - 1.0, CONNECT_TIMEOUT + 1.0),
    )


Address = tuple[int, tuple[Any, ...]]


def _resolve(subject: str, host: str, port: int, bench: Bench) -> list[Address]:
    found: list[Address] = []
    with (
        contextlib.suppress(OSError, UnicodeError),
        bench.span("dns.lookup", subject=subject, layer=Layer.NETWORK, host=host, port=port, resolver="system") as span,
    ):
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            found.append((family, address))
        span.note(addresses=[str(each[1][0]) for each in found])
    return found


def _knock(subject: str, where: Address, host: str, via_proxy: bool, bench: Bench) -> None:  # noqa: FBT001 - noted only
    family, address = where
    for sample in range(SAMPLES):
        began = time.monotonic()
        with (
            bench.span(
                "tcp.connect",
                subject=subject,
                layer=Layer.NETWORK,
                host=host,
                port=address[1],
                address=address[0],
                family="v6" if family == socket.AF_INET6 else "v4",
                timeout={"timeout": CONNECT_TIMEOUT},
                sample=sample,
                via_proxy=via_proxy,
            ),
            _connected(where),
        ):
            pass
        if time.monotonic() - began > FAST:
            return


def _connected(where: Address) -> socket.socket:
    family, address = where
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(CONNECT_TIMEOUT)
    try:
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
