"""A tool was called when less time was left than it may take.

## What it compares
At each call of a tool in the crew: the tool's ceiling (its timeout, its own retries included) with what was left then
of the agent's `max_execution_time`, and of the limit around the crew. Only limits somebody wrote on both sides, and
only where the ceiling would have fitted in the beginning: what never fits is CD403's.

## Why it matters
Each limit was chosen with the other in mind, and the time before the call was forgotten: the model's turns, the tools
before. On the day the tool's service is slow, the tool is within its limit, the agent is beyond its own, and the result
that came in time is thrown away.

## Example
`max_execution_time=30`; 14 s had passed when `search` was called, whose own timeout is 20 s.

## How to fix
Give the tool what is left, not what there was: a timeout of half the agent's limit at most; or raise the agent's.

## References
- Google SRE Book, chapter 22, "Deadline propagation"
- crewAI `agent/core.py`: `max_execution_time` bounds the whole execution
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from crewdoctor import wording
from crewdoctor.budget import told
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span

KEYS = ("span:agent.execution", "span:crew.kickoff", "span:tool.call")


@dataclass(frozen=True, slots=True)
class _Tight:
    call: Span
    around: Span
    limit: Setting
    ceiling: float
    left: float

    @property
    def ratio(self) -> float:
        return self.ceiling / max(self.left, 0.001)


@rule("CD302", since="0.1", needs=("span:tool.call", "ledger"), uses=KEYS)
def tool_outlives_agent(evidence: Evidence) -> Iterator[Finding]:
    """One finding per tool: the call that was left least."""
    found: dict[str, _Tight] = {}
    for each in _tight(evidence):
        known = found.get(each.call.subject)
        if known is None or each.ratio > known.ratio:
            found[each.call.subject] = each
    for each in found.values():
        yield _finding(evidence, each)


def _tight(evidence: Evidence) -> Iterator[_Tight]:
    ledger = evidence.ledger
    limits = [(span, ledger.deadlines.get(span.subject)) for span in evidence.spans("agent.execution")]
    limits += [(span, outer) for span in evidence.spans("crew.kickoff") for outer in ledger.outers[:1]]
    for around, limit in limits:
        if limit is None or not isinstance(limit.value, Seconds) or not limit.written:
            continue
        for call in evidence.children(around, "tool.call"):
            known = ledger.tool(call.subject)
            ceiling = known.ceiling
            left = limit.value.value - (call.start - around.start)
            if isinstance(ceiling, Seconds) and known.written and 0 < left < ceiling.value <= limit.value.value:
                yield _Tight(call, around, limit, ceiling.value, left)


def _finding(evidence: Evidence, tight: _Tight) -> Finding:
    known = evidence.ledger.tool(tight.call.subject)
    limit = tight.limit
    agent = limit.name == "max_execution_time"
    whose = f"max_execution_time of {limit.subject} ({limit.provenance.where})" if agent else told(limit)
    half = max(1, int(limit.value.value / 2)) if isinstance(limit.value, Seconds) else 1
    cited = (limit.id,) if agent or limit.provenance.location else ()
    return Finding(
        code="CD302",
        slug="tool_outlives_agent",
        severity=Severity.WARNING,
        layer=Layer.TOOL,
        subject=tight.call.subject,
        message=(
            f"When {tight.call.subject} was called, {wording.seconds(tight.left)} were left of the "
            f"{wording.limit(limit.value)} of {whose}, and it may take {wording.exact(tight.ceiling)}"
            f"{f' ({known.where})' if known.where else ''}."
        ),
        evidence=tuple(dict.fromkeys((tight.call.id, tight.around.id, *cited, *known.ids))),
        measured=Quantity("left when it was called", Seconds(round(tight.left, 3)), n=1),
        limit=Quantity("ceiling of the tool", Seconds(tight.ceiling), where=known.where),
        location=known.location or limit.provenance.location,
        fix=Fix("Give the tool half of what the agent has, at most", f"timeout={half}"),
        observed=False,
    )
