"""Inventory and options to a plan: which probes run on what, in which order, within which deadlines. Pure."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from crewdoctor import probes, scope
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Skip, Step
from crewdoctor.model.probe import Probe
from crewdoctor.model.result import StepResult

STAGES = (1, 2, 3)
RAMP, CONFIRM = 4, 5
"""The stages of the crew run many times at once, and of that with a change; only where they were asked for."""
SHARE_OF_REMAINING = 0.25
"""No step of the ground stage takes more than this share of what is left (product.md, Manners)."""
SHARE_OF_ONE_CALL = 0.6
"""The same where each model is called once, and that call is what was asked for."""


class ProbeModule(Protocol):
    """What a file in `probes/` holds."""

    PROBE: Probe
    plan: Callable[[Inventory, Options, Sequence[StepResult]], Iterator[Step | Skip]]


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left to spend: seconds until the planned end, and calls of a paid model."""

    seconds: float
    llm_calls: int


def stages(options: Options) -> tuple[int, ...]:
    """The stages of one run, in order."""
    if not scope.ramps(options):
        return STAGES
    return (*STAGES, RAMP, CONFIRM) if options.confirm else (*STAGES, RAMP)


def discover() -> list[ProbeModule]:
    """All probe files, lowest layer first."""
    found = [
        importlib.import_module(f"{probes.__name__}.{each.name}")
        for each in pkgutil.iter_modules(probes.__path__)
        if not each.name.startswith("_")
    ]
    modules: list[ProbeModule] = [module for module in found if hasattr(module, "PROBE")]
    return sorted(modules, key=lambda module: (module.PROBE.stage, module.PROBE.layer.rank, module.PROBE.id))


def plan(
    inventory: Inventory,
    options: Options,
    results: Sequence[StepResult],
    *,
    stage: int,
    budget: Budget,
    modules: Sequence[ProbeModule] | None = None,
) -> Plan:
    """The plan of one stage, given what is known so far. Steps that would overspend become skips with the reason.

    The full crew and the ramp may use all that is left; a ground step its share, and no less than its probe asks for.
    """
    steps: list[Step] = []
    skips: list[Skip] = []
    calls_left = budget.llm_calls
    for module in discover() if modules is None else modules:
        if module.PROBE.stage != stage:
            continue
        if not scope.includes(options, module.PROBE):
            left_out = scope.scope_of(options).left_out
            skips += [Skip(module.PROBE.id, module.PROBE.layer, "the crew", left_out)] if left_out else []
            continue
        for planned in module.plan(scope.narrowed(inventory, options), options, results):
            if isinstance(planned, Skip):
                skips.append(planned)
            elif planned.llm_calls > calls_left:
                needed = f"would need {planned.llm_calls} calls of the crew's own model"
                reason = f"{needed}; {calls_left} are left (--max-llm-calls)"
                skips.append(Skip(planned.probe, planned.layer, planned.subject, reason))
            else:
                calls_left -= planned.llm_calls
                share = SHARE_OF_ONE_CALL if scope.one_call(options) else SHARE_OF_REMAINING
                whole = stage in {STAGES[1], RAMP, CONFIRM}
                longest = budget.seconds if whole else max(module.PROBE.shortest, budget.seconds * share)
                steps.append(replace(planned, deadline=min(planned.deadline, longest)))
    return Plan(tuple(steps), tuple(skips))
