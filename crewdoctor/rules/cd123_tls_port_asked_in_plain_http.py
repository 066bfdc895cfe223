"""A URL says `http://`, and the port speaks TLS.

## What it compares
The scheme of the crew's URL with what the port answers: the requests in plain HTTP were broken off (or answered 400),
and a TLS handshake with the same port succeeded. The mirror of CD122.

## Why it matters
A TLS server takes the request line for a broken handshake and hangs up at once. The SDK reports "Connection error.",
a tool "Connection aborted" or "reset by peer": that reads like a network that drops connections, and is retried.
No timeout takes part.

## Example
`base_url="http://gateway.internal:8443/v1"`: nine requests, each closed unanswered; a handshake agrees on TLSv1.3.

## How to fix
Write `https://` in the URL; if the certificate is your own authority's, let the client know it (CD120).

## References
- RFC 8446 section 5.1 (the record layer); nginx: "The plain HTTP request was sent to HTTPS port"
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, Reach, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import FailureKind, Span

BROKEN_OFF = frozenset({FailureKind.TCP_CLOSED, FailureKind.TCP_RESET, FailureKind.PROTOCOL})
BAD_REQUEST = 400


@rule("CD123", since="0.1", needs=("result:net.plain",), uses=("inventory", *REACH_KEYS))
def tls_port_asked_in_plain_http(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint that answers TLS alone."""
    agreed = {result.step.subject: result for result in evidence.results("net.plain") if result.facts.get("tls")}
    for way in reaches(evidence):
        result = agreed.get(way.endpoint.subject)
        asked = [span for span in way.traffic if span.name == "http.request"]
        if result is None or way.worked or not asked or not all(_misunderstood(span) for span in asked):
            continue
        refused = any(span.attrs.get("status") == BAD_REQUEST for span in asked)
        ended = "answered 400" if refused else "broken off without an answer"
        yield Finding(
            code="CD123",
            slug="tls_port_asked_in_plain_http",
            severity=way.severity,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"{way.address} speaks TLS, and {_named(way)} says {way.endpoint.scheme}://: "
                f"{wording.plural(len(asked), 'request')} in plain text, each {ended}; a handshake with the same port "
                f"agreed on {result.facts['tls']}. No timeout took part, and no retry helps."
            ),
            evidence=(f"step:{result.step.id}", *(span.id for span in way.traffic)),
            location=way.endpoint.location,
            fix=Fix(f"Write https:// in {_named(way)}", f"curl -sSik https://{way.address}/", "sh"),
            lost=cost(way.traffic, evidence),
            host=way.address,
        )


def _named(way: Reach) -> str:
    return way.endpoint.source or "the setting that names it"


def _misunderstood(span: Span) -> bool:
    broken = span.failure is not None and span.failure.kind in BROKEN_OFF
    return broken or span.attrs.get("status") == BAD_REQUEST
