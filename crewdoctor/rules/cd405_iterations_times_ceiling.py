"""An agent's turns, each within its limits, may add up to far more than what is around the crew allows.

## What it compares
`max_iter` times the longest a turn may take (one attempt of the model's call and the slowest of its tools, each just
within its timeout) with the shortest limit around the crew.

## Why it matters
Limits of single calls bound single calls. An agent that is not content goes round again, 25 times by default, and each
round is allowed everything again. It is exposure that mostly comes from defaults: a note, never a finding.

## Example
25 turns of 30 s for the model and 10 s for the tool are 17 min; the function's limit is 5 min.

## How to fix
`max_iter=5` for an agent whose work takes two or three turns; timeouts near what calls really take.

## References
- crewAI documentation, "Agents": `max_iter`, 25 by default
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget import told
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import AgentEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting


@rule("CD405", since="0.1", needs=("setting:agent.max_iter", "ledger"), uses=("inventory",))
def iterations_times_ceiling(evidence: Evidence) -> Iterator[Finding]:
    """One note: the agent whose turns add up to most."""
    outers = evidence.ledger.outers
    if not outers or not isinstance(outers[0].value, Seconds):
        return
    longest = max(
        (held for agent in evidence.inventory.agents if (held := _turns(evidence, agent)) is not None),
        key=lambda each: each[1],
        default=None,
    )
    if longest is not None and longest[1] > outers[0].value.value:
        yield _finding(outers[0], *longest)


def _turns(evidence: Evidence, agent: AgentEntry) -> tuple[Setting, float, str] | None:
    """The setting, the seconds and the formula; None where a term is unknown or without limit."""
    setting = evidence.setting("agent", "max_iter", agent.subject)
    terms = evidence.ledger.terms(agent.llm) if agent.llm else None
    if setting is None or not isinstance(setting.value, int) or terms is None or not isinstance(terms.attempt, Seconds):
        return None
    ceilings = [evidence.ledger.tool(tool).ceiling for tool in agent.tools]
    tools = [each.value for each in ceilings if isinstance(each, Seconds)]
    turn = terms.attempt.value + max(tools, default=0.0)
    tail = f" + {wording.exact(max(tools))}" if tools else ""
    formula = f"{setting.value} turns {wording.TIMES} ({wording.exact(terms.attempt.value)}{tail})"
    return setting, setting.value * turn, formula


def _finding(outer: Setting, setting: Setting, seconds: float, formula: str) -> Finding:
    return Finding(
        code="CD405",
        slug="iterations_times_ceiling",
        severity=Severity.INFO,
        layer=Layer.AGENT,
        subject=setting.subject,
        message=(
            f"{setting.subject} may go round for {wording.seconds(seconds)} = {formula} with every call within its "
            f"limit; {told(outer)} allows {wording.limit(outer.value)} (max_iter: {setting.provenance.where})."
        ),
        evidence=(setting.id, *((outer.id,) if outer.provenance.location else ())),
        measured=Quantity("turns", Seconds(seconds)),
        limit=Quantity(outer.note or outer.subject, outer.value, where=outer.provenance.where),
        location=setting.provenance.location,
        fix=Fix("Allow as many turns as its work takes", "Agent(..., max_iter=5)"),
        observed=False,
    )
