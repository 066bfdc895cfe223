"""A SOCKS proxy is set, and a client library of the crew was installed without what it needs for one.

## What it compares
The proxy variables in force with what each client library of the crew's own interpreter can do with them: it is asked
to make a client. Where the crew does not even load for it, what the library said while it was loaded.

## Why it matters
httpx reads ALL_PROXY when a client is made, and fails there, whatever host it was meant for and whatever NO_PROXY says:
the OpenAI SDK, and so `LLM(...)`, raises an ImportError before anything is sent. crewAI words it "Error importing
native provider", which sends people after the wrong package. requests fails later, on each call: "Missing dependencies
for SOCKS support." A desktop's proxy setting or `ssh -D` leaves such a variable behind.

## Example
`ALL_PROXY=socks5://127.0.0.1:1080` from a shell profile: `LLM(model="gpt-4o")` raises in crew.py:12.

## How to fix
Install the extra (`pip install 'httpx[socks]' 'requests[socks]'`), or unset the variable where the proxy is not meant.

## References
- httpx `_transports/default.py`, httpcore `_sync/socks_proxy.py`: the `socksio` package
- requests documentation, "SOCKS": `requests[socks]` installs PySocks
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.reach import REACH_KEYS, Reach, reaches
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Location
from crewdoctor.wire.codec import WireError, decode

EXTRA_OF = {"socksio": "httpx[socks]", "PySocks": "requests[socks]"}


@rule("CD113", since="0.1", needs=(), uses=("result:inspect", "inventory", *REACH_KEYS))
def proxy_needs_socks_extra(evidence: Evidence) -> Iterator[Finding]:
    """One finding for a crew that does not load for it, else one per model or endpoint whose client cannot be made."""
    for result in evidence.results("inspect"):
        told = result.facts.get("load_failure")
        if isinstance(told, dict) and told.get("kind") == "socks_extra":
            load = f"proxy:{told['proxy']}", "The crew does not load for it, and nothing was sent anywhere."
            yield _of_library(told, result.step.id, *load)
        for llm in evidence.inventory.llms:
            if isinstance(told := llm.attrs.get("socks_extra"), dict):
                yield _of_library(told, result.step.id, llm.subject, f"{llm.subject} ({llm.model}) cannot be called.")
    for way in reaches(evidence):
        stuck = [each for each in way.decisions if each.get("missing")]
        if stuck and not way.worked:
            yield _of_endpoint(way, stuck)


def _of_library(told: dict[str, Any], step: str, subject: str, outcome: str) -> Finding:
    """In the library's own words: nothing was asked of the network."""
    return Finding(
        code="CD113",
        slug="proxy_needs_socks_extra",
        severity=Severity.ERROR,
        layer=Layer.NETWORK,
        subject=subject,
        message=f"{told['sentence']}. {outcome}",
        evidence=(f"step:{step}",),
        location=_location(told.get("location")),
        fix=_fix([str(told["package"])], str(told["variable"])),
        host=str(told["proxy"]),
    )


def _of_endpoint(way: Reach, stuck: list[dict[str, Any]]) -> Finding:
    clients = ", ".join(str(each["client"]) for each in stuck)
    packages = list(dict.fromkeys(str(each["missing"]) for each in stuck))
    variable = str(stuck[0].get("variable") or "a proxy variable")
    return Finding(
        code="CD113",
        slug="proxy_needs_socks_extra",
        severity=way.severity,
        layer=Layer.NETWORK,
        subject=way.endpoint.subject,
        message=(
            f"{variable} names a SOCKS proxy, and {clients} cannot go to {way.address} for want of the package "
            f"{', '.join(packages)}: {str(stuck[0]['error']).rstrip('.')}. Nothing was sent."
        ),
        evidence=(f"step:{way.step}", *dict.fromkeys(span.id for span in way.traffic)),
        location=way.endpoint.location,
        fix=_fix(packages, variable),
        host=way.address,
    )


def _fix(packages: list[str], variable: str) -> Fix:
    extras = " ".join(f"'{EXTRA_OF[each]}'" for each in packages if each in EXTRA_OF)
    return Fix(f"Install what SOCKS needs, or unset {variable}", f"pip install {extras}  # or: unset {variable}", "sh")


def _location(value: object) -> Location | None:
    try:
        return decode(Location, value) if isinstance(value, dict) else None
    except WireError:
        return None
