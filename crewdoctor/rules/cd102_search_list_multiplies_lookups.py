"""One lookup becomes many: the resolver tries every search domain before it asks for the name as it is written.

## What it compares
The questions sent for one lookup of a host (search domains that say no, times A and AAAA) and the time lost on them,
measured at the nameserver that answers, with the two questions a name with a final dot needs.

## Why it matters
In a Kubernetes pod `ndots:5` makes every name with fewer than five dots go through three or four search domains first:
eight or ten questions for `api.openai.com`, one after the other, on every new connection. Where a nameserver needs
100 ms to say no, or loses one packet in a hundred, that is most of a short call, and no client's timeout bounds it.

## Example
`options ndots:5` and four search domains with a nameserver that takes 0.25 s for each no: 1.02 s of a 1.30 s lookup.

## How to fix
Write the host with a final dot where the client allows it, or set `ndots:1` or `2` (in Kubernetes: `dnsConfig.options`
of the pod), or run a node-local cache.

## References
- resolv.conf(5): `ndots`, `search`
- https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/ (pod's DNS config)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Span

MANY_DOTS = 5
NOTICED = 0.5
"""Seconds (ours) of one lookup from which it is worth a word: a healthy pod loses a hundredth of that."""
SHARE = 0.5
"""And so much of the lookup, or something else is slow."""


@rule(
    "CD102",
    since="0.1",
    needs=("span:dns.query", "span:dns.lookup", "result:net.dns"),
    uses=("inventory", *REACH_KEYS),
)
def search_list_multiplies_lookups(evidence: Evidence) -> Iterator[Finding]:
    """One finding for the host that loses most to search domains that do not hold it."""
    results = {str(each.step.args.get("host")): each for each in evidence.results("net.dns")}
    queries = evidence.spans("dns.query", probe="net.dns")
    lookups = evidence.spans("dns.lookup", probe="net.dns")
    worst: Finding | None = None
    for way in reaches(evidence):
        result = results.get(way.endpoint.host)
        facts: dict[str, Any] = result.facts if result else {}
        names = [str(each) for each in facts.get("names", ())]
        resolver = facts.get("resolver") or {}
        absolute = f"{way.endpoint.host.rstrip('.')}."
        if int(resolver.get("ndots", 1)) < MANY_DOTS or absolute not in names or not way.direct or not result:
            continue
        before = names[: names.index(absolute)]
        mine = [span for span in queries if span.step == result.step.id and span.failure is None]
        vain = _one_nameserver([span for span in mine if span.attrs.get("name") in before])
        took = [each for each in lookups if each.step == result.step.id and each.end and not each.failure]
        if not vain or not took or any(span.attrs.get("answers") for span in vain):
            continue
        # A and AAAA of one name are asked side by side: a name costs its slower answer.
        lost = sum(
            max(span.seconds() for span in vain if span.attrs["name"] == name) for name in before if _asked(name, vain)
        )
        whole = max(span.seconds() for span in took)
        if lost < NOTICED or lost < SHARE * whole:
            continue
        sent = 2 * (len(before) + 1)
        finding = Finding(
            code="CD102",
            slug="search_list_multiplies_lookups",
            severity=Severity.INFO if way.replaced else Severity.WARNING,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"one lookup of {way.endpoint.host} sends {sent} questions where 2 would do: ndots:{resolver['ndots']} "
                f"and {len(before)} search domains, each of which says no first. {lost:.2f} s of a lookup of "
                f"{whole:.2f} s are lost to them, on every new connection, and no client's timeout bounds it."
            ),
            evidence=tuple(span.id for span in (*vain, *took)),
            measured=Quantity("questions per lookup", sent, unit="questions", n=len(took)),
            limit=Quantity("questions the name itself needs", 2, unit="questions", where=str(resolver.get("path", ""))),
            fix=Fix("Ask for the name as it is written first", "options ndots:1", "resolv.conf"),
            lost=lost,
            host=way.address,
        )
        worst = finding if worst is None or finding.lost > worst.lost else worst
    if worst is not None:
        yield worst


def _asked(name: str, spans: Sequence[Span]) -> bool:
    return any(span.attrs["name"] == name for span in spans)


def _one_nameserver(spans: Sequence[Span]) -> list[Span]:
    """The questions to one nameserver only, the first that was asked: the resolver asks no other where it answers."""
    return [span for span in spans if span.attrs.get("nameserver") == spans[0].attrs.get("nameserver")]
