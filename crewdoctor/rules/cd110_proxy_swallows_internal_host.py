"""A host that should be reached directly goes through the proxy, by a client that reads NO_PROXY its own way.

## What it compares
The proxy each client library of the crew chooses for a host (asked of the library itself) with the NO_PROXY entry
meant for that host, and the proxy's answer with that of the direct way.

## Why it matters
No two libraries read NO_PROXY alike. CIDR ranges are honoured by requests for literal IPv4 addresses and by neither
httpx nor urllib nor the OpenAI SDK (httpx); `.example.com` excludes `example.com` itself in requests but not in
httpx; `host:port` is honoured by httpx, requests and urllib; `*.example.com` by none of them. The proxy then answers
502, 503 or 504 for a host it cannot know, which looks like an outage of the service.

## Example
`NO_PROXY=10.0.0.0/8` and a model at `http://10.1.2.3:8000`: curl and requests go direct, the OpenAI SDK gets 503 from
the proxy.

## How to fix
Name the host in NO_PROXY exactly as the URL does: `NO_PROXY=10.1.2.3,vllm.ml.svc.cluster.local`. An exact host or
address is the one form every client honours.

## References
- https://github.com/pydantic/httpx2/issues/1165 (CIDR in NO_PROXY)
- https://www.python-httpx.org/environment_variables/
- requests `utils.should_bypass_proxies`; CPython `urllib.request.proxy_bypass_environment`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.proxied import Passage
from crewdoctor.model.reach import Reach, internal, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNKNOWN, SettingValue
from crewdoctor.passages import PASSAGE_KEYS, passages

BY_ADDRESS = {"address", "range_of_address"}
"""No client resolves a name to compare it with NO_PROXY: with a proxy that serves, nobody was misled."""


@rule("CD110", since="0.1", needs=("result:net.proxy|program",), uses=PASSAGE_KEYS)
def proxy_swallows_internal_host(evidence: Evidence) -> Iterator[Finding]:
    """One finding per endpoint sent through a proxy against NO_PROXY, or that only the direct way reaches."""
    for way in reaches(evidence):
        for passage in passages(evidence, way):
            decision = passage.decisions[0]
            entry = decision.get("no_proxy_entry")
            tried = passage.direct is not None or passage.recorded  # a program goes one way only
            if not tried or not (entry or internal(way.endpoint.host)):
                continue
            if passage.recorded and not entry and (passage.unreachable or passage.denied):
                continue  # what ails the proxy itself is told of the proxy
            if not passage.failed and (not entry or decision.get("form") in BY_ADDRESS):
                continue
            if passage.failed and way.worked:
                continue
            yield _finding(way, passage, decision, entry)


def _finding(way: Reach, passage: Passage, decision: dict[str, Any], entry: str | None) -> Finding:
    clients = ", ".join(str(each["client"]) for each in passage.decisions)
    others = [str(each["client"]) for each in way.decisions if not each["proxy"]]
    severity = way.severity if passage.failed else Severity.WARNING
    if way.replaced:
        severity = Severity.INFO
    honoured = f", which {', '.join(others)} honour{'s' if len(others) == 1 else ''}" if others and entry else ""
    send = "send" if "," in clients else "sends"
    ignored = f"a form {clients} ignore{'' if ',' in clients else 's'}{honoured}"
    meant = f"NO_PROXY names it as {entry!r} ({_form(decision)}), {ignored}" if entry else "NO_PROXY does not name it"
    return Finding(
        code="CD110",
        slug="proxy_swallows_internal_host",
        severity=severity,
        layer=Layer.NETWORK,
        subject=way.endpoint.subject,
        message=(
            f"{clients} {send} {way.address} through the proxy {decision['proxy']}, which {passage.words}; "
            f"{_direct(passage)}. {meant}."
        ),
        # A dead proxy is its own root: what the crew saw of it is evidence there.
        evidence=((passage.exchange.id,) if passage.unreachable else passage.evidence) + passage.step,
        measured=passage.measured,
        limit=Quantity("direct connect", _direct_seconds(passage), where=way.address),
        location=way.endpoint.location,
        fix=Fix(
            f"Name {way.endpoint.host} in NO_PROXY exactly as the URL does",
            f'export NO_PROXY="{_corrected(passage.no_proxy, way.endpoint.host)}" no_proxy="$NO_PROXY"',
            "sh",
        ),
        lost=passage.lost,
        host=way.address,
        depends_on=(str(decision["subject"]),) if passage.unreachable else (),
    )


def _direct_seconds(passage: Passage) -> SettingValue:
    return UNKNOWN if passage.direct is None else round(passage.direct, 6)


def _direct(passage: Passage) -> str:
    if passage.direct is None:
        return "the program went no other way"
    return f"the direct way connects in {passage.direct * 1000:.1f} ms"


def _form(decision: dict[str, Any]) -> str:
    forms = {
        "cidr": "a CIDR range",
        "address": "the address of the name",
        "range_of_address": "a CIDR range its address lies in",
        "leading_dot": "a suffix with a leading dot",
        "port": "with a port",
        "wildcard": "a wildcard",
        "scheme": "with a scheme",
        "whitespace": "separated by spaces, not commas",
        "plain": "as it stands",
    }
    return forms.get(str(decision.get("form")), "as it stands")


def _corrected(value: str, host: str) -> str:
    """The list with the host in the one form everybody honours."""
    kept = [piece for item in value.split(",") for piece in item.split()]
    return ",".join(dict.fromkeys([*kept, host]))
