"""A connection that had been idle failed when it was used again, and a fresh one works.

## What it compares
How long a kept connection had been idle when a request on it was reset, closed or never answered, without a byte of an
answer, with the idle time after which the client itself would have thrown it away; and with requests to the same host
on fresh connections, which were answered. Only requests of the crew itself count.

## Why it matters
Load balancers, NAT gateways and servers forget idle connections, some without telling either end. A client that keeps
them longer than that sends its next request into the void: "Connection reset by peer", "Server disconnected", or a wait
for the whole read timeout. An agent is idle for as long as the model thinks or a tool works, so it fails now and then,
in long tasks only. requests keeps connections without any limit, httpx for 5 s.

## Example
A tool with a module-level `requests.Session()` behind a balancer with 60 s: the call after a long answer of the model
is reset after 1 ms, the next one works.

## How to fix
Let the client give up idle connections before the server does (`httpx.Limits(keepalive_expiry=...)`), or retry a call
that failed before its first byte, or open a connection per call.

## References
- RFC 9112 section 9.6: a connection may be closed at any time; section 9.3.1: retrying
- https://www.python-httpx.org/advanced/resource-limits/ (keepalive_expiry, 5 s)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, Reach, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, SettingValue
from crewdoctor.model.span import Span
from crewdoctor.reuse import Use, proved, uses

IDLE = 0.5
"""Seconds (ours) a connection must have been idle before its idleness can have mattered."""
KEEPS = {"requests": UNLIMITED, "urllib3": UNLIMITED}
"""Clients whose pools never give up an idle connection by themselves."""


@rule(
    "CD130",
    since="0.1",
    needs=("span:net.exchange", "span:http.request"),
    uses=("inventory", "setting:llm.pool.keepalive_expiry", *REACH_KEYS),
)
def stale_connection_reused(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint where kept connections failed after a pause and fresh ones did not."""
    made = uses(evidence)
    for way in reaches(evidence):
        mine = [each for each in made if _there(each.request, way)]
        fresh = [each for each in mine if not each.idle and not each.exchange.attrs.get("reused")]
        if not any(each.ok for each in fresh) or any(each.request.failure for each in fresh):
            continue
        stale = [each for each in mine if each.idle >= IDLE and each.mute and proved(each, fresh)]
        survived = [each for each in mine if each.idle and each.ok]
        longest = max((each.idle for each in survived), default=0.0)
        if stale and longest < min(each.idle for each in stale):
            yield _finding(evidence, way, stale, fresh)


def _there(span: Span, way: Reach) -> bool:
    return span.attrs.get("host") == way.endpoint.host and span.attrs.get("port") == way.endpoint.port


def _finding(evidence: Evidence, way: Reach, stale: list[Use], fresh: list[Use]) -> Finding:
    worst = max(stale, key=lambda each: each.request.seconds())
    healed = all(
        any(
            one.ok and one.request.parent == each.request.parent
            for one in fresh
            if one.request.start > each.request.start
        )
        for each in stale
    )
    client = str(worst.request.attrs.get("client"))
    assert worst.request.failure is not None
    limit, where = _expiry(evidence, way, client)
    severity = Severity.WARNING if healed else way.severity
    return Finding(
        code="CD130",
        slug="stale_connection_reused",
        severity=severity,
        layer=Layer.NETWORK,
        subject=way.endpoint.subject,
        message=(
            f"a connection of {client} to {way.address} had been idle for {worst.idle:.1f} s; the next request on it "
            f"got {worst.request.failure.kind.value} after {worst.request.seconds():.3f} s and no byte of an answer, "
            f"while {sum(each.ok for each in fresh)} of {len(fresh)} on fresh connections were answered"
            f"{'; the client tried again and got through' if healed else ''}."
        ),
        evidence=tuple(dict.fromkeys(one for each in stale for one in (each.request.id, each.exchange.id))),
        measured=Quantity("idle before it failed", Seconds(round(worst.idle, 3)), n=len(stale)),
        limit=Quantity("idle time its client keeps a connection", limit, where=where),
        location=way.endpoint.location,
        fix=Fix(
            f"Give up idle connections to {way.address} sooner, or retry a call that failed before its first byte",
            "session.mount('https://', HTTPAdapter(max_retries=Retry(total=2, backoff_factor=0.2)))"
            if client in KEEPS
            else f"httpx.Client(limits=httpx.Limits(keepalive_expiry={max(1, int(worst.idle / 2))}))",
        ),
        lost=sum(each.request.seconds() for each in stale),
        host=way.address,
    )


def _expiry(evidence: Evidence, way: Reach, client: str) -> tuple[SettingValue, str]:
    for setting in evidence.settings("llm", "pool.keepalive_expiry"):
        if setting.subject in way.endpoint.used_by and isinstance(setting.value, (int, float)):
            return Seconds(float(setting.value)), setting.provenance.where
    return KEEPS.get(client, UNKNOWN), f"{client} gives up none by itself" if client in KEEPS else ""
