"""A lookup waits for an answer that got lost, though every nameserver answers.

## What it compares
The time a lookup takes through the system resolver with the time each nameserver takes when it is asked the same
questions one at a time. It speaks where the lookup lasts at least the resolver's timeout (5 s by default) and the
answers asked for singly, all of them together, take less than half of it.

## Why it matters
glibc sends the questions for A and AAAA at once, from one socket. Where connections are tracked (Kubernetes nodes, VPN
gateways) the two race, and one is dropped; some middleboxes drop AAAA alone. The resolver waits its whole timeout and
asks again: the well-known 5 s of a pod. `dig` shows nothing, and no client's timeout bounds `getaddrinfo`.

## Example
`llm.corp.example` takes 5.01 s; its nameserver answers A in 2 ms and AAAA in 2 ms.

## How to fix
`options single-request-reopen` in resolv.conf (in Kubernetes: the pod's `dnsConfig.options`), or a caching resolver on
the node. Where nsswitch.conf names other sources before `dns` (mdns, sss), see whether it is one of those that waits.

## References
- https://github.com/kubernetes/kubernetes/issues/56903
- resolv.conf(5): `single-request`, `single-request-reopen`, `timeout`; nsswitch.conf(5)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span

SHARE = 0.9
"""Of the resolver's timeout: clocks differ by some milliseconds."""


@rule(
    "CD108",
    since="0.1",
    needs=("span:dns.query", "result:net.dns"),
    uses=("inventory", "span:dns.lookup", *REACH_KEYS),
)
def lookup_loses_an_answer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per host whose lookups last the resolver's timeout, though all its nameservers answer at once."""
    asked = evidence.spans("dns.query", probe="net.dns")
    lookups = evidence.spans("dns.lookup")
    facts = {result.step.subject: result.facts for result in evidence.results("net.dns") if "resolver" in result.facts}
    for way in reaches(evidence):
        told = facts.get(way.endpoint.subject)
        if told is None:
            continue
        allowed = float(told["resolver"].get("timeout", 5.0))
        names = {str(each) for each in told.get("names", ())}
        mine = [span for span in asked if span.attrs.get("name") in names]
        late = [
            span
            for span in lookups
            if span.attrs.get("host") == way.endpoint.host and span.seconds(evidence.end_of(span)) >= SHARE * allowed
        ]
        probed = [span for span in late if span.step.startswith("net.dns@") and "sample" in span.attrs]
        if not probed or not mine or any(not span.attrs.get("rcode") for span in mine):
            continue
        longest = max(probed, key=lambda span: span.seconds(evidence.end_of(span)))
        waited = longest.seconds(evidence.end_of(longest))
        if _singly(mine) < waited / 2:
            severity = Severity.INFO if way.replaced else Severity.ERROR
            yield _finding(evidence, way.endpoint.host, (late, mine), waited, told["resolver"], severity)


def _singly(asked: list[Span]) -> float:
    """Seconds one nameserver took for all questions, one after the other; the slowest one."""
    servers = {str(span.attrs.get("nameserver")) for span in asked}
    return max(sum(span.seconds() for span in asked if span.attrs.get("nameserver") == each) for each in servers)


def _finding(
    evidence: Evidence,
    host: str,
    seen: tuple[list[Span], list[Span]],
    waited: float,
    resolver: dict[str, Any],
    severity: Severity,
) -> Finding:
    late, asked = seen
    allowed = float(resolver.get("timeout", 5.0))
    path = str(resolver.get("path", "/etc/resolv.conf"))
    first = str(asked[0].attrs.get("nameserver"))
    slowest = max(span.seconds() for span in asked)
    return Finding(
        code="CD108",
        slug="lookup_loses_an_answer",
        severity=severity,
        layer=Layer.NETWORK,
        subject=f"nameserver:{first}",
        message=(
            f"Looking up {host} took {waited:.2f} s, and every nameserver asked one question at a time answers within "
            f"{slowest:.3f} s: of the two questions the resolver sends at once (A and AAAA) one answer is lost, and it "
            f"waits {allowed:g} s before it asks again. No client's timeout bounds that."
        ),
        evidence=tuple(span.id for span in (*late, *asked)),
        measured=Quantity(f"lookup of {host}", round(waited, 3), n=len(late)),
        limit=Quantity("resolver timeout per nameserver", Seconds(allowed), where=path),
        fix=Fix("Let the resolver ask one question at a time", "options single-request-reopen", "resolv.conf"),
        lost=sum(span.seconds(evidence.end_of(span)) for span in late),
        host=f"{first}:53",
    )
