"""The proxy the crew's clients choose is dead, fails to reach the host, or takes longer than they wait.

## What it compares
The time and outcome of a connection to the proxy, and of the exchange through it (CONNECT for https, HEAD for http),
with the connect timeout of the clients that choose it and with the direct way to the same host.

## Why it matters
One variable puts the proxy before every host at once: a dead one looks like an outage of everything, and the SDK
reports "Connection error." without naming it. A slow CONNECT is spent again on every new connection, TLS comes on
top.

## Example
`HTTPS_PROXY=http://proxy.corp:3128` on a laptop that left the office: every call fails, or waits its connect timeout.

## How to fix
Correct or unset the variable the report names; where only some hosts need the proxy, list the others in NO_PROXY.

## References
- RFC 9110 section 9.3.6 (CONNECT)
- https://www.python-httpx.org/environment_variables/
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.proxied import Passage
from crewdoctor.model.reach import LIMIT_KEYS, Reach, connect_limit, internal, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.passages import PASSAGE_KEYS, passages

SLOW = 2.0
"""Seconds (ours): a third of httpx' default is gone before TLS has begun."""
WANTS_PASSWORD = 407
"""RFC 9110 section 15.5.8."""
TIMES_DIRECT = 5.0
"""And so many times the direct way, where there is one."""


@rule(
    "CD111",
    since="0.1",
    needs=("result:net.proxy|program", "span:proxy.connect|program"),
    uses=(*PASSAGE_KEYS, *LIMIT_KEYS),
)
def proxy_unreachable_or_slow(evidence: Evidence) -> Iterator[Finding]:
    """One finding per proxy; the endpoint it harms most speaks for the others."""
    worst: dict[str, tuple[Severity, Reach, Passage, Quantity]] = {}
    hosts: dict[str, list[str]] = {}
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        for passage in passages(evidence, way):
            severity = _severity(way, passage, limit)
            if severity is None:
                continue
            hosts.setdefault(passage.proxy, []).append(way.address)
            held = worst.get(passage.proxy)
            if held is None or severity.rank < held[0].rank:
                worst[passage.proxy] = (severity, way, passage, limit)
    for proxy, (severity, way, passage, limit) in worst.items():
        decision = passage.decisions[0]
        variable = str(decision.get("variable") or "the proxy variable")
        yield Finding(
            code="CD111",
            slug="proxy_unreachable_or_slow",
            severity=severity,
            layer=Layer.NETWORK,
            subject=proxy,
            message=(
                f"the proxy {decision['proxy']} ({variable}) {passage.words}, asked for {', '.join(hosts[proxy])} as "
                f"{', '.join(str(each['client']) for each in passage.decisions)} would. {_beside(passage)}"
            ),
            evidence=(*passage.evidence, *passage.step),
            measured=passage.measured,
            limit=limit,
            fix=_fix(variable, way, passage),
            lost=passage.lost,
            host=proxy.removeprefix("proxy:"),
        )


def _severity(way: Reach, passage: Passage, limit: Quantity) -> Severity | None:
    """None: nothing to say about this passage."""
    slow = passage.seconds > SLOW and (passage.direct is None or passage.seconds > passage.direct * TIMES_DIRECT)
    if passage.denied:
        return None
    if way.worked:
        return way.severity if slow and _cut_off(way, passage) else None
    named = any(each.get("no_proxy_entry") for each in passage.decisions)
    theirs = (passage.recorded or passage.direct is not None) and (named or internal(way.endpoint.host))
    if passage.unreachable or (passage.failed and not theirs):
        return way.severity
    if passage.failed or passage.recorded or not slow:
        return None
    late = isinstance(limit.value, Seconds) and passage.seconds > limit.value.value
    return way.severity if late or way.replaced else Severity.WARNING


def _cut_off(way: Reach, passage: Passage) -> bool:
    """Whether a client gave up on what takes little time without the proxy, so that the proxy's part decided it."""
    gave_up = [span.seconds() for span in way.traffic if span.failure and span.failure.kind.is_timeout and span.end]
    shortest = min(gave_up, default=None)
    if shortest is None or passage.around is None:
        return False
    return passage.seconds > passage.around * TIMES_DIRECT and passage.seconds - passage.around >= shortest / 2


def _fix(variable: str, way: Reach, passage: Passage) -> Fix:
    """Unsetting helps only where the direct way does."""
    address = passage.proxy.removeprefix("proxy:")
    if passage.refused == WANTS_PASSWORD:
        return Fix(
            f"Give the proxy its credentials in {variable}", f"export {variable}=http://USER:PASSWORD@{address}", "sh"
        )
    if passage.direct is not None:
        return Fix(f"Correct or unset {variable}", f"unset {variable}", "sh")
    wanted = f"Have the proxy let {way.address} through" if passage.refused else "Start the proxy"
    return Fix(
        f"{wanted}, or name another one in {variable}",
        f"curl -sS -o /dev/null -v -x http://{address} {way.endpoint.scheme}://{way.address}/",
        "sh",
    )


def _beside(passage: Passage) -> str:
    if passage.recorded:
        return "Nobody tried the direct way."
    if passage.direct is None:
        return "A direct connection does not come about either: a working proxy is needed."
    return f"The direct way connects in {passage.direct * 1000:.1f} ms."
