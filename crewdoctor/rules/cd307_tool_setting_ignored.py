"""A limit was given to a tool, and the tool dropped it.

## What it compares
The keywords a tool's constructor was given with what the built object holds, and, where it is known, with the timeout
really in force on the tool's own calls. A keyword that happens to say what holds anyway is a note.

## Why it matters
Tools are pydantic models that ignore what they do not know. `SerperDevTool(timeout=15)` constructs and keeps its own
10 s; a tool without any timeout of its own stays without one.

## Example
`SerperDevTool(timeout=15)` at crew.py:14: the built tool does not hold it; its own 10 s decide.

## How to fix
Subclass the tool and pass the limit to its call, or wrap the call; where another limit is hard-coded, choose a tool
that lets you say it.

## References
- crewAI `tools/base_tool.py`: pydantic models with the default `extra="ignore"`
- crewai_tools `serper_dev_tool.py`: `timeout=10` is hard-coded
"""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.dropped import Dropped, dropped
from crewdoctor.model.evidence import Evidence
from crewdoctor.model.finding import Finding, Fix, Quantity, Severity
from crewdoctor.model.inventory import ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.rule import rule
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds


@rule("CD307", since="0.1", needs=("inventory",), uses=("ledger",))
def tool_setting_ignored(evidence: Evidence) -> Iterator[Finding]:
    """One finding per dropped keyword of a tool."""
    tools = {tool.subject: tool for tool in evidence.inventory.tools}
    for each in dropped(evidence, "tool"):
        tool = tools.get(each.setting.subject)
        if tool is not None:
            yield _finding(evidence, each, tool)


def _finding(evidence: Evidence, each: Dropped, tool: ToolEntry) -> Finding:
    setting = each.setting
    known = evidence.ledger.tool(tool.subject)
    kind = tool.kind.rpartition(".")[2]
    where = f" ({known.where})" if known.where else ""
    decides = ""
    if each.timed and known.timeout is not UNKNOWN:
        decides = "nothing ends its wait" if known.timeout is UNLIMITED else f"its own {wording.limit(known.timeout)}"
        decides = f"; {decides}{where}{'' if known.timeout is UNLIMITED else ' decides'}"
    asked = Seconds(each.seconds) if each.seconds is not None else None
    same = asked is not None and asked == known.timeout
    both = asked is not None and known.timeout is not UNKNOWN
    return Finding(
        code="CD307",
        slug="tool_setting_ignored",
        severity=Severity.ERROR if each.limits and not same else Severity.INFO,
        layer=Layer.TOOL,
        subject=tool.subject,
        message=(
            f"`{kind}({each.written})` ({setting.provenance.where}) was accepted and dropped: the built tool "
            f"`{tool.name}` does not hold `{each.name}`{decides}."
        ),
        evidence=tuple(dict.fromkeys((setting.id, *(known.ids if both else ())))),
        measured=Quantity("timeout in force", known.timeout, where=known.where) if both else None,
        limit=Quantity(each.name, asked, where=f"{setting.provenance.where}, dropped") if both else None,
        location=setting.provenance.location,
        fix=Fix(
            "Give the limit to the call itself, in a subclass that has the field",
            f"class Bounded({kind}):\n    {each.name}: float = {each.setting.value}\n    # pass it in _run: "
            f"requests.get(url, timeout=self.{each.name})",
        ),
        observed=False,
    )
