"""A configured nameserver is silent or slow, and lookups wait for it.

## What it compares
The time a lookup takes through the system resolver with the time the resolver gives one nameserver (`options
timeout:n` in resolv.conf, 5 s by default). Each nameserver is also asked directly, A and AAAA apart, so that the one
that costs the time is named beside the one that answers.

## Why it matters
glibc asks the nameservers in order and waits its whole timeout before it turns to the next. A dead first nameserver
adds 5 s to every new connection, and no client library bounds it: `getaddrinfo` obeys neither httpx' connect timeout
nor the OpenAI SDK's. A crew that opens many short connections pays it again and again.

## Example
`nameserver 10.0.0.2` was decommissioned, `10.0.0.3` answers in 2 ms: every lookup takes 5.01 s.

## How to fix
Remove the dead nameserver from resolv.conf (in Kubernetes: from the pod's `dnsConfig` or the node's resolver), or put
the healthy one first. Until then `options timeout:1 attempts:2` caps what each lookup loses.

## References
- resolv.conf(5): `timeout`, `attempts`, the order of nameservers
- https://github.com/kubernetes/kubernetes/issues/56903 (lookups of 5 s from one lost answer)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Location, Seconds
from crewdoctor.model.span import FailureKind, Span

SLOW = 1.0
"""Seconds (ours): a recursive answer from across the world takes a third of it."""
SILENT = {FailureKind.DNS_TIMEOUT, FailureKind.TCP_REFUSED, FailureKind.TCP_UNREACHABLE, FailureKind.TIMEOUT_READ}


@rule(
    "CD101",
    since="0.1",
    needs=("span:dns.query", "result:net.dns"),
    uses=("inventory", "span:dns.lookup", *REACH_KEYS),
)
def nameserver_does_not_answer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per nameserver that made a lookup of a host the crew needs wait or fail."""
    facts: dict[str, Any] = next(
        (each.facts["resolver"] for each in evidence.results("net.dns") if "resolver" in each.facts), {}
    )
    allowed = float(facts.get("timeout", 5.0))
    needed = {each.endpoint.host: each for each in reaches(evidence)}
    asked = evidence.spans("dns.lookup", probe="net.dns")
    lookups = [span for span in asked if span.attrs.get("host") in needed and "sample" in span.attrs]
    queries = evidence.spans("dns.query", probe="net.dns")
    for nameserver in dict.fromkeys(str(span.attrs.get("nameserver")) for span in queries):
        mine = [span for span in queries if span.attrs.get("nameserver") == nameserver]
        late = [span for span in mine if _silent(span) or span.seconds(evidence.end_of(span)) > SLOW]
        hurt = [span for span in lookups if _hurt(span, late, min(allowed, SLOW), evidence)]
        if not late or not hurt:
            continue
        worst = max(hurt, key=lambda span: span.seconds(evidence.end_of(span)))
        waited = worst.seconds(evidence.end_of(worst))
        healthy = [
            span
            for span in queries
            if span not in late and span.attrs.get("rcode") and span.attrs.get("nameserver") != nameserver
        ]
        fastest = min(healthy, key=lambda span: span.seconds(), default=None)
        line = facts.get("lines", {}).get(nameserver)
        path = str(facts.get("path", "/etc/resolv.conf"))
        mute = [span for span in mine if _silent(span)]
        said = (
            f"left {len(mute)} of {len(mine)} questions unanswered for {max(each.seconds() for each in mute):.1f} s"
            if mute
            else f"took {max(span.seconds() for span in late):.2f} s to answer"
        )
        compared = (
            f"; nameserver {fastest.attrs['nameserver']} answered in {fastest.seconds():.3f} s" if fastest else ""
        )
        replaced = all(needed[str(span.attrs["host"])].replaced for span in hurt)
        yield Finding(
            code="CD101",
            slug="nameserver_does_not_answer",
            severity=Severity.INFO if replaced else Severity.ERROR if mute else Severity.WARNING,
            layer=Layer.NETWORK,
            subject=f"nameserver:{nameserver}",
            message=(
                f"nameserver {nameserver} {said}: looking up {worst.attrs['host']} "
                f"{'failed after' if worst.failure else 'took'} {waited:.2f} s{compared}. The resolver waits "
                f"{allowed:g} s for each silent nameserver, and no client's timeout bounds that."
            ),
            evidence=tuple(span.id for span in (*late, *hurt, *_same_hosts(evidence, hurt))),
            measured=Quantity(f"lookup of {worst.attrs['host']}", round(waited, 3), n=len(hurt)),
            limit=Quantity(
                "resolver timeout per nameserver", Seconds(allowed), where=f"{path}:{line}" if line else path
            ),
            location=Location(path, int(line)) if line else None,
            fix=_fix(nameserver, fastest, {span.attrs.get("rdtype") for span in mute}),
            lost=sum(span.seconds(evidence.end_of(span)) for span in hurt),
            host=f"{nameserver}:53",
        )


def _silent(span: Span) -> bool:
    return span.end is None or (span.failure is not None and span.failure.kind in SILENT)


def _hurt(lookup: Span, late: Sequence[Span], allowed: float, evidence: Evidence) -> bool:
    """A lookup that failed without any answer, or waited, while this nameserver was late for one of its names."""
    host = str(lookup.attrs.get("host")).lower().rstrip(".")
    about = [span for span in late if str(span.attrs.get("name", "")).lower().startswith(f"{host}.")]
    if not about:
        return False
    unanswered = lookup.failure is not None and lookup.failure.kind is not FailureKind.DNS_NOT_FOUND
    return unanswered or lookup.seconds(evidence.end_of(lookup)) >= allowed


def _same_hosts(evidence: Evidence, hurt: Sequence[Span]) -> list[Span]:
    """The crew's own lookups of these hosts: what this nameserver explains lies around them."""
    hosts = {span.attrs["host"] for span in hurt}
    return [
        span
        for span in evidence.spans("dns.lookup")
        if not span.step.startswith("net.")
        and span.attrs.get("host") in hosts
        and span.seconds(evidence.end_of(span)) >= SLOW
    ]


def _fix(nameserver: str, healthy: Span | None, unanswered: set[Any]) -> Fix:
    if healthy is None and unanswered == {"AAAA"}:
        return Fix("Have it answer AAAA; until then ask for A alone (glibc 2.36)", "options no-aaaa", "resolv.conf")
    if healthy is None:
        return Fix(
            f"Name a nameserver that answers in time, in place of {nameserver}",
            "nameserver <address that answers>",
            "resolv.conf",
        )
    answering = healthy.attrs["nameserver"]
    return Fix(
        f"Remove nameserver {nameserver}; {answering} answers",
        f"nameserver {answering}\noptions timeout:1 attempts:2",
        "resolv.conf",
    )
