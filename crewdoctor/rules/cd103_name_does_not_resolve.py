"""A host the crew needs has no address.

## What it compares
The addresses the system resolver finds for a host (none) with the one a client needs, and with what each configured
nameserver answers when it is asked directly. Hosts the crew reaches through a proxy are left out: the proxy resolves
them.

## Why it matters
Every call to that host fails before a packet is sent. SDKs and crewAI retry it as if it were a passing fault, and
report "Connection error.". A name that one nameserver knows and the first one does not (split horizon, VPN) works on
a laptop and fails in a pod.

## Example
`LLM(base_url="http://vllm.inference:8000/v1")` in a pod of another namespace: NXDOMAIN from every nameserver.

## How to fix
Correct the name where it is written (in Kubernetes: `service.namespace.svc.cluster.local`), or point the resolver at
a nameserver that knows it.

## References
- getaddrinfo(3): EAI_NONAME (the name does not exist), EAI_AGAIN (no nameserver gave an answer)
- https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity
from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, Reach, attempts_at, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Span


@rule(
    "CD103",
    since="0.1",
    needs=("span:dns.lookup", "result:net.dns|program"),
    uses=("result:net.dns", "inventory", "span:dns.query", "setting:llm.base_url", *REACH_KEYS),
)
def name_does_not_resolve(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint whose name has no address by the system resolver."""
    results = {result.step.args.get("host"): result for result in evidence.results("net.dns")}
    queries = evidence.spans("dns.query", probe="net.dns")
    for way in reaches(evidence):
        endpoint = way.endpoint
        mine = attempts_at(evidence, endpoint, "dns.lookup", "net.dns")
        if (
            not mine
            or way.worked
            or not way.direct
            or any(span.failure is None and span.end is not None for span in mine)
            or (evidence.program and not any(_denied(span) for span in mine))
        ):
            continue
        names = (
            [str(name) for name in results[endpoint.host].facts.get("names", ())] if endpoint.host in results else []
        )
        asked = [span for span in queries if span.attrs.get("name") in names]
        silent = sorted({span.subject for span in asked} - {span.subject for span in asked if span.attrs.get("rcode")})
        failed = mine[-1]
        waited = failed.seconds(evidence.end_of(failed))
        traffic = [span.id for span in way.traffic]
        yield Finding(
            code="CD103",
            slug="name_does_not_resolve",
            severity=way.severity,
            layer=Layer.NETWORK,
            subject=endpoint.subject,
            message=(
                f"{endpoint.host} has no address: the system resolver gave up after {waited:.3f} s"
                f" ({failed.failure.text if failed.failure else 'no answer'}). {_by_nameserver(asked)}"
            ),
            evidence=tuple([span.id for span in (*mine, *asked)] + traffic),
            measured=Quantity("addresses found", 0, unit="addresses", n=len(mine)),
            limit=Quantity("addresses needed to connect", 1, unit="addresses", where=endpoint.source),
            location=endpoint.location,
            fix=_fix(way, asked, written=_written(evidence, endpoint)),
            lost=cost(way.traffic, evidence) or waited,
            host=way.address,
            depends_on=tuple(silent) if len(silent) == len({span.subject for span in asked}) else (),
        )


def _denied(span: Span) -> bool:
    """Whether the resolver itself ended it: one that was given up has told nothing."""
    return span.failure is not None and span.failure.kind.value.startswith("dns.")


def _knows(span: Span) -> bool:
    """Whether it gave an address the resolver takes: it takes none that comes with SERVFAIL or REFUSED."""
    return bool(span.attrs.get("answers")) and span.failure is None


def _by_nameserver(asked: Sequence[Span]) -> str:
    """What each nameserver said, in words."""
    said = []
    for nameserver in dict.fromkeys(str(span.attrs.get("nameserver")) for span in asked):
        answers = [span for span in asked if span.attrs.get("nameserver") == nameserver]
        if any(_knows(span) for span in answers):
            said.append(f"{nameserver} knows it")
            continue
        codes = dict.fromkeys(str(span.attrs["rcode"]) for span in answers if span.attrs.get("rcode"))
        said.append(f"{nameserver} {'says ' + ', '.join(codes) if codes else 'does not answer'}")
    return f"Asked directly: {'; '.join(said)}." if said else "No nameserver was asked directly."


def _written(evidence: Evidence, endpoint: Endpoint) -> bool:
    """Whether somebody chose this host; a model's may be its provider's own."""
    chosen = [each for each in evidence.settings("llm", "base_url") if each.subject in endpoint.used_by]
    return endpoint.kind != "llm" or not chosen or any(each.written for each in chosen)


def _fix(way: Reach, asked: Sequence[Span], *, written: bool) -> Fix:
    knowing = next((str(span.attrs["nameserver"]) for span in asked if _knows(span)), "")
    if knowing:
        return Fix(f"Ask {knowing} first: it knows the name", f"nameserver {knowing}", "resolv.conf")
    told = {str(span.attrs["rcode"]): str(span.attrs["nameserver"]) for span in asked if span.attrs.get("rcode")}
    if told and not set(told) - {"SERVFAIL", "REFUSED"}:  # neither says that there is no such name
        code, nameserver = next(iter(told.items()))
        return Fix(
            f"See why {nameserver} answers {code} for it, or ask a nameserver that serves this name",
            f"getent ahosts {way.endpoint.host}",
            "sh",
        )
    if not written:
        return Fix(
            "Make the name resolve here: it is the provider's own, and nobody wrote it; see the nameservers of this "
            "machine or container, or whether its clients should go through a proxy",
            f"getent ahosts {way.endpoint.host}",
            "sh",
        )
    return Fix(
        f"Correct the host in {way.endpoint.source or 'the setting that names it'}",
        f"getent ahosts {way.endpoint.host}",
        "sh",
    )
