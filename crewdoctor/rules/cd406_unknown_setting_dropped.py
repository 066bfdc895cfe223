"""A limit was written on an agent, a task or the crew, and crewAI dropped it without a word.

## What it compares
The keywords each constructor was given (a YAML configuration included) with what the built object holds: a keyword
that is no field, that no constructor or validator of the class reads, and that the object does not have afterwards is
gone. An agent's MCP servers and its planning count with it. Names that limit time, retries, a rate or concurrency are
findings; any other dropped name is a note.

## Why it matters
crewAI's models ignore keywords they do not know. `Agent(timeout=30)`, `Task(timeout=30)`, `Crew(timeout=30)` and every
typo of `max_execution_time` construct, run, and limit nothing: whoever wrote them believes to be protected.

## Example
`Agent(timeout=30)` at crew.py:14: the built Agent does not hold it; a tool call went on for 41 s.

## How to fix
Write the limit where it is read, and where it interrupts: on the model (`LLM(timeout=...)`) and on the tool's own call.
`max_execution_time` is the agent's name for it, though it does not interrupt a call (CD401). Tasks and crews have none:
bound the process that runs the crew.

## References
- crewAI `agent/core.py`, `task.py`, `crew.py`: pydantic models with the default `extra="ignore"`
- pydantic documentation, "Extra data"
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.dropped import Dropped, dropped
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import Seconds, Setting
from crewdoctor.model.span import Span
from crewdoctor.toolcalls import depends_on
from crewdoctor.waits import unfinished

KINDS = {"agent": "Agent", "task": "Task", "crew": "Crew"}
_PART = re.compile(r"^the built (MCPServer\w+|PlanningConfig) ")
HUNG = 4.0
"""Ours: seconds from which a call that was still going counts as one the limit was meant for."""


@rule(
    "CD406",
    since="0.1",
    needs=("inventory",),
    uses=("span:tool.call", "span:llm.call"),
)
def unknown_setting_dropped(evidence: Evidence) -> Iterator[Finding]:
    """One finding per dropped keyword."""
    for each in dropped(evidence, *KINDS):
        yield _finding(evidence, each)


def _finding(evidence: Evidence, each: Dropped) -> Finding:
    setting = each.setting
    kind = _kind(setting)
    lasted = _lasted(evidence, each)
    longest = max(lasted, key=lambda span: span.seconds(evidence.end_of(span)), default=None)
    version = evidence.inventory.versions.get("crewai", "")
    what = f"the built {kind} does not hold `{each.name}` (crewai{f' {version}' if version else ''})"
    meant = f"; what crewAI reads is `{each.nearest}`" if each.nearest else ""
    went_on = ""
    if longest is not None:
        state = "was still going after" if unfinished(longest) else "went on for"
        went_on = f": {longest.subject} {state} {wording.seconds(longest.seconds(evidence.end_of(longest)))}"
    held = longest is not None and each.seconds is not None
    return Finding(
        code="CD406",
        slug="unknown_setting_dropped",
        severity=Severity.ERROR if each.limits else Severity.INFO,
        layer=Layer.CREW if setting.scope == "crew" else Layer.AGENT,
        subject=setting.subject,
        message=(
            f"`{kind}({each.written})` ({setting.provenance.where}) was accepted and dropped, it limits nothing: "
            f"{what}{went_on}{meant}."
        ),
        evidence=(setting.id, *(span.id for span in lasted)),
        measured=Quantity("call", Seconds(round(longest.seconds(evidence.end_of(longest)), 3)), n=len(lasted))
        if held and longest is not None
        else None,
        limit=Quantity(each.name, Seconds(each.seconds), where=f"{setting.provenance.where}, dropped")
        if held and each.seconds is not None
        else None,
        location=setting.provenance.location,
        fix=_fix(each, kind),
        depends_on=_touched(evidence, lasted),
        observed=longest is not None,
    )


def _kind(setting: Setting) -> str:
    """The class it was given to: of an agent's parts their own."""
    part = _PART.search(setting.note)
    return part[1] if part else KINDS[setting.scope]


def _touched(evidence: Evidence, lasted: list[Span]) -> tuple[str, ...]:
    names = (name for span in lasted for name in (span.subject, *depends_on(evidence, span)))
    return tuple(dict.fromkeys(names))


def _lasted(evidence: Evidence, each: Dropped) -> list[Span]:
    """Calls of the holder that outlived the limit that was meant, or were still going when they were stopped."""
    calls = [*evidence.spans("tool.call"), *evidence.spans("llm.call")]
    if each.seconds is None:
        return []
    mine = _beneath(evidence, each.setting.subject)
    return [
        span
        for span in calls
        if span.subject in mine
        and not span.attrs.get("simulated")
        and (
            span.seconds(evidence.end_of(span)) > each.seconds
            or (unfinished(span) and span.seconds(evidence.end_of(span)) >= HUNG)
        )
    ]


def _beneath(evidence: Evidence, subject: str) -> set[str]:
    """The models and tools an agent, a task or the crew calls."""
    inventory = evidence.inventory
    if subject.startswith("crew:"):
        return {tool.subject for tool in inventory.tools} | {llm.subject for llm in inventory.llms}
    task = next((each for each in inventory.tasks if each.subject == subject), None)
    holder = task.agent if task is not None else subject
    agent = next((each for each in inventory.agents if each.subject == holder), None)
    own = task.tools if task is not None else ()
    return {*(own or (agent.tools if agent else ())), agent.llm if agent else ""} - {""}


def _fix(each: Dropped, kind: str) -> Fix:
    value = each.setting.value if each.seconds is not None else 30
    if each.nearest:
        return Fix(f"Write `{each.nearest}`", f"{kind}(..., {each.nearest}={each.setting.value})")
    if kind == "PlanningConfig" and each.timed:
        return Fix("Its limit is called step_timeout", f"PlanningConfig(..., step_timeout={value})")
    if not each.timed:
        return Fix(f"Remove it, or write a field {kind} has", f"{kind}.model_fields.keys()")
    if kind == "Agent":
        code = f"LLM(..., timeout={value}); requests.get(url, timeout={value})  # in the tool"
        return Fix("Put the limit on the calls: max_execution_time is the agent's own, and interrupts none", code)
    code = f"MCPServerAdapter(..., connect_timeout={value})" if kind.startswith("MCP") else f"LLM(..., timeout={value})"
    return Fix(f"A {kind} has no time limit: bound its calls, or the process", code)
