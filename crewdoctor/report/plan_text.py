"""The plan as text: what will be called, what it may cost, and each step's deadline. For `--dry-run`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crewdoctor import wording
from crewdoctor.model.inventory import Inventory
from crewdoctor.model.options import Options
from crewdoctor.model.plan import Plan, Step
from crewdoctor.wire.redact import clean


def render(inventory: Inventory, plans: Sequence[Plan], options: Options) -> str:
    """Return the plan of every stage."""
    return "\n".join(clean(row) for row in _rows(inventory, plans, options)) + "\n"


def _rows(inventory: Inventory, plans: Sequence[Plan], options: Options) -> Iterator[str]:
    yield f"plan for {inventory.target}"
    yield f"  deadline {wording.exact(options.deadline)}; {cost(plans, options)}"
    for number, plan in enumerate(plans, 1):
        if plan.steps or plan.skips:
            yield f"stage {number}"
        for step in plan.steps:
            yield from _step(step)
        for skip in plan.skips:
            yield f"  - not: {skip.probe} on {skip.subject}: {skip.reason}"


def cost(plans: Sequence[Plan], options: Options) -> str:
    """`at most 12 calls of the crew's own model, 24000 tokens`. Later stages get what earlier ones left of the cap."""
    calls = min(options.max_llm_calls, sum(plan.llm_calls for plan in plans))
    if not calls:
        return "no call of the crew's own model"
    return (
        f"at most {wording.plural(calls, 'call')} of the crew's own model, {sum(plan.tokens for plan in plans)} tokens"
    )


def _step(step: Step) -> Iterator[str]:
    spends = f", up to {wording.plural(step.llm_calls, 'call')}, {step.tokens} tokens" if step.llm_calls else ""
    yield f"  - {step.announce or step.id}  (at most {wording.exact(round(step.deadline, 1))}{spends})"
    if step.condition:
        yield f"      only if {step.condition}"
