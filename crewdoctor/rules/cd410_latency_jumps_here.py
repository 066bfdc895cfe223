"""The same question takes much longer one layer higher.

## What it compares
One question asked of the same model at every rung, in turns in one process: a raw request, the SDK, crewAI's LLM, one
agent without tools. A rung jumps when an exact one-sided Mann-Whitney test says so (p <= 0.05 after Holm's correction
over all rungs), its median is at least 1.5 times the one below, and the difference is at least 1 s (ours). The step
from a bare connection to the first request is the model's own time and never reported: a slow model is not a fault.

## Why it matters
It separates "the model is slow" from "something between my agent and the model is slow": an SDK that retries,
callbacks, guardrails, tracing, memory, a token count sent before each call.

## Example
Raw request 0.4 s, SDK 0.4 s, crewAI's LLM 0.5 s, agent 6.9 s (n = 6, p = 0.004): the time is in the agent.

## How to fix
Look at what that layer adds: for the agent, switch off memory, planning, guardrails and callbacks one after the
other; for crewAI's LLM or the SDK, its retries and its hooks.

## References
- Mann and Whitney 1947; Holm 1979
- crewAI `agent_utils.py`: a token count is requested before each call to api.openai.com
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import overload
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.result import StepResult
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds
from crewdoctor.sampling import Jump, jumps

ABOVE = {"sdk": Layer.LLM, "crewai llm": Layer.LLM, "agent": Layer.AGENT}
"""Rungs above the wire, and whose time theirs is."""
NAMES = {"sdk": "the SDK", "crewai llm": "crewAI's LLM", "agent": "an agent without tools"}
WORTH = 1.0
"""Ours: a second. Less is a busy machine, or imports."""


@rule("CD410", since="0.1", needs=("result:ladder",), uses=("span:ladder.rung",))
def latency_jumps_here(evidence: Evidence) -> Iterator[Finding]:
    """One finding per ladder: its largest jump above the wire."""
    for result in evidence.results("ladder"):
        samples = [
            (str(rung.get("name", "")), [float(each) for each in rung.get("seconds", ())])
            for rung in result.facts.get("rungs", ())
            if isinstance(rung, dict)
        ]
        found = [jump for jump in jumps(samples) if jump.upper in ABOVE and jump.seconds >= WORTH]
        if found:
            yield _finding(evidence, result, max(found, key=lambda jump: jump.seconds))


def _finding(evidence: Evidence, result: StepResult, jump: Jump) -> Finding:
    spans = [
        span
        for span in evidence.spans("ladder.rung", subject=result.step.subject)
        if span.step == result.step.id and span.attrs.get("rung") in {jump.lower, jump.upper}
    ]
    below = NAMES.get(jump.lower, jump.lower)
    return Finding(
        code="CD410",
        slug="latency_jumps_here",
        severity=Severity.WARNING,
        layer=ABOVE[jump.upper],
        subject=result.step.subject,
        message=(
            f"The same question takes {wording.seconds(jump.upper_median)} through {NAMES[jump.upper]} and "
            f"{wording.seconds(jump.lower_median)} through {below} (medians of {jump.n}, p = {jump.p:.3f}): "
            f"{wording.seconds(jump.seconds)} are added there.{overload(evidence)}"
        ),
        evidence=(*(span.id for span in spans), f"step:{result.step.id}"),
        measured=Quantity(f"median through {NAMES[jump.upper]}", Seconds(round(jump.upper_median, 3)), n=jump.n),
        limit=Quantity(f"median through {below}", Seconds(round(jump.lower_median, 3)), n=jump.n),
        fix=Fix("Switch off what that layer adds, one after the other", "Crew(..., memory=False, planning=False)"),
        lost=jump.seconds,
    )
