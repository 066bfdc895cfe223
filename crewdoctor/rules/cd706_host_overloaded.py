"""The machine was busy with more than it has cores for while the crew was measured.

## What it compares
The load average at the start of the diagnosis with twice the number of usable cores.

## Why it matters
Every latency measured here holds time in the machine's own queue: a service looks slow that is not, a timeout looks too
low that is not. Rules about time say so and claim less; counts of requests and waits of many seconds stand.

## Example
Load 9.3 on 2 cores: timings are upper bounds.

## How to fix
Diagnose again when the machine is idle, or give the container more than it has (`resources.requests.cpu`).

## References
- proc(5), `/proc/loadavg`; Linux documentation, CPU bandwidth control of cgroups
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule

TIMES = 2


@rule("CD706", since="0.1", needs=("result:inspect",), uses=("result:crew.kickoff",))
def host_overloaded(evidence: Evidence) -> Iterator[Finding]:
    """One note: what a busy machine costs is said where it matters."""
    header = evidence.recording.header
    step = next(iter(evidence.results("inspect")), None)
    ends = [each.facts.get("load_at_end") for each in evidence.results("crew.kickoff")]
    load = max([header.load, *(float(each) for each in ends if isinstance(each, (int, float)))])
    if step is None or not header.cpus or load <= TIMES * header.cpus:
        return
    yield Finding(
        code="CD706",
        slug="host_overloaded",
        severity=Severity.INFO,
        layer=Layer.ENVIRONMENT,
        subject="machine",
        message=(
            f"This machine was overloaded (load {load:g} on {header.cpus} cores): every timing in this report "
            "is an upper bound."
        ),
        evidence=(f"step:{step.step.id}",),
        measured=Quantity("load", round(load, 2), unit=""),
        limit=Quantity("twice the cores", TIMES * header.cpus, unit=""),
        fix=Fix("Diagnose again when the machine is idle", "uptime", "sh"),
        observed=False,
    )
