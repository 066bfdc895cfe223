"""A TLS handshake to every https endpoint, once per way and trust store its clients use.

One that is not trusted is looked at again: who issued the certificate, and which other store of this machine holds him.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Sequence
from functools import partial

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Skip, Step
from crewdoctor.model.probe import Bench, Probe
from crewdoctor.model.reach import BYSTANDERS, clients_of, not_needed
from crewdoctor.model.result import StepResult
from crewdoctor.model.span import Failure, FailureKind
from crewdoctor.net.clients import every_store
from crewdoctor.net.clients.answers import TrustStore
from crewdoctor.net.exchange import Hop
from crewdoctor.net.handshake import Handshake, presented, reach
from crewdoctor.net.parallel import side_by_side
from crewdoctor.net.ways import Way, ways

PROBE = Probe(id="net.tls", layer=Layer.NETWORK, question="its certificate is trusted by every client")

DEADLINE = 18.0
CONNECT_TIMEOUT = 4.0
HANDSHAKE_TIMEOUT = 8.0
"""Seconds: more than httpx (5) grants, so that a slow handshake is told from one that never ends."""
LOOK_TIMEOUT = 3.0
SECURE = {"https", "wss"}
UNSAID = "nobody said that it speaks TLS: only its connection was tried; name it as https://{} to try TLS as well"


def plan(inventory: Inventory, options: Options, _results: Sequence[StepResult]) -> Iterator[Step | Skip]:
    """One step per https endpoint the crew's own work waits for."""
    for endpoint in inventory.endpoints:
        if endpoint.kind == "host" and endpoint.scheme not in SECURE and "://" not in endpoint.source:
            yield Skip(PROBE.id, PROBE.layer, endpoint.subject, UNSAID.format(endpoint.source))
        if endpoint.scheme not in SECURE or endpoint.kind in BYSTANDERS:
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
            args={"host": endpoint.host, "port": endpoint.port, "clients": clients},
            announce=f"shake hands with {endpoint.host}:{endpoint.port} as {', '.join(clients)} would; send nothing",
        )


def run(step: Step, bench: Bench) -> None:
    """Facts: `stores` (label, path and variables per client), `certificate` and `others` where one is not trusted."""
    host, port = str(step.args["host"]), int(step.args["port"])
    taken = ways([str(each) for each in step.args["clients"]] or ["urllib"], host, port)
    bench.fact(
        "stores",
        [
            {"client": client, "label": way.store.label, "path": way.store.path, "reads": list(way.store.reads)}
            for way in taken
            for client in way.clients
        ],
    )
    untrusted: list[Way] = []
    side_by_side(
        [partial(_shake, step.subject, way, host, port, untrusted, bench) for way in taken],
        within=bench.remaining() - LOOK_TIMEOUT,
    )
    if untrusted:
        proxy = untrusted[0].proxy
        tried = {way.store.label for way in untrusted}
        others = [store for store in every_store() if store.label not in tried]
        side_by_side(
            [
                partial(_look, proxy, host, port, bench),
                partial(_elsewhere, others, proxy, host, port, bench),
            ],
            within=min(LOOK_TIMEOUT, bench.remaining() - 0.5),
        )


def _shake(subject: str, way: Way, host: str, port: int, untrusted: list[Way], bench: Bench) -> None:
    attrs = {"host": host, "port": port, "proxy": way.proxy.url if way.proxy else "", "sample": 0}
    attrs |= {"trust": way.store.label, "clients": list(way.clients), "timeout": {"timeout": HANDSHAKE_TIMEOUT}}
    began = time.monotonic()
    with contextlib.suppress(OSError), reach(host, port, way.proxy, CONNECT_TIMEOUT) as connection:
        attrs["connected"] = round(time.monotonic() - began, 6)
        context, unreadable = _context(way.store)
        handshake = Handshake(connection, host)
        with bench.span("tls.handshake", subject=subject, layer=Layer.NETWORK, **attrs) as span:
            if context is None:
                span.note(unreadable=unreadable)
                span.fail(Failure(FailureKind.TLS_UNTRUSTED, f"{way.store.label} cannot be read: {unreadable}"))
                return
            try:
                secured = handshake.run(context, HANDSHAKE_TIMEOUT)
                span.note(version=secured.version(), issuer=_issuer(secured))
            except ssl.SSLCertVerificationError as error:
                span.note(verify_code=error.verify_code, verify_message=error.verify_message)
                untrusted.append(way)
                raise
            finally:
                span.note(received_bytes=handshake.received)


def _context(store: TrustStore) -> tuple[ssl.SSLContext | None, str]:
    """A context on the store, made before the clock runs; or why there is none."""
    try:
        return store.context(), ""
    except OSError as error:
        return None, str(error)


def _look(proxy: Hop | None, host: str, port: int, bench: Bench) -> None:
    with reach(host, port, proxy, LOOK_TIMEOUT) as connection:
        shown = presented(connection, host, LOOK_TIMEOUT)
    if shown is not None:
        names = ("subject", "issuer", "not_before", "not_after")
        bench.fact("certificate", {name: getattr(shown, name) for name in names})


def _elsewhere(others: Sequence[TrustStore], proxy: Hop | None, host: str, port: int, bench: Bench) -> None:
    """Which other stores would have trusted it."""
    trusting: list[dict[str, str]] = []
    for store in others:
        with contextlib.suppress(OSError), reach(host, port, proxy, LOOK_TIMEOUT) as connection:
            Handshake(connection, host).run(store.context(), LOOK_TIMEOUT)
            trusting.append({"label": store.label, "path": store.path})
    bench.fact("others", trusting)


def _issuer(secured: ssl.SSLObject) -> str:
    names = dict(pair for group in (secured.getpeercert() or {}).get("issuer", ()) for pair in group)  # type: ignore[misc]
    return str(names.get("organizationName") or names.get("commonName") or "")
