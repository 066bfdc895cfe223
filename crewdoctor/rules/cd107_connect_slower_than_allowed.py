"""Connecting takes a large part of the time a client allows for it, or more.

## What it compares
The longest TCP connect and TLS handshake measured to a host with the connect timeout of the clients that use it.
httpx spends that timeout anew for TLS, so each of the two is compared with it alone.

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

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import LIMIT_KEYS, REACH_KEYS, connect_limit, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

MARGIN = 2.0
"""Ours: a quiet moment should leave as much again for a busy one."""
HEADROOM = 4.0
WORDS = {"tcp.connect": "TCP connect", "tls.handshake": "TLS handshake"}


@rule(
    "CD107",
    since="0.1",
    needs=("span:tcp.connect",),
    uses=("inventory", "span:tls.handshake", *REACH_KEYS, *LIMIT_KEYS),
)
def connect_slower_than_allowed(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint that is reached, at a cost its clients' limit hardly bears."""
    phases = (*evidence.spans("tcp.connect", probe="net.tcp"), *evidence.spans("tls.handshake", probe="net.tls"))
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        mine = [
            span
            for span in phases
            if span.subject == way.endpoint.subject and "sample" in span.attrs and span.failure is None and span.end
        ]
        if not mine or not way.direct or not isinstance(limit.value, Seconds):
            continue
        slowest = max(mine, key=lambda span: span.seconds())
        took, allowed = slowest.seconds(), limit.value.value
        if took * MARGIN < allowed:
            continue
        over = took > allowed
        severity = Severity.INFO if way.replaced else Severity.ERROR if over and not way.worked else Severity.WARNING
        measured = Quantity(WORDS[slowest.name], round(took, 6), n=sum(span.name == slowest.name for span in mine))
        yield Finding(
            code="CD107",
            slug="connect_slower_than_allowed",
            severity=severity,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"the {measured.name} to {way.address} took {took:.3f} s (max of {measured.n}); its clients allow "
                f"{allowed:g} s ({limit.where or limit.name}){'' if over else ', less than twice that'}."
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
