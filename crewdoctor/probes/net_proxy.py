"""Which proxy each client library would use for an endpoint, asked of the library itself, and what that proxy does."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.reach import BYSTANDERS, clients_of, not_needed
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.net.clients import proxy_choice
from crewdoctor.net.exchange import Hop, hop, secured, status_of
from crewdoctor.net.no_proxy import meant
from crewdoctor.net.parallel import side_by_side

PROBE = Probe(id="net.proxy", layer=Layer.NETWORK, question="every client takes a way to it that works")

DEADLINE = 15.0
TIMEOUT = 5.0
"""Seconds per wait on a proxy: httpx' own default."""
TUNNELLED = {"https", "wss"}
GOOD = range(200, 300)


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per endpoint the crew's own work waits for."""
    for endpoint in inventory.endpoints:
        if endpoint.kind in BYSTANDERS:
            continue
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
            deadline=DEADLINE,
            args={"host": endpoint.host, "port": endpoint.port, "scheme": endpoint.scheme, "clients": clients},
            announce=f"ask {', '.join(clients)} for the proxy to {endpoint.host}; CONNECT or HEAD / through it",
        )


def run(step: Step, bench: Bench) -> None:
    """Facts: `decisions` (one per client), `no_proxy` (variable and value), `direct` (the way around the proxy)."""
    host, port, scheme = str(step.args["host"]), int(step.args["port"]), str(step.args["scheme"])
    web = {"wss": "https", "ws": "http"}.get(scheme, scheme)
    place = f"[{host}]" if ":" in host else host
    variable = next((name for name in ("no_proxy", "NO_PROXY") if os.environ.get(name)), "")
    value = os.environ.get(variable, "") if variable else ""
    choices = [proxy_choice(str(client), f"{web}://{place}:{port}/") for client in step.args["clients"]]
    entry = meant(value, host, port, _addresses(host, port, value) if any(each.proxy for each in choices) else ())
    hops: dict[str, Hop] = {}
    decisions: list[dict[str, Any]] = []
    for choice in choices:
        decision: dict[str, Any] = {"client": choice.client, "host": host, "port": port, "proxy": None, "subject": ""}
        decision |= {"error": choice.error, "note": choice.note, "missing": choice.missing}
        decision |= {"variable": choice.variable} if choice.missing else {}
        decision |= {"no_proxy_entry": entry.entry if entry else None, "form": entry.form if entry else ""}
        with contextlib.suppress(ValueError):
            if choice.proxy:
                used = hop(choice.proxy)
                hops[used.url] = used
                decision |= {"proxy": used.url, "subject": used.subject, "variable": _variable(web)}
        decisions.append(decision)
    bench.fact("decisions", decisions)
    bench.fact("no_proxy", {"variable": variable, "value": value})
    if hops:
        target = f"{place}:{port}"
        calls = [partial(_through, each, web, target, bench) for each in hops.values()]
        side_by_side([*calls, partial(_around, step, web, target, bench)], within=bench.remaining() - 0.5)


def _through(proxy: Hop, scheme: str, target: str, bench: Bench) -> None:
    method = "CONNECT" if scheme in TUNNELLED else "HEAD"
    with bench.span(
        "proxy.connect",
        subject=proxy.subject,
        layer=Layer.NETWORK,
        proxy=proxy.url,
        target=target,
        method=method,
        timeout={"timeout": TIMEOUT},
    ) as span:
        began = time.monotonic()
        with socket.create_connection((proxy.host, proxy.port), TIMEOUT) as plain:
            span.note(connected=time.monotonic() - began)
            if proxy.scheme.startswith("socks"):
                return
            connection = secured(plain, proxy.host) if proxy.scheme == "https" else plain
            where = target if method == "CONNECT" else f"{scheme}://{target}/"
            status = status_of(connection, method, where, target, proxy.authorization)
        span.note(status=status)
        if method == "CONNECT" and status not in GOOD:
            span.fail(Failure(FailureKind.PROXY_REFUSED, f"{proxy.url} answered {status} to CONNECT {target}"))


def _around(step: Step, scheme: str, target: str, bench: Bench) -> None:
    """The direct way, for comparison: connected in how many seconds, and the status of the same HEAD."""
    host, port = str(step.args["host"]), int(step.args["port"])
    began = time.monotonic()
    with bench.span(
        "tcp.connect", subject=step.subject, layer=Layer.NETWORK, host=host, port=port, timeout={"timeout": TIMEOUT}
    ):
        connection = socket.create_connection((host, port), TIMEOUT)
    with connection:
        direct: dict[str, Any] = {"connected": time.monotonic() - began, "status": None}
        bench.fact("direct", direct)
        if scheme not in TUNNELLED:
            status = status_of(connection, "HEAD", "/", target)
            bench.fact("direct", {**direct, "status": status, "seconds": time.monotonic() - began})


def _addresses(host: str, port: int, no_proxy: str) -> list[str]:
    """Addresses of a name, looked up only where NO_PROXY holds addresses it could be compared with."""
    if not any(piece.strip()[:1].isdigit() or ":" in piece for piece in no_proxy.split(",")):
        return []
    found: list[str] = []
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]

    def look_up() -> None:
        found.extend(str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))

    side_by_side([look_up], within=TIMEOUT)
    return list(dict.fromkeys(found))


def _variable(scheme: str) -> str:
    """The variable that names the proxy; lower case wins, as in CPython's getproxies_environment."""
    names = [f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    return next((name for name in names if os.environ.get(name)), "")
