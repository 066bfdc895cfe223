"""Which clients could not verify an endpoint's certificate: as a probe shook hands or a recorded program did. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.reach import REACH_KEYS, Reach, attempts_at
from crewdoctor.model.span import FailureKind, Span
from crewdoctor.surroundings import SURROUNDINGS_KEYS, own_stores

TRUST_KEYS = ("inventory", "result:net.tls", "span:tls.handshake", *REACH_KEYS, *SURROUNDINGS_KEYS)
"""What `mistrust` touches."""
ON_HTTPX = {"openai": "httpx", "httpx with an interceptor": "httpx"}
"""Libraries that leave the handshake to another one."""


@dataclass(frozen=True, slots=True)
class Mistrust:
    """One endpoint whose certificate some client refused."""

    refusing: dict[str, Span]
    """Client → its handshake."""
    seen: tuple[Span, ...]
    """What the crew itself met of it: requests and handshakes."""
    stores: tuple[dict[str, Any], ...] = ()
    """Where those clients look (`client label path reads`)."""
    certificate: dict[str, Any] = field(default_factory=dict)
    """`subject issuer not_before not_after` of what was shown, where somebody looked."""
    others: tuple[dict[str, Any], ...] = ()
    """Stores that would have trusted it (`label path`)."""


def mistrust(evidence: Evidence, way: Reach) -> Mistrust | None:
    """Who refused the certificate of `way`, of those who did not get there otherwise; None: nobody."""
    asked = {result.step.subject: result.facts for result in evidence.results("net.tls")}
    requests = [span for span in evidence.spans("http.request") if not span.step.startswith("net.")]
    there = [span for span in requests if _there(span, way)]
    through = {library(span) for span in there if span.failure is None and span.end is not None}
    stores, mine = own_stores(evidence), attempts_at(evidence, way.endpoint, "tls.handshake", "net.tls")
    owners = {span.id: str(span.attrs.get("client") or "") for span in requests}
    refusing: dict[str, Span] = {}
    for span in mine:
        clients = span.attrs.get("clients") or [owners.get(span.parent or "") or "its client"]
        for client in clients if _untrusted(span) else ():
            if ON_HTTPX.get(str(client), str(client)) not in through:
                refusing[str(client)] = span
    if not refusing:
        return None
    handshakes = [span for span in evidence.spans("tls.handshake") if not span.step.startswith("net.")]
    own = [span for span in handshakes if _there(span, way) or (evidence.program and span in mine)]
    seen = tuple(span for span in (*way.traffic, *own) if _untrusted(span))
    facts = asked.get(way.endpoint.subject, {})
    judged = " ".join(str(span.attrs.get("trust")) for span in refusing.values())
    own_ones = [each for each in stores if (each.get("path") or "system") in judged]  # a client may bring another one
    return Mistrust(
        refusing,
        seen,
        tuple(each for each in facts.get("stores") or own_ones if each["client"] in refusing),
        facts.get("certificate") or {},
        tuple(facts.get("others", ())),
    )


def library(span: Span) -> str:
    """The library a request really went through."""
    client = str(span.attrs.get("client"))
    return ON_HTTPX.get(client, client)


def _untrusted(span: Span) -> bool:
    return span.failure is not None and span.failure.kind is FailureKind.TLS_UNTRUSTED


def _there(span: Span, way: Reach) -> bool:
    return span.attrs.get("host") == way.endpoint.host and span.attrs.get("port") == way.endpoint.port
