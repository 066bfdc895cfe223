"""What one command examines: which probes, and whether a crew stands behind them. Pure.

A scope narrows a diagnosis; it never changes what a probe does. What it leaves out of a crew is said in the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.probe import Probe

EVERYTHING = ("",)
PROVING = ("llm.proof", "agent.proof", "tool.stall")
"""Experiments: they run where `--prove` asks for them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One command's share of the work."""

    probes: tuple[str, ...]
    """Prefixes of probe ids."""
    crew: bool = True
    """Whether it loads a target; without one crewai is never imported."""
    left_out: str = ""
    """Why the other probes do not run, for the report; empty where nobody would expect them."""


_SCOPES = {
    "diagnose": Scope(EVERYTHING),
    "preflight": Scope(("net.", "llm.sdk"), left_out="preflight leaves it out; `crewdoctor diagnose` examines it"),
    "settings": Scope(()),
    "scale": Scope(("llm.sdk", "scale."), left_out="scale leaves it out; `crewdoctor diagnose` examines it"),
    "tool": Scope(("net.", "tool.")),
    "llm": Scope(("net.", "llm.sdk"), crew=False),
    "net": Scope(("net.",), crew=False),
    "run": Scope(()),
}


def scope_of(options: Options) -> Scope:
    """The scope of one run, its own flags applied."""
    scope = _SCOPES[options.scope]
    if options.scope == "settings" and options.prove:
        return replace(scope, probes=PROVING)
    if options.scope == "preflight":
        probes = [each for each in scope.probes if not (options.no_llm and each.startswith("llm"))]
        scope = replace(scope, probes=(*probes, *(("crew.",) if options.with_crew else ())))
    return scope


def ramps(options: Options) -> bool:
    """Whether the crew is run many times at once."""
    return options.scope == "scale" or (options.scope == "diagnose" and options.scale)


def includes(options: Options, probe: Probe) -> bool:
    """Whether a probe belongs to the scope. Before a ramp on the embedded model that one is not measured by itself."""
    if options.scope == "scale" and options.llm == "embedded" and probe.id == "llm.sdk":
        return False
    return probe.id.startswith(scope_of(options).probes) if scope_of(options).probes else False


def one_call(options: Options) -> bool:
    """Whether each model is called once, with the settings its user gave it."""
    return options.scope in {"preflight", "llm", "scale"}


def narrowed(inventory: Inventory, options: Options) -> Inventory:
    """What probes are planned for: all of it, or one tool and the hosts it needs."""
    if options.scope != "tool":
        return inventory
    tools = tuple(tool for tool in inventory.tools if tool.name == options.tool)
    needed = {subject for tool in tools for subject in tool.endpoints}
    return replace(
        inventory,
        tools=tools,
        llms=(),
        endpoints=tuple(each for each in inventory.endpoints if each.subject in needed or each.kind == "proxy"),
    )


def nothing_to_do(inventory: Inventory, options: Options) -> str:
    """Why the command has nothing to look at in this target: one sentence; else an empty string."""
    names = [tool.name for tool in inventory.tools]
    if options.scope != "tool" or options.tool in names:
        return ""
    listed = ", ".join(f"`{name}`" for name in names)
    return f"the crew has no tool `{options.tool}`; {f'it has {listed}' if names else 'it has no tools'}"
