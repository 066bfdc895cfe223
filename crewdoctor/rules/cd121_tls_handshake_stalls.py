"""A host takes the connection and never answers the ClientHello.

## What it compares
How long a handshake was watched without a single byte of a ServerHello, on a connection that came about at once,
with the connect timeout of the clients that use the host: httpx and urllib3 spend it anew on TLS. It speaks only when
no client's handshake, by whatever trust store or proxy, was answered at all.

## Why it matters
Every look that only connects calls the host healthy. A client without a connect timeout waits for ever, the OpenAI SDK
5 s per attempt, nine attempts; `LLM(timeout=60)` makes it 60 s each. Typical causes: a port that speaks no TLS, a load
balancer whose backend is gone, a firewall that inspects the ClientHello and drops it, a large ClientHello lost to a
path that cannot carry it (MTU).

## Example
`https://gateway.internal:8000` where vLLM speaks plain http: connected in 1 ms, no ServerHello in 8 s.

## How to fix
Correct the scheme or the port, or mend what stands before the server; see with `openssl s_client` whether it answers
from elsewhere.

## References
- RFC 8446 section 4.1 (ClientHello, ServerHello)
- httpcore `_sync/connection.py`: `start_tls` gets the connect timeout anew
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import LIMIT_KEYS, REACH_KEYS, attempts_at, connect_limit, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.waits import CUT_OFF

PATIENCE = 4.0
"""Seconds (ours) of silence before it is called a stall: a handshake across the world takes half of one."""
ENDED = {FailureKind.TLS_TIMEOUT, *CUT_OFF}


@rule(
    "CD121",
    since="0.1",
    needs=("span:tls.handshake",),
    uses=("inventory", *REACH_KEYS, *LIMIT_KEYS),
)
def tls_handshake_stalls(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint that left every ClientHello without an answer."""
    handshakes = evidence.spans("tls.handshake")
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        mine = attempts_at(evidence, way.endpoint, "tls.handshake", "net.tls")
        if not mine or way.worked or not all(_silent(span, evidence) for span in mine):
            continue
        longest = max(mine, key=lambda span: span.seconds(evidence.end_of(span)))
        waited = longest.seconds(evidence.end_of(longest))
        theirs = [
            span
            for span in handshakes
            if not span.step.startswith("net.")
            and (span.attrs.get("host"), span.attrs.get("port")) == (way.endpoint.host, way.endpoint.port)
        ]
        connected = longest.attrs.get("connected")
        after = f" in {float(connected) * 1000:.1f} ms" if isinstance(connected, (int, float)) else ""
        proxies = sorted({str(span.attrs["proxy"]) for span in mine if span.attrs.get("proxy")})
        yield Finding(
            code="CD121",
            slug="tls_handshake_stalls",
            severity=way.severity,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"{way.address} was connected to{after}"
                f"{f' through {proxies[0]}' if proxies else ''} and answered the ClientHello with no byte in "
                f"{waited:.1f} s: TLS stalls there, or that port speaks none. {_cost(limit)}"
            ),
            evidence=tuple(dict.fromkeys(span.id for span in (*mine, *way.traffic, *theirs))),
            measured=Quantity("wait for a ServerHello", Seconds(round(waited, 3)), n=len(mine)),
            limit=limit,
            location=way.endpoint.location,
            fix=Fix(
                f"See whether {way.address} speaks TLS, and who stands before it; correct the scheme or the port",
                f"openssl s_client -connect {way.address} -servername {way.endpoint.host}",
                "sh",
            ),
            lost=max(waited, cost((*way.traffic, *theirs), evidence)),
            host=way.address,
        )


def _silent(span: Span, evidence: Evidence) -> bool:
    """Whether no byte came back for as long as it was watched."""
    over = span.end is None or (span.failure is not None and span.failure.kind in ENDED)
    return over and not span.attrs.get("received_bytes") and span.seconds(evidence.end_of(span)) >= PATIENCE


def _cost(limit: Quantity) -> str:
    if isinstance(limit.value, Seconds):
        return f"Each attempt of the crew waits {limit.value.value:g} s ({limit.where or limit.name})."
    if limit.value is UNLIMITED:
        return "No timeout is set: the crew waits for ever."
    return "What bounds an attempt of the crew could not be read."
