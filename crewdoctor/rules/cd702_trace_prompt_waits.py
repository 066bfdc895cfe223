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

from crewdoctor import wording
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.model.span import Span

WAITS = 20
"""Seconds (crewai 1.15)."""
NOTABLE = 2.0
"""Ours: seconds of a question that really stood there."""
FIX = Fix("Answer it once, or decide beforehand", "export CREWAI_TRACING_ENABLED=false", "sh")


@rule("CD702", since="0.1", needs=("inventory", "result:inspect"), uses=("span:prompt.trace",))
def trace_prompt_waits(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where the question will be put, or was."""
    put = [span for span in evidence.spans("prompt.trace") if span.seconds(evidence.end_of(span)) >= NOTABLE]
    if put:
        yield _measured(evidence, put[0])
        return
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
        fix=FIX,
        observed=False,
    )


def _measured(evidence: Evidence, span: Span) -> Finding:
    spent = span.seconds(evidence.end_of(span))
    return Finding(
        code="CD702",
        slug="trace_prompt_waits",
        severity=Severity.WARNING,
        layer=Layer.ENVIRONMENT,
        subject="terminal",
        message=(
            f"crewAI asked on the terminal whether to show its trace, and the program waited {wording.seconds(spent)} "
            f"for an answer (span {span.id}); unanswered, it waits {WAITS} s."
        ),
        evidence=(span.id,),
        measured=Quantity("wait for an answer", Seconds(round(spent, 3)), n=1),
        limit=Quantity("a wait that nobody notices", Seconds(NOTABLE), where="crewdoctor"),
        fix=FIX,
        lost=spent,
    )
