"""At a terminal, the first run of a crew ends with a question about traces and waits for its answer.

## What it compares
Whether this is a terminal, whether crewAI has ever run here (its own record of consent), and the variables in force.
All three together mean the question will be put when the crew is run by hand; anywhere else it is not.

## Why it matters
The first kickoff seems to hang for 20 s after its work: who measures or scripts it sees a slow crew. It happens once
for each user and machine, so once in every fresh container that has a terminal.

## Example
First kickoff under a terminal, nobody answers: 23.1 s; the second: 0.1 s.

## How to fix
Answer it once, or say it in the environment: `CREWAI_TRACING_ENABLED=false`.

## References
- crewAI `events/listeners/tracing/utils.py`: `prompt_user_for_trace_viewing(timeout_seconds=20)`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule

WAITS = 20
"""Seconds (crewai 1.15)."""


@rule("CD702", since="0.1", needs=("inventory", "result:inspect"))
def trace_prompt_waits(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where the question will be put."""
    if not evidence.inventory.environment.get("trace_prompt"):
        return
    step = next(iter(evidence.results("inspect")), None)
    if step is None:
        return
    yield Finding(
        code="CD702",
        slug="trace_prompt_waits",
        severity=Severity.WARNING,
        layer=Layer.ENVIRONMENT,
        subject="terminal",
        message=(
            "In this folder crewAI has not run before: on a terminal, its first run ends with the question whether to "
            f"show its trace, and waits {WAITS} s for an answer."
        ),
        evidence=(f"step:{step.step.id}",),
        fix=Fix("Answer it once, or decide beforehand", "export CREWAI_TRACING_ENABLED=false", "sh"),
        observed=False,
    )
