"""A configured nameserver is silent or slow, and lookups wait for it.

## What it compares
The time a lookup takes through the system resolver with the time the resolver gives one nameserver (`options
timeout:n` in resolv.conf, 5 s by default). Each nameserver is also asked directly, A and AAAA apart, so that the one
that costs the time is named beside the one that answers. A recorded program asks nobody: there the kernel says whom
its own lookups were waiting for.

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

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Location, Seconds
from crewdoctor.nameservers import NAMESERVER_KEYS, Late, late_nameservers, resolver_facts


@rule(
    "CD101",
    since="0.1",
    needs=("span:dns.query|program", "span:dns.lookup", "result:net.dns|program"),
    uses=NAMESERVER_KEYS,
)
def nameserver_does_not_answer(evidence: Evidence) -> Iterator[Finding]:
    """One finding per nameserver that made a lookup of a host the crew needs wait or fail."""
    facts = resolver_facts(evidence)
    allowed = float(facts.get("timeout", 5.0))
    for late in late_nameservers(evidence, allowed):
        worst = max(late.hurt, key=lambda span: span.seconds(evidence.end_of(span)))
        waited = worst.seconds(evidence.end_of(worst))
        line = facts.get("lines", {}).get(late.nameserver)
        path = str(facts.get("path", "/etc/resolv.conf"))
        yield Finding(
            code="CD101",
            slug="nameserver_does_not_answer",
            severity=Severity.INFO if late.replaced else Severity.ERROR if late.mute else Severity.WARNING,
            layer=Layer.NETWORK,
            subject=f"nameserver:{late.nameserver}",
            message=(
                f"nameserver {late.nameserver} {late.said}: looking up {worst.attrs['host']} "
                f"{'failed after' if worst.failure else 'took'} {waited:.2f} s{late.compared}. The resolver waits "
                f"{allowed:g} s for each silent nameserver, and no client's timeout bounds that."
            ),
            evidence=tuple(dict.fromkeys(span.id for span in late.evidence)),
            measured=Quantity(f"lookup of {worst.attrs['host']}", round(waited, 3), n=len(late.hurt)),
            limit=Quantity(
                "resolver timeout per nameserver", Seconds(allowed), where=f"{path}:{line}" if line else path
            ),
            location=Location(path, int(line)) if line else None,
            fix=_fix(late),
            lost=sum(span.seconds(evidence.end_of(span)) for span in late.hurt),
            host=f"{late.nameserver}:53",
        )


def _fix(late: Late) -> Fix:
    if not late.answering and late.of_ipv6_alone:
        return Fix("Have it answer AAAA; until then ask for A alone (glibc 2.36)", "options no-aaaa", "resolv.conf")
    if not late.answering:
        return Fix(
            f"Name a nameserver that answers in time, in place of {late.nameserver}",
            "nameserver <address that answers>",
            "resolv.conf",
        )
    return Fix(
        f"Remove nameserver {late.nameserver}; {late.answering} answers",
        f"nameserver {late.answering}\noptions timeout:1 attempts:2",
        "resolv.conf",
    )
