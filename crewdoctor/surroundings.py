"""What a recorded program told of its surroundings, as facts of its process: resolver, proxies, trust stores. Pure."""

from __future__ import annotations

from typing import Any

from crewdoctor.model.evidence import Evidence

SURROUNDINGS_KEYS = ("result:crew.kickoff",)
"""What `surroundings` touches."""


def surroundings(evidence: Evidence, name: str) -> dict[str, Any]:
    """The fact `name` (`resolver no_proxy proxies`); empty in a diagnosis, whose probes ask for themselves."""
    told = (result.facts.get(name) for result in evidence.results("crew.kickoff"))
    return next((each for each in told if isinstance(each, dict)), {})


def own_stores(evidence: Evidence) -> list[dict[str, Any]]:
    """The trust stores of the program's clients: `client label path reads` of each, as `net.tls` tells them."""
    told = (result.facts.get("stores") for result in evidence.results("crew.kickoff"))
    held = next((each for each in told if isinstance(each, list)), [])
    return [each for each in held if isinstance(each, dict) and each.get("client") and "label" in each]
