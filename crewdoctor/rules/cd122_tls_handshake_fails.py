"""A host answers the TLS handshake with something else.

## What it compares
The handshakes with a host that were answered and failed (none succeeded) with the scheme the crew's URL names. Plain
HTTP on an `https://` port answers a ClientHello with text, which OpenSSL calls a wrong version number.

## Why it matters
It fails in milliseconds, so no timeout takes part, and every layer retries it as a lost connection. The SDK reports
"Connection error." without the reason.

## Example
`base_url="https://localhost:8000/v1"` before a server that speaks HTTP: wrong version number, nine times.

## How to fix
Write the scheme the port speaks (`http://`), or the port that speaks TLS. For another alert, compare the protocol
versions and ciphers of both sides.

## References
- RFC 8446 section 6 (alerts), openssl-s_client(1)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, Reach, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import FailureKind, Span

ANSWERED = frozenset({FailureKind.TLS_FAILED, FailureKind.TCP_RESET, FailureKind.TCP_CLOSED})
NO_TLS = ("wrong version number", "http request", "record layer failure", "unknown protocol")
"""OpenSSL's words where the other side speaks no TLS at all."""


@rule("CD122", since="0.1", needs=("span:tls.handshake",), uses=("inventory", *REACH_KEYS))
def tls_handshake_fails(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint all of whose handshakes were answered by a failure."""
    for way in reaches(evidence):
        made = [span for span in evidence.spans("tls.handshake") if _towards(span, way)]
        failed = [span for span in made if span.failure and span.failure.kind in ANSWERED]
        if not failed or way.worked or len(failed) < len(made):
            continue
        said = _reason(failed[0])
        plain = any(words in said.lower() for words in NO_TLS)
        what = "speaks no TLS" if plain else "breaks off the TLS handshake"
        yield Finding(
            code="CD122",
            slug="tls_handshake_fails",
            # What a client of the crew brings along (a certificate of its own), the probe does not have.
            severity=way.severity if plain or way.traffic or way.replaced else Severity.WARNING,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"{way.address} {what}: {said} ({wording.plural(len(failed), 'handshake')}, none succeeded). "
                "No timeout took part, and no retry helps."
            ),
            evidence=tuple(dict.fromkeys(span.id for span in (*failed, *way.traffic))),
            location=way.endpoint.location,
            fix=_fix(way, plain=plain),
            lost=cost(way.traffic, evidence) or max(span.seconds() for span in failed),
            host=way.address,
        )


def _towards(span: Span, way: Reach) -> bool:
    """The probe's handshakes, and those of the crew itself; where every client takes a proxy, the crew's alone.

    Through a tunnel their host is the endpoint's and their port the proxy's.
    """
    if span.step.startswith("net."):
        return way.direct and span.subject == way.endpoint.subject and "sample" in span.attrs
    return span.attrs.get("host") == way.endpoint.host and (
        not way.direct or span.attrs.get("port") == way.endpoint.port
    )


def _reason(span: Span) -> str:
    """What OpenSSL said, without the place in its source: `wrong version number`."""
    text = span.failure.text if span.failure else ""
    return text.rpartition("] ")[2].partition(" (_ssl.c")[0] or text


def _fix(way: Reach, *, plain: bool) -> Fix:
    where = way.endpoint.source or "the setting that names it"
    if plain:
        return Fix(f"Write http:// in {where}, or the port that speaks TLS", f"curl -sSi http://{way.address}/", "sh")
    shown = f"openssl s_client -connect {way.address} -servername {way.endpoint.host} </dev/null"
    return Fix(f"See which side ends the handshake with {way.address}", shown, "sh")
