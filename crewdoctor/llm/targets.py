"""Which models of a crew are called, how often, and why the others are not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor.model.inventory import Inventory, LlmEntry
from crewdoctor.model.options import Options

SAMPLES = 6
"""Calls through the raw SDK where they cost nothing."""
FEWEST, MOST = 2, 5
"""Raw calls of a paid model."""
CALLS_PER_TASK = 2
ROUNDS, PAID_ROUNDS = 6, 3
"""Of the ladder. With five rungs, fewer than five rounds can show no jump (`sampling.conclusive`)."""
CALLS_PER_ROUND = 4


def distinct(inventory: Inventory, options: Options) -> Iterator[tuple[LlmEntry, str]]:
    """Yield every model and the reason it is left out; an empty reason for those that are called."""
    covered: dict[str, str] = {}
    for llm in inventory.llms:
        reason = _left_out(llm, covered, options)
        if not reason:
            covered.update(dict.fromkeys((llm.subject, *llm.users), llm.subject))
        yield llm, reason


def spare(inventory: Inventory, options: Options) -> int:
    """Return the calls of `--max-llm-calls` the full crew is not likely to need, half as many again kept for it."""
    needed = likely(inventory)
    return max(0, options.max_llm_calls - needed - needed // 2)


def likely(inventory: Inventory) -> int:
    """Return how many calls a run of the crew is likely to make."""
    return len(inventory.tasks) * CALLS_PER_TASK + len(inventory.tools)


def samples(inventory: Inventory, options: Options) -> int:
    """Return how many raw calls each model is worth, the one with the user's own timeout not counted."""
    if options.llm == "embedded":
        return SAMPLES
    return max(FEWEST, min(MOST, spare(inventory, options) // 3 // max(1, _called(inventory, options)) - 1))


def through_crewai(inventory: Inventory, options: Options) -> int:
    """Return how many calls through crewai.LLM each model is worth."""
    if options.llm == "embedded":
        return 2
    return 2 if spare(inventory, options) >= 6 * _called(inventory, options) else 1


def rounds(inventory: Inventory, options: Options) -> int:
    """Return how often the ladder is climbed; 0: there are no calls to spare for it."""
    if options.llm == "embedded":
        return ROUNDS
    alone = samples(inventory, options) + 1 + through_crewai(inventory, options)
    left = spare(inventory, options) - alone * _called(inventory, options)
    return min(PAID_ROUNDS, left // CALLS_PER_ROUND) if left >= 2 * CALLS_PER_ROUND else 0


def _called(inventory: Inventory, options: Options) -> int:
    return sum(not reason for _, reason in distinct(inventory, options))


def _left_out(llm: LlmEntry, covered: dict[str, str], options: Options) -> str:
    if llm.subject in covered:
        return f"same model, endpoint and settings as {covered[llm.subject]}, which is called"
    if options.llm == "embedded":
        return "the simulated model is called once for all" if covered else ""
    if llm.attrs.get("raw") is False:
        return "a model behind LiteLLM has no SDK of its own; the full crew shows what it does"
    return "" if llm.known else f"calling {llm.provider} is not known to this version"
