"""The proxy a client goes through refuses to open a tunnel to a host the crew needs.

## What it compares
The proxy's answer to CONNECT, asked as each client of the crew would (its own choice of proxy, its credentials), with
the 2xx that opens a tunnel. Asked once, it is answered by the proxy alone: the host behind it was never reached.

## Why it matters
407 wants credentials (or better ones), 403 and 405 are a policy about this host or port. The client shows neither: the
OpenAI SDK reports "Connection error." and tries again, requests a ProxyError, and crewAI runs the task anew. No timeout
takes part and no retry helps.

## Example
`HTTPS_PROXY=http://proxy.corp:3128` without a name and password: 407 to `CONNECT api.openai.com:443`, nine times.

## How to fix
407: put the credentials into the URL of the variable the report names (percent-encoded). 403: have the proxy allow the
host and port, or name the host in NO_PROXY where it can be reached directly.

## References
- RFC 9110 sections 9.3.6 (CONNECT) and 15.5.8 (407)
- httpcore `_sync/http_proxy.py`: any answer but 2xx is a ProxyError; urllib3: "Tunnel connection failed"
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity
from crewdoctor.model.layer import Layer
from crewdoctor.model.proxied import Passage
from crewdoctor.model.reach import Reach, internal, reaches
from crewdoctor.model.rule import rule
from crewdoctor.passages import PASSAGE_KEYS, passages

NEEDS_CREDENTIALS = 407
OPENS_THE_TUNNEL = 200


@rule(
    "CD112",
    since="0.1",
    needs=("result:net.proxy|program", "span:proxy.connect|program"),
    uses=PASSAGE_KEYS,
)
def proxy_refuses_connect(evidence: Evidence) -> Iterator[Finding]:
    """One finding per proxy; the endpoint refused first speaks for the others."""
    refused: dict[str, list[tuple[Reach, Passage]]] = {}
    for way in reaches(evidence):
        for passage in passages(evidence, way):
            if passage.denied and not way.worked and not _meant_for_the_direct_way(way, passage):
                refused.setdefault(passage.proxy, []).append((way, passage))
    for proxy, held in refused.items():
        held.sort(key=lambda each: each[0].severity.rank)
        way, passage = held[0]
        decision = passage.decisions[0]
        variable = str(decision.get("variable") or "the proxy variable")
        clients = list(dict.fromkeys(str(each["client"]) for _, one in held for each in one.decisions))
        hosts = ", ".join(other.address for other, _ in held)
        yield Finding(
            code="CD112",
            slug="proxy_refuses_connect",
            severity=way.severity,
            layer=Layer.NETWORK,
            subject=proxy,
            message=(
                f"the proxy {decision['proxy']} ({variable}) answers {passage.refused} to CONNECT {hosts}, as "
                f"{', '.join(clients)} would ask it: {_why(passage)}. The host itself was never asked."
            ),
            evidence=tuple(dict.fromkeys(each for _, one in held for each in (*one.evidence, *one.step))),
            measured=Quantity("answer to CONNECT", passage.refused, unit="", n=len(held)),
            limit=Quantity("opens the tunnel", OPENS_THE_TUNNEL, unit="", where=variable),
            fix=_fix(way, passage, variable),
            lost=max(one.lost for _, one in held),
            host=proxy.removeprefix("proxy:"),
        )


def _meant_for_the_direct_way(way: Reach, passage: Passage) -> bool:
    """NO_PROXY names it, or it is internal and reached without: then it should not have gone there (CD110)."""
    named = any(each.get("no_proxy_entry") for each in passage.decisions)
    if passage.recorded:
        return named
    return passage.direct is not None and (named or internal(way.endpoint.host))


def _why(passage: Passage) -> str:
    if passage.refused == NEEDS_CREDENTIALS:
        return "it wants a name and a password, and got none it accepts"
    return "its policy does not let this host or port through"


def _fix(way: Reach, passage: Passage, variable: str) -> Fix:
    scheme, _, place = str(passage.decisions[0]["proxy"]).partition("://")
    if passage.refused == NEEDS_CREDENTIALS:
        return Fix(
            f"Give the proxy its name and password in {variable}",
            f'export {variable}="{scheme}://NAME:WORD@{place}"',
            "sh",
        )
    return Fix(
        f"Have the proxy allow {way.address}, or reach it directly",
        f'export NO_PROXY="$NO_PROXY,{way.endpoint.host}"  # only where it can be reached directly',
        "sh",
    )
