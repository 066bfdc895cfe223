"""A host's IPv6 address swallows every packet, while its IPv4 address answers.

## What it compares
How long a connection attempt to the IPv6 address went unanswered with the connect timeout of the clients that use the
host, and with the time its IPv4 address took. The crew's own attempts count; where none was seen, the order in which
the resolver names the addresses and the way its clients take them decide.

## Why it matters
Most clients try one address after the other and wait their whole connect timeout for each: requests, urllib, the
synchronous httpx and with it the OpenAI SDK. IPv6 comes first where the machine has an address of its own, so every
new connection loses that time before IPv4 is even tried; without a timeout it is some two minutes. aiohttp and the
asynchronous httpx race both (Happy Eyeballs) and lose a quarter of a second: the same host is quick in one tool and
slow in the next.

## Example
A VPN that routes IPv6 nowhere: `requests.get(url, timeout=10)` takes 10.02 s, of which 10 s go to the AAAA record.

## How to fix
Mend the route, or have the resolver name IPv4 first, or drop the AAAA record of a host that does not serve it.

## References
- RFC 8305 (Happy Eyeballs), RFC 6724 section 6 (which address comes first)
- gai.conf(5): `precedence ::ffff:0:0/96 100`
- CPython `socket.create_connection`, urllib3 `util/connection.py`: one address after the other, the timeout for each
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import LIMIT_KEYS, REACH_KEYS, Reach, attempts_at, connect_limit, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNLIMITED, Seconds
from crewdoctor.model.span import FailureKind, Span

NOTICED = 0.5
"""Seconds (ours): twice what Happy Eyeballs gives the first address before it tries the next."""
KERNEL_GIVES_UP = 127.0
RACING = frozenset({"aiohttp"})
"""Clients that try both families at once, whatever they are called with."""


@rule(
    "CD104", since="0.1", needs=("span:tcp.connect",), uses=("inventory", "span:dns.lookup", *REACH_KEYS, *LIMIT_KEYS)
)
def ipv6_black_hole(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint whose every IPv6 address is silent and some IPv4 address is not."""
    connects = evidence.spans("tcp.connect")
    lookups = evidence.spans("dns.lookup", probe="net.tcp")
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        knocks = attempts_at(evidence, way.endpoint, "tcp.connect", "net.tcp")
        silent = [span for span in knocks if span.attrs.get("family") == "v6"]
        answering = [span for span in knocks if span.attrs.get("family") == "v4" and _well(span)]
        if not way.direct or not silent or not answering or not all(_unanswered(span) for span in silent):
            continue
        own = [span for span in connects if not span.step.startswith("net.") and _there(span, way)]
        waited = [span for span in own if _waited(span, evidence)]
        if waited or (not own and _tried_first(lookups, way) and not set(way.endpoint.clients) <= RACING):
            yield _finding(evidence, way, limit, waited, silent, answering)


def _finding(
    evidence: Evidence,
    way: Reach,
    limit: Quantity,
    waited: Sequence[Span],
    silent: Sequence[Span],
    answering: Sequence[Span],
) -> Finding:
    longest = max(waited or silent, key=lambda span: span.seconds(evidence.end_of(span)))
    seconds = longest.seconds(evidence.end_of(longest))
    quick = min(answering, key=lambda span: span.seconds())
    happened = (
        f"the crew's own connections waited {seconds:.1f} s for it ({len(waited)} of them)"
        if waited
        else f"a connection was not answered in {seconds:.1f} s"
    )
    severity = way.severity if waited or way.replaced else Severity.WARNING
    whole = [span.seconds(evidence.end_of(span)) for span in waited if span.step.startswith("crew.")]
    return Finding(
        code="CD104",
        slug="ipv6_black_hole",
        severity=severity,
        layer=Layer.NETWORK,
        subject=way.endpoint.subject,
        message=(
            f"{silent[0].attrs['address']}, the IPv6 address of {way.address}, swallows every packet: {happened}; "
            f"{quick.attrs['address']} connects in {quick.seconds() * 1000:.1f} ms. {_cost(limit)}"
        ),
        evidence=tuple(dict.fromkeys(span.id for span in (*silent, quick, *waited))),
        measured=Quantity("IPv6 connect unanswered", round(seconds, 3), n=len(waited or silent)),
        limit=limit,
        location=way.endpoint.location,
        fix=Fix(
            "Mend the IPv6 route, or have the resolver name IPv4 first",
            "precedence ::ffff:0:0/96 100",
            "gai.conf",
        ),
        lost=sum(whole) or seconds,
        host=way.address,
        observed=bool(waited),
    )


def _well(span: Span) -> bool:
    return span.end is not None and span.failure is None


def _unanswered(span: Span) -> bool:
    ended_by_a_clock = span.failure is not None and (
        span.failure.kind.is_timeout or span.failure.kind is FailureKind.DEADLINE
    )
    return span.end is None or ended_by_a_clock


def _waited(span: Span, evidence: Evidence) -> bool:
    return span.attrs.get("family") == "v6" and _unanswered(span) and span.seconds(evidence.end_of(span)) >= NOTICED


def _there(span: Span, way: Reach) -> bool:
    return span.attrs.get("host") == way.endpoint.host and span.attrs.get("port") == way.endpoint.port


def _tried_first(lookups: Sequence[Span], way: Reach) -> bool:
    """Whether the resolver names an IPv6 address before any other."""
    mine = [span.attrs.get("addresses") or [""] for span in lookups if span.subject == way.endpoint.subject]
    return any(":" in str(addresses[0]) for addresses in mine)


def _cost(limit: Quantity) -> str:
    if isinstance(limit.value, Seconds):
        return f"A client that tries one after the other loses {limit.value.value:g} s ({limit.where or limit.name})."
    if limit.value is UNLIMITED:
        return f"No connect timeout is set: the kernel gives up after about {KERNEL_GIVES_UP:.0f} s."
    return "What bounds an attempt of the crew could not be read."
