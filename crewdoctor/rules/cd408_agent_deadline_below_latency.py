"""max_execution_time is shorter than the agent's work takes when everything is well.

## What it compares
What an agent's execution took in the crew with its `max_execution_time`, where every call inside (model and tools)
was healthy and ended within the limit: there was nothing to interrupt, the work itself is longer. It also speaks
where the limit ended an execution on time. Where one call alone outlived the limit, or calls failed, that call is the
story: CD401.

## Why it matters
The task fails with "timed out after N seconds", its result is thrown away though it was right, and crewAI does not
run it again. On the synchronous path the user has waited for the whole work before being told.

## Example
`max_execution_time=10`; six model calls of 2 s and three tool calls of 1 s: finished after 15.2 s, and discarded.

## How to fix
Allow about twice what the work was measured to need, or give the agent less to do (fewer tools, a smaller task,
`max_iter`).

## References
- crewAI `agent/core.py`, `_execute_with_timeout`: TimeoutError is raised again, never retried
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.calls import overload, rounded_up
from crewdoctor.deadlines import DEADLINE_KEYS, Overrun, overruns
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds


@rule("CD408", since="0.1", needs=("span:agent.execution", "setting:agent.max_execution_time"), uses=DEADLINE_KEYS)
def agent_deadline_below_latency(evidence: Evidence) -> Iterator[Finding]:
    """One finding per agent whose healthy work does not fit into its limit."""
    for overrun in overruns(evidence):
        if overrun.adds_up or overrun.interrupted:
            yield _finding(evidence, overrun)


def _finding(evidence: Evidence, overrun: Overrun) -> Finding:
    span, setting = overrun.span, overrun.setting
    models = sum(1 for call in overrun.calls if call.name == "llm.call")
    tools = len(overrun.calls) - models
    parts = [wording.plural(models, "model call")] if models else []
    parts += [wording.plural(tools, "tool call")] if tools else []
    wanted = rounded_up(2 * overrun.seconds)
    if overrun.interrupted:
        text = f"it was ended after {wording.seconds(overrun.seconds)}, before its work was done"
    else:
        text = f"its work took {wording.seconds(overrun.seconds)} with every call healthy ({wording.joined(parts)})"
    lost = " and its result was thrown away" if span.failure is not None else ""
    return Finding(
        code="CD408",
        slug="agent_deadline_below_latency",
        severity=Severity.ERROR,
        layer=Layer.AGENT,
        subject=span.subject,
        message=(
            f"{span.subject} may take max_execution_time={wording.exact(overrun.limit).removesuffix(' s')} "
            f"({setting.provenance.where}): {text}{lost}.{overload(evidence)}"
        ),
        evidence=(span.id, setting.id),
        measured=Quantity("execution", Seconds(round(overrun.seconds, 3)), n=overrun.executions),
        limit=Quantity("max_execution_time", Seconds(overrun.limit), where=setting.provenance.where),
        location=setting.provenance.location,
        fix=Fix(f"Allow about twice what the work needs: {wanted} s", f"Agent(..., max_execution_time={wanted})"),
        lost=overrun.seconds,
    )
