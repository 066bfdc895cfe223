"""A host's certificate is not trusted by a client that connects to it.

## What it compares
The issuer of the certificate with the trust store each client library of the crew reads; every client is asked for its
own. Which other store of the same machine would have trusted it is tried as well. A client whose real requests got
through (its code brings its own store, or verifies nothing) is left out.

## Why it matters
No two libraries read the same variables: a company's CA in REQUESTS_CA_BUNDLE helps requests and neither httpx nor the
OpenAI SDK, which read SSL_CERT_FILE and fall back to certifi; urllib and aiohttp take the system's store. curl works,
one tool works, and the model's SDK reports "Connection error." after three attempts, which crewAI makes nine.

## Example
A gateway signed by the company's CA, which the image installed with update-ca-certificates: urllib trusts it, the
OpenAI SDK does not.

## How to fix
Name a bundle that holds the issuer beside the public authorities in the variable this client reads. An expired
certificate, or one for another name, can only be mended at the server.

## References
- https://www.python-httpx.org/advanced/ssl/ (SSL_CERT_FILE, SSL_CERT_DIR, certifi)
- requests `sessions.py`: REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE
- OpenSSL `x509_vfy.h`: 10 expired, 18 to 21 unknown issuer, 62 another name
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, Reach, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import FailureKind, Span

ON_HTTPX = {"openai": "httpx", "httpx with an interceptor": "httpx"}
"""Libraries that leave the handshake to another one."""
AT_THE_SERVER = {9: "is not valid yet", 10: "has expired", 62: "is for another name", 64: "is for another address"}
"""OpenSSL's codes for what no trust store can mend."""


@rule(
    "CD120",
    since="0.1",
    needs=("result:net.tls", "span:tls.handshake"),
    uses=("inventory", *REACH_KEYS),
)
def certificate_not_trusted(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint some client of which cannot verify its certificate, and did not get there otherwise."""
    asked = {result.step.subject: result.facts for result in evidence.results("net.tls")}
    probed = [span for span in evidence.spans("tls.handshake", probe="net.tls") if "sample" in span.attrs]
    requests = [span for span in evidence.spans("http.request") if not span.step.startswith("net.")]
    for way in reaches(evidence):
        mine = [span for span in probed if span.subject == way.endpoint.subject and _untrusted(span)]
        through = {
            _library(str(span.attrs.get("client")))
            for span in requests
            if span.failure is None and span.end is not None and _there(span, way)
        }
        refusing = {
            str(client): span for span in mine for client in span.attrs["clients"] if _library(client) not in through
        }
        if refusing:
            yield _finding(evidence, way, refusing, asked.get(way.endpoint.subject, {}))


def _finding(evidence: Evidence, way: Reach, refusing: dict[str, Span], facts: dict[str, Any]) -> Finding:
    spans = list({span.id: span for span in refusing.values()}.values())
    handshakes = [each for each in evidence.spans("tls.handshake") if not each.step.startswith("net.")]
    seen = [each for each in (*way.traffic, *handshakes) if _untrusted(each) and _there(each, way)]
    stores = [each for each in facts.get("stores", ()) if each["client"] in refusing]
    shown = facts.get("certificate") or {}
    said = "; ".join(f"{each['client']} looks in {_place(each)}" for each in stores)
    first = spans[0]
    happened = bool(seen) and way.severity is Severity.ERROR
    severity = Severity.INFO if way.replaced else Severity.ERROR if happened else Severity.WARNING
    return Finding(
        code="CD120",
        slug="certificate_not_trusted",
        severity=severity,
        layer=Layer.NETWORK,
        subject=way.endpoint.subject,
        message=(
            f"{', '.join(refusing)} {'do' if len(refusing) > 1 else 'does'} not trust the certificate of "
            f"{way.address}{_shown(shown)}: {_why(first)}. {said}{_elsewhere(facts)}."
            f"{'' if seen else ' No request of the crew itself was seen.'}"
        ),
        evidence=tuple(dict.fromkeys([*(span.id for span in (*spans, *seen)), f"step:{first.step}"])),
        measured=Quantity("clients that trust it", 0, unit="clients", n=len(refusing)),
        limit=Quantity("clients that connect", len(refusing), unit="clients", where=str(first.attrs["trust"])),
        location=way.endpoint.location,
        fix=_fix(first, stores, facts, shown),
        lost=max(cost(seen, evidence), cost(way.traffic, evidence)) or first.seconds(evidence.end_of(first)),
        host=way.address,
        observed=severity is Severity.ERROR,
    )


def _untrusted(span: Span) -> bool:
    return span.failure is not None and span.failure.kind is FailureKind.TLS_UNTRUSTED


def _library(client: str) -> str:
    return ON_HTTPX.get(client, client)


def _there(span: Span, way: Reach) -> bool:
    return span.attrs.get("host") == way.endpoint.host and span.attrs.get("port") == way.endpoint.port


def _shown(certificate: dict[str, Any]) -> str:
    return f" (issued by {certificate['issuer']!r})" if certificate.get("issuer") else ""


def _why(span: Span) -> str:
    if span.attrs.get("unreadable"):
        return f"{span.attrs['trust']} cannot be read ({span.attrs['unreadable']})"
    return str(span.attrs.get("verify_message") or "it could not be verified")


def _place(store: dict[str, Any]) -> str:
    where = f" ({store['path']})" if store.get("path") else ""
    read = " or ".join(store.get("reads", ())[:1])
    return f"{store['label']}{where}" + (f" and reads {read}" if read and not store["label"].startswith("env ") else "")


def _elsewhere(facts: dict[str, Any]) -> str:
    others = [f"{each['label']}{' (' + each['path'] + ')' if each['path'] else ''}" for each in facts.get("others", ())]
    return f"; {', '.join(others)} would have trusted it" if others else ""


def _fix(span: Span, stores: Sequence[dict[str, Any]], facts: dict[str, Any], shown: dict[str, Any]) -> Fix:
    code = span.attrs.get("verify_code")
    if code in AT_THE_SERVER:
        name = shown.get("subject") or "the certificate"
        return Fix(
            f"Renew it at the server: {name} {AT_THE_SERVER[code]}", f"valid until {shown.get('not_after', '')}", "text"
        )
    held = next((each["path"] for each in facts.get("others", ()) if each["path"]), "")
    bundle = held or "/path/to/bundle-with-this-issuer.pem"
    variables = dict.fromkeys(each["reads"][0] for each in stores if each.get("reads"))
    return Fix(
        f"Name a bundle that holds {shown.get('issuer') or 'the issuer'} in the variable the client reads",
        "\n".join(f'export {name}="{bundle}"' for name in variables or ("SSL_CERT_FILE",)),
        "sh",
    )
