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

from collections.abc import Iterator
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import Reach, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import Span
from crewdoctor.trust import TRUST_KEYS, Mistrust, mistrust

AT_THE_SERVER = {9: "is not valid yet", 10: "has expired", 62: "is for another name", 64: "is for another address"}
"""OpenSSL's codes for what no trust store can mend."""


@rule(
    "CD120",
    since="0.1",
    needs=("result:net.tls|program", "span:tls.handshake"),
    uses=TRUST_KEYS,
)
def certificate_not_trusted(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint some client of which cannot verify its certificate, and did not get there otherwise."""
    for way in reaches(evidence):
        found = mistrust(evidence, way)
        if found is not None:
            yield _finding(evidence, way, found)


def _finding(evidence: Evidence, way: Reach, found: Mistrust) -> Finding:
    refusing, seen = found.refusing, found.seen
    spans = list({span.id: span for span in refusing.values()}.values())
    said = "; ".join(f"{each['client']} looks in {_place(each)}" for each in found.stores)
    first = spans[0]
    said = said or f"it was judged by {first.attrs.get('trust') or 'a store nobody named'}"
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
            f"{way.address}{_shown(found.certificate)}: {_why(first)}. {said}{_elsewhere(found)}."
            f"{'' if seen else ' No request of the crew itself was seen.'}"
        ),
        evidence=tuple(dict.fromkeys([*(span.id for span in (*spans, *seen)), *_step(first)])),
        measured=Quantity("clients that trust it", 0, unit="clients", n=len(refusing)),
        limit=Quantity("clients that connect", len(refusing), unit="clients", where=str(first.attrs.get("trust", ""))),
        location=way.endpoint.location,
        fix=_fix(first, found),
        lost=max(cost(seen, evidence), cost(way.traffic, evidence)) or first.seconds(evidence.end_of(first)),
        host=way.address,
        observed=severity is Severity.ERROR,
    )


def _step(span: Span) -> tuple[str, ...]:
    """The probe that shook hands; a program's own steps are none."""
    return (f"step:{span.step}",) if span.step.startswith("net.") else ()


def _shown(certificate: dict[str, Any]) -> str:
    return f" (issued by {certificate['issuer']!r})" if certificate.get("issuer") else ""


def _why(span: Span) -> str:
    if span.attrs.get("unreadable"):
        return f"{span.attrs['trust']} cannot be read ({span.attrs['unreadable']})"
    told = span.failure.text.rpartition("certificate verify failed: ")[2] if span.failure else ""
    return str(span.attrs.get("verify_message") or told.partition(" (_ssl.c")[0] or "it could not be verified")


def _place(store: dict[str, Any]) -> str:
    where = f" ({store['path']})" if store.get("path") else ""
    read = " or ".join(store.get("reads", ())[:1])
    return f"{store['label']}{where}" + (f" and reads {read}" if read and not store["label"].startswith("env ") else "")


def _elsewhere(found: Mistrust) -> str:
    others = [f"{each['label']}{' (' + each['path'] + ')' if each['path'] else ''}" for each in found.others]
    return f"; {', '.join(others)} would have trusted it" if others else ""


def _fix(span: Span, found: Mistrust) -> Fix:
    code = span.attrs.get("verify_code")
    if code in AT_THE_SERVER:
        name = found.certificate.get("subject") or "the certificate"
        shown = found.certificate.get("not_after", "")
        return Fix(f"Renew it at the server: {name} {AT_THE_SERVER[code]}", f"valid until {shown}", "text")
    held = next((each["path"] for each in found.others if each["path"]), "")
    bundle = held or "/path/to/bundle-with-this-issuer.pem"
    variables = dict.fromkeys(each["reads"][0] for each in found.stores if each.get("reads"))
    return Fix(
        f"Name a bundle that holds {found.certificate.get('issuer') or 'the issuer'} in the variable the client reads",
        "\n".join(f'export {name}="{bundle}"' for name in variables or ("SSL_CERT_FILE",)),
        "sh",
    )
