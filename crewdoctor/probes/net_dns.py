"""Names as the system resolves them, and every configured nameserver asked directly, A and AAAA apart."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.reach import not_needed
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.net import nameserver as asking
from crewdoctor.net import resolv_conf
from crewdoctor.net.parallel import side_by_side

PROBE = Probe(id="net.dns", layer=Layer.NETWORK, question="the name resolves and every nameserver answers")

DEADLINE = 14.0
BYSTANDER_DEADLINE = 7.0
"""Telemetry: worth a look, not worth the wait for two dead nameservers."""
QUERY_TIMEOUT = 2.5
"""Seconds one nameserver is given; half of what glibc gives it, and 100 times what a healthy one needs."""
FAST = 0.5
SAMPLES = 3


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per host name; addresses and localhost need no nameserver."""
    hosts: set[str] = set()
    for endpoint in inventory.endpoints:
        reason = not_needed(endpoint, inventory, options) or _literal(endpoint.host)
        if reason:
            yield Skip(PROBE.id, PROBE.layer, endpoint.subject, reason)
        elif endpoint.host not in hosts:
            hosts.add(endpoint.host)
            yield Step(
                id=f"{PROBE.id}@{endpoint.subject}",
                probe=PROBE.id,
                layer=PROBE.layer,
                subject=endpoint.subject,
                worker="own",
                deadline=BYSTANDER_DEADLINE if endpoint.kind == "telemetry" else DEADLINE,
                args={"host": endpoint.host, "port": endpoint.port},
                announce=f"resolve {endpoint.host} through the system and through each nameserver",
            )


def run(step: Step, bench: Bench) -> None:
    """Facts: `resolver` (what resolv.conf says), `names` (what is really asked for), `hosts_file`."""
    host, port = str(step.args["host"]), int(step.args["port"])
    conf = resolv_conf.read()
    names = resolv_conf.candidates(host, conf)
    listed = host.lower().rstrip(".") in resolv_conf.hosts_file_names()
    bench.fact("resolver", resolv_conf.told(conf))
    bench.fact("names", list(names))
    bench.fact("hosts_file", listed)

    def through_system() -> None:
        for sample in range(SAMPLES):
            began = time.monotonic()
            with bench.span(
                "dns.lookup",
                subject=step.subject,
                layer=Layer.NETWORK,
                host=host,
                port=port,
                resolver="system",
                sample=sample,
            ) as span:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                span.note(addresses=list(dict.fromkeys(str(each[4][0]) for each in found)))
            if time.monotonic() - began > FAST:
                return

    calls: list[Callable[[], None]] = [through_system]
    if not listed:
        asking.warm()
        calls += [
            partial(_ask, bench, nameserver, names, rdtype)
            for nameserver in conf.nameservers
            for rdtype in ("A", "AAAA")
        ]
    # A lookup that outlasts the step stays open: that is what it was seen to do.
    side_by_side(calls, within=bench.remaining() - 0.5)


def _ask(bench: Bench, nameserver: str, names: Sequence[str], rdtype: str) -> None:
    """Ask for each name the resolver would ask for, until one exists."""
    for name in names:
        with bench.span(
            "dns.query",
            subject=f"nameserver:{nameserver}",
            layer=Layer.NETWORK,
            nameserver=nameserver,
            name=name,
            rdtype=rdtype,
            timeout={"timeout": QUERY_TIMEOUT},
        ) as span:
            try:
                rcode, answers, truncated = asking.ask(nameserver, name, rdtype, QUERY_TIMEOUT)
            except TimeoutError:
                span.fail(Failure(FailureKind.DNS_TIMEOUT, f"no answer within {QUERY_TIMEOUT} s"))
                return
            span.note(rcode=rcode, answers=answers, truncated=truncated)
            if rcode in {"SERVFAIL", "REFUSED"}:
                kind = FailureKind.DNS_SERVFAIL if rcode == "SERVFAIL" else FailureKind.DNS_REFUSED
                span.fail(Failure(kind, f"{nameserver} answered {rcode}"))
        if answers:
            return


def _literal(host: str) -> str:
    if host.lower().rstrip(".") == "localhost":
        return "localhost is answered by the hosts file"
    try:
        ipaddress.ip_address(host.strip("[]").split("%", 1)[0])
    except ValueError:
        return ""
    return "no name to look up: it is an address"
