"""Nothing in this crew says how long it may take.

## What it compares
Nothing with nothing: no agent has a `max_execution_time`, and no outer limit was named (`--outer`) or found in the
project's files. It states what the limits that do exist add up to for one dependency that goes silent. Where the
model's timeout is the SDK's default as well, CD203 tells the same with the formula, and this rule stays silent.

## Why it matters
Most crews are started by something that has a limit of its own: a web server (30 to 120 s), a job (900 s), a person.
When that one gives up first, what the crew did is lost and nobody learns which part was slow. It is exposure, not a
fault: a note, never a finding.

## Example
Timeouts are set on the model and on every tool, and still nothing ends a crew that is merely slow.

## How to fix
Name the limit of the platform (`--outer 60s`) so that the ledger compares with it, and bound what waits: the model's
timeout and retries, each tool's timeout. `max_execution_time` alone ends nothing (CD401).

## References
- Google SRE Book, chapter 22: deadlines should be stated once and propagated
- crewAI `agent/core.py`
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds


@rule(
    "CD402",
    since="0.1",
    needs=("setting:agent.max_execution_time", "ledger"),
    uses=("setting:llm.timeout.read", "inventory"),
)
def no_deadline_anywhere(evidence: Evidence) -> Iterator[Finding]:
    """One note per crew."""
    options = evidence.recording.header.options
    limits = evidence.settings("agent", "max_execution_time")
    if any(isinstance(setting.value, Seconds) for setting in limits) or evidence.ledger.outers:
        return
    defaults = [setting for setting in evidence.settings("llm", "timeout.read") if not setting.written]
    if not evidence.ledger.longest_hang or any(isinstance(setting.value, Seconds) for setting in defaults):
        return
    yield Finding(
        code="CD402",
        slug="no_deadline_anywhere",
        severity=Severity.INFO,
        layer=Layer.AGENT,
        subject=f"crew:{evidence.inventory.crew}" if evidence.inventory.crew else "crew",
        message=f"No agent has a deadline, and none was named for the platform; {evidence.ledger.longest_hang}.",
        evidence=tuple(setting.id for setting in limits),
        fix=Fix("Name the platform's limit", f"{options.command(options.target or 'crew.py')} --outer 60s", "sh"),
        observed=False,
    )
