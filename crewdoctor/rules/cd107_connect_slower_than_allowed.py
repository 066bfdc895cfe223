"""Connecting takes a large part of the time a client allows for it, or more.

## What it compares
The longest TCP connect and TLS handshake measured to a host with the connect timeout of the clients that use it.
httpx spends that timeout anew for TLS, so each of the two is compared with it alone. Of a recorded program it is the
shortest of its own, or one that its timeout cut off.

## Why it matters
A connect timeout is paid per address and per attempt. Where the handshake of a quiet moment takes half of it, the one
of a busy moment fails, and crewAI reports "Failed to connect" for a service that is well.

## Example
`httpx.get(url, timeout=0.5)` to a service two oceans away: TCP 0.31 s, TLS 0.62 s.

## How to fix
Give connect a value of its own, some four times what was measured, and keep the read timeout apart from it.

## References
- https://www.python-httpx.org/advanced/timeouts/
- httpcore `_sync/connection.py`: `connect_tcp` and `start_tls` each get the connect timeout
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.budget import wire_timeout
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import LIMIT_KEYS, REACH_KEYS, Reach, attempts_at, connect_limit, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span

MARGIN = 2.0
"""Ours: a quiet moment should leave as much again for a busy one."""
HEADROOM = 4.0
TOO_SOON = {"tcp.connect": 2.0, "tls.handshake": 4.0}
"""Seconds (ours) of waiting from which CD106 and CD121 speak of silence."""
WORDS = {"tcp.connect": "TCP connect", "tls.handshake": "TLS handshake"}


@rule(
    "CD107",
    since="0.1",
    needs=("span:tcp.connect",),
    uses=("inventory", "span:tls.handshake", *REACH_KEYS, *LIMIT_KEYS),
)
def connect_slower_than_allowed(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint that is reached, at a cost its clients' limit hardly bears."""
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        mine = _own(evidence, way) if evidence.program else _probed(evidence, way)
        if not mine or not way.direct:
            continue
        told = max(mine, key=lambda span: (span.failure is not None, span.seconds()))
        if evidence.program:
            limit = _in_force(told, limit)
            told = told if told.failure else min(mine, key=lambda span: span.seconds())
        if not isinstance(limit.value, Seconds):
            continue
        took, allowed = told.seconds(), limit.value.value
        if took * MARGIN < allowed:
            continue
        over = took > allowed or told.failure is not None
        severity = Severity.INFO if way.replaced else Severity.ERROR if over and not way.worked else Severity.WARNING
        measured = Quantity(WORDS[told.name], round(took, 6), n=sum(span.name == told.name for span in mine))
        often = "one" if evidence.program else "max"
        came = "took" if told.failure is None else "was not there after"
        yield Finding(
            code="CD107",
            slug="connect_slower_than_allowed",
            severity=severity,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"the {measured.name} to {way.address} {came} {took:.3f} s ({often} of {measured.n}); its clients "
                f"allow {allowed:g} s ({limit.where or limit.name}){'' if over else ', less than twice that'}."
            ),
            evidence=tuple(span.id for span in mine),
            measured=measured,
            limit=limit,
            location=way.endpoint.location,
            fix=Fix(
                "Give connect its own timeout", f"httpx.Timeout(60, connect={max(1.0, round(took * HEADROOM, 1)):g})"
            ),
            lost=took,
            host=way.address,
            observed=over,
        )


def _probed(evidence: Evidence, way: Reach) -> list[Span]:
    phases = (*evidence.spans("tcp.connect", probe="net.tcp"), *evidence.spans("tls.handshake", probe="net.tls"))
    mine = [span for span in phases if span.subject == way.endpoint.subject and "sample" in span.attrs]
    return [span for span in mine if span.failure is None and span.end]


def _own(evidence: Evidence, way: Reach) -> list[Span]:
    """Of the program: those that came about, and those cut off so soon that nobody can speak of silence."""
    made = [span for name in WORDS for span in attempts_at(evidence, way.endpoint, name, "")]
    ended = [span for span in made if span.end is not None]
    return [span for span in ended if span.failure is None or (_cut_off(span) and span.seconds() < TOO_SOON[span.name])]


def _cut_off(span: Span) -> bool:
    return span.failure is not None and span.failure.kind.is_timeout


def _in_force(span: Span, limit: Quantity) -> Quantity:
    """The timeout of this very attempt, where its tap could tell; it is written where `limit` is."""
    value = wire_timeout(span.attrs.get("timeout"))
    return Quantity(limit.name, value, where=limit.where) if isinstance(value, Seconds) else limit
