"""Too few measurements to tell healthy from lucky.

## What it compares
The number of answered calls of a model whose timeout somebody wrote with what silence about it would need, and the
rounds of the ladder with the fewest that could show a jump. With n calls and none above the timeout, up to 1 -
0.05^(1/n) of all calls may still exceed it: 45 % for 5, 26 % for 10, 5 % for 59.

## Why it matters
A percentile from five calls is a guess. crewdoctor keeps its calls of a paid model few; where that decides what can
be said, it says so instead of calling it fine. It is a note, never a finding.

## Example
4 calls of gpt-4o stayed below its timeout of 20 s: with 95 % confidence at most 53 % of all calls exceed it.

## How to fix
Allow more calls (`--max-llm-calls 60`) where the answer matters.

## References
- Hahn and Meeker, Statistical Intervals, chapter 5 (distribution-free bounds)
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import MODEL_KEYS, attempts, exceeded_at_most
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds

ENOUGH = 5
"""Ours: fewer say next to nothing of a percentile."""
MORE = Fix("Allow more calls", "crewdoctor diagnose crew.py --max-llm-calls 60", "sh")


@rule(
    "CD904",
    since="0.1",
    needs=("span:llm.call",),
    uses=(*MODEL_KEYS, "setting:llm.timeout.read", "result:ladder", "inventory"),
)
def sample_too_small(evidence: Evidence) -> Iterator[Finding]:
    """One note per model with a written timeout and few calls; one per ladder that could not show a jump."""
    for llm in evidence.inventory.llms:
        setting = evidence.setting("llm", "timeout.read", llm.subject)
        answered = [each for each in attempts(evidence, llm) if each.ok]
        if setting is None or not setting.written or not isinstance(setting.value, Seconds):
            continue
        within = [each for each in answered if (each.latency or 0.0) <= setting.value.value]
        if not 0 < len(answered) < ENOUGH or len(within) < len(answered):
            continue
        yield Finding(
            code="CD904",
            slug="sample_too_small",
            severity=Severity.INFO,
            layer=Layer.LLM,
            subject=llm.subject,
            message=(
                f"{wording.plural(len(answered), 'call')} of {llm.model} stayed below its timeout of "
                f"{wording.limit(setting.value)}: with 95 % confidence at most {exceeded_at_most(len(answered)):.0%} "
                "of all calls exceed it."
            ),
            evidence=(*(each.span.id for each in answered), setting.id),
            fix=MORE,
            observed=False,
        )
    for result in evidence.results("ladder"):
        rungs = [rung for rung in result.facts.get("rungs", ()) if isinstance(rung, dict)]
        if result.facts.get("conclusive") is False and rungs:
            fewest = min(int(rung.get("samples") or 0) for rung in rungs)
            yield Finding(
                code="CD904",
                slug="sample_too_small",
                severity=Severity.INFO,
                layer=Layer.LLM,
                subject=result.step.subject,
                message=f"The ladder was climbed {fewest} times; fewer than {ENOUGH} can show no jump.",
                evidence=(f"step:{result.step.id}",),
                fix=MORE,
                observed=False,
            )
