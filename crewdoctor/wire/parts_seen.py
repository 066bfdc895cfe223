"""Tools, models and agents of a recorded program that were seen at work and never read. Pure.

A crew is read beside its first kickoff: a program that ends or is held before that, or that builds one crew after the
other, has calls of parts no inventory holds. Nothing but their names is known, and none of their settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from crewdoctor.model.inventory import AgentEntry, Inventory, LlmEntry, ToolEntry
from crewdoctor.model.span import Span

MOST = 256
"""Parts of one kind that are added."""


def with_parts_seen(inventory: Inventory | None, spans: Iterable[Span], target: str) -> Inventory | None:
    """The inventory with every part that was seen at work; None where no crew was at work at all."""
    tools: dict[str, ToolEntry] = {}
    llms: dict[str, LlmEntry] = {}
    agents: dict[str, AgentEntry] = {}
    crew = ""
    for span in spans:
        if span.name == "crew.kickoff" and not crew:
            crew = span.subject.partition(":")[2]
        elif span.name == "tool.call" and span.subject.startswith("tool:") and len(tools) < MOST:
            name = str(span.attrs.get("tool") or span.subject.partition(":")[2])
            owner = tuple(str(held) for held in [span.attrs.get("agent")] if held)
            tools.setdefault(span.subject, ToolEntry(span.subject, name, "", None, owners=owner))
        elif span.name == "llm.call" and span.subject and len(llms) < MOST:
            model = str(span.attrs.get("model") or "")
            llms.setdefault(span.subject, LlmEntry(span.subject, model, "", known=False, users=(span.subject,)))
        elif span.name == "agent.execution" and span.subject.startswith("agent:") and len(agents) < MOST:
            agents.setdefault(span.subject, AgentEntry(span.subject, span.subject.partition(":")[2], ""))
    if inventory is None and not (crew or tools or llms):
        return None
    held = inventory or Inventory(target, crew or "crew", "", "recorded")
    users = {user for llm in held.llms for user in (llm.subject, *llm.users)}
    return replace(
        held,
        tools=(*held.tools, *(tools[each] for each in tools if each not in {tool.subject for tool in held.tools})),
        llms=(*held.llms, *(llms[each] for each in llms if each not in users)),
        agents=(*held.agents, *(agents[each] for each in agents if each not in {one.subject for one in held.agents})),
    )
