"""A host the crew needs turns connections away at once.

## What it compares
The time until the refusal (milliseconds) with the connect timeout of the clients that use the host: no timeout is
involved, and a longer one cannot help.

## Why it matters
Nothing listens on that address and port, or a firewall rejects by policy. The service is not started, listens on
another port or on 127.0.0.1 only, or the address is wrong: inside a container `localhost` is the container itself.
crewAI runs the whole task again for it (`max_retry_limit`), and a tool's refusal goes to the model as text.

## Example
`LLM(model="ollama/llama3", base_url="http://localhost:11434")` in a container: refused after 0.4 ms, nine times.

## How to fix
Start the service, or name the address and port it listens on (from a container the host is not `localhost`).

## References
- connect(2): ECONNREFUSED; RFC 9293 section 3.10.7.1 (a reset answers a segment for a closed port)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import LIMIT_KEYS, REACH_KEYS, Reach, attempts_at, connect_limit, cost, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.span import FailureKind, Span

TURNED_AWAY = {
    FailureKind.TCP_REFUSED: "refused",
    FailureKind.TCP_UNREACHABLE: "unreachable",
    FailureKind.TCP_RESET: "reset",
}


@rule("CD105", since="0.1", needs=("span:tcp.connect",), uses=("inventory", *REACH_KEYS, *LIMIT_KEYS))
def connection_refused(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint none of whose addresses takes a connection, each by an answer."""
    for way in reaches(evidence):
        limit = connect_limit(evidence, way.endpoint)
        mine = attempts_at(evidence, way.endpoint, "tcp.connect", "net.tcp")
        if not mine or way.worked or not way.direct:
            continue
        if any(span.failure is None or span.failure.kind not in TURNED_AWAY for span in mine):
            continue
        first = mine[0]
        words = " and ".join(dict.fromkeys(_words(span) for span in mine))
        yield Finding(
            code="CD105",
            slug="connection_refused",
            severity=way.severity,
            layer=Layer.NETWORK,
            subject=way.endpoint.subject,
            message=(
                f"{way.address} turned every connection away: {words}, the first after {_milliseconds(first)}. "
                f"{_nothing_there(way)} No timeout took part, and no longer one would help."
            ),
            evidence=tuple(span.id for span in (*mine, *way.traffic)),
            measured=Quantity("connect turned away", round(first.seconds(), 6), n=len(mine)),
            limit=limit,
            location=way.endpoint.location,
            fix=Fix(
                f"Start the service, or correct the address in {way.endpoint.source or 'the setting that names it'}",
                f"ss -ltn 'sport = :{way.endpoint.port}'  # on {way.endpoint.host}",
                "sh",
            ),
            lost=cost(way.traffic, evidence) or first.seconds(),
            host=way.address,
        )


def _words(span: Span) -> str:
    assert span.failure is not None
    return f"{span.attrs['address']} {TURNED_AWAY[span.failure.kind]}"


def _milliseconds(span: Span) -> str:
    return f"{span.seconds() * 1000:.1f} ms"


def _nothing_there(way: Reach) -> str:
    if way.endpoint.host in {"localhost", "127.0.0.1", "::1"}:
        return f"Nothing listens on port {way.endpoint.port} of this machine (in a container: of this container)."
    return "Nothing listens there, or a firewall rejects by policy."
