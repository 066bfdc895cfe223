"""The crew could not be loaded, so nothing of it was diagnosed.

## What it compares
Nothing: loading stopped before there was anything to measure. It passes on the reason the loader found (a missing
package, variable or argument, a syntax error, code that contacts something at import, a crew written for another
crewAI) and its way out.

## Why it matters
What keeps crewdoctor from loading the crew mostly keeps it from running in a container as well: a variable that is
set on the laptop only, a package that is not in the image.

## Example
crew.py:3 imports `serpapi`, which is not installed in the interpreter the crew runs with.

## How to fix
Do what the message says; name another interpreter with `--python`, or another object with `crew.py:name`.

## References
- crewdoctor documentation, "What can be a target"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.options import Options
from crewdoctor.model.result import Status
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Location
from crewdoctor.wire.codec import WireError, decode

INSPECT = "inspect"
_MOST = 4
TOLD_ELSEWHERE = {"missing_inputs", "socks_extra"}
"""Reasons a rule of their own tells more of."""


@rule("CD902", since="0.1", needs=(f"result:{INSPECT}",))
def target_does_not_load(evidence: Evidence) -> Iterator[Finding]:
    """One finding, from the loader's own words."""
    for result in evidence.results(INSPECT):
        told = result.facts.get("load_failure")
        if not told and (evidence.recording.inventory is not None or result.status is Status.OK):
            continue
        if not told and evidence.recording.interrupted:
            continue  # whoever interrupted crewdoctor ended the load, not the target
        held = told if isinstance(told, dict) else _without_a_loader(result.reason)
        if held.get("kind") in TOLD_ELSEWHERE:
            continue
        way_out = str(held.get("way_out") or "")
        sentence = str(held.get("sentence") or "it does not load").rstrip(".")
        yield Finding(
            code="CD902",
            slug="target_does_not_load",
            severity=Severity.ERROR,
            layer=Layer.SETTINGS,
            subject=evidence.recording.header.options.target or result.step.subject,
            message=f"{sentence}{f'; {way_out}' if way_out else ''}.",
            evidence=(f"step:{result.step.id}",),
            location=_location(held.get("location")),
            fix=_fix(held, way_out, evidence.recording.header.options),
            attrs={"kind": str(held.get("kind") or "")},
        )


def _fix(held: dict[str, Any], way_out: str, options: Options) -> Fix | None:
    """The way out; where the target holds something that may be named instead, as commands to paste."""
    names = held.get("names")
    if not isinstance(names, list) or not names or not options.target:
        return Fix(way_out) if way_out else None
    head, colon, name = options.target.rpartition(":")
    base = head if colon and name.isidentifier() else options.target
    rows = (options.command(f"{base}:{each}") for each in names[:_MOST])
    title = f"Name {'it' if len(names) == 1 else 'one of them'}"
    return Fix(title, "\n".join(rows), "sh")


def _without_a_loader(reason: str) -> dict[str, Any]:
    """The worker itself did not get as far: its reason, written as the loader writes, a way out at its end."""
    sentence, _, way_out = reason.rpartition("; ")
    return {"sentence": sentence, "way_out": way_out} if "--python" in way_out and sentence else {"sentence": reason}


def _location(value: object) -> Location | None:
    if not isinstance(value, dict):
        return None
    try:
        return decode(Location, value)
    except WireError:
        return None
