"""A host the crew needs answers no connection attempt at all.

## What it compares
How long a connection attempt went unanswered with the connect timeout of the clients that use the host: that timeout
is what each attempt of the crew costs, once per address, and again on every retry.

## Why it matters
Silence, against a refusal, means that packets are dropped: a firewall or security group, a network policy, a route
into nowhere, or a listener whose queue is full. Without a connect timeout the kernel gives up after about 130 s; with
`LLM(timeout=60)` crewAI raises the connect timeout to 60 s too.

## Example
A pod's egress policy allows port 443 only; the tool's host listens on 8443: every call waits its whole timeout.

## How to fix
Open the way (egress rule, security group, network policy) for exactly this host and port, and give the client a short
connect timeout so that the next such fault is found in seconds.

## References
- tcp(7): `tcp_syn_retries` (6 retries, about 130 s)
- https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import LIMIT_KEYS, REACH_KEYS, Reach, attempts_at, connect_limit, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.span import Span
from crewdoctor.remedies import bounded_connect
from crewdoctor.waits import CUT_OFF

SHORTEST = 2.0
"""Ours: seconds of silence that say anything: a program may wait less for a connection than a long way takes."""
KERNEL_GIVES_UP = 127.0
"""Seconds: SYN retries at 1, 2, 4 ... 64 s."""


@rule("CD106", since="0.1", needs=("span:tcp.connect",), uses=("inventory", *REACH_KEYS, *LIMIT_KEYS))
def packets_dropped(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint that took no connection and left at least one attempt without any answer."""
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        mine = attempts_at(evidence, way.endpoint, "tcp.connect", "net.tcp")
        unanswered = [span for span in mine if _unanswered(span)]
        if not unanswered or way.worked or not way.direct:
            continue
        if any(span.failure is None and span.end is not None for span in mine):
            continue
        longest = max(unanswered, key=lambda span: span.seconds(evidence.end_of(span)))
        waited = longest.seconds(evidence.end_of(longest))
        if waited < SHORTEST:
            continue
        addresses = list(dict.fromkeys(str(span.attrs["address"]) for span in unanswered))
        each = limit.value.value if isinstance(limit.value, Seconds) else KERNEL_GIVES_UP
        yield Finding(
            code="CD106",
            slug="packets_dropped",
            severity=way.severity,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"{way.address} did not answer within {waited:.1f} s, neither yes nor no ({', '.join(addresses)}): "
                f"packets are dropped on the way. {_cost(limit, len(addresses))}"
            ),
            evidence=tuple(span.id for span in (*mine, *way.traffic)),
            measured=Quantity("connect unanswered", round(waited, 3), n=len(unanswered)),
            limit=limit,
            location=way.endpoint.location,
            fix=Fix(
                f"Allow egress to {way.address}, and bound the connect",
                "LLM(..., client_params={'timeout': httpx.Timeout(60, connect=5)})"
                if way.endpoint.kind == "llm"
                else bounded_connect(_client(way)),
            ),
            lost=max(each * len(addresses), cost(way.traffic, evidence)),
            host=way.address,
        )


def _client(way: Reach) -> str:
    """The library that tried, as seen on the wire, else the one the source names; empty for several."""
    seen = {str(span.attrs["client"]) for span in way.traffic if span.attrs.get("client")}
    held = seen or set(way.endpoint.clients)
    return next(iter(held)) if len(held) == 1 else ""


def _unanswered(span: Span) -> bool:
    return span.end is None or (
        span.failure is not None and (span.failure.kind.is_timeout or span.failure.kind in CUT_OFF)
    )


def _cost(limit: Quantity, addresses: int) -> str:
    times = f" for each of {addresses} addresses" if addresses > 1 else ""
    if isinstance(limit.value, Seconds):
        return f"Each attempt of the crew waits {limit.value.value:g} s{times} ({limit.where or limit.name})."
    if limit.value is UNLIMITED:
        return f"No connect timeout is set: the kernel gives up after about {KERNEL_GIVES_UP:.0f} s{times}."
    return "What bounds an attempt of the crew could not be read."
