"""The crew within the limits around it, and what in it can outlast the shortest of them."""

from __future__ import annotations

from collections.abc import Iterator

from crewdoctor import wording
from crewdoctor.budget.arithmetic import outlives, timeout_of
from crewdoctor.budget.ledger import Inversion, LlmTerms, Nested
from crewdoctor.budget.limits import InForce
from crewdoctor.budget.outer import FLAG, arithmetic
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Setting


def around(crew: Nested, outers: tuple[Setting, ...]) -> Nested:
    """The crew within `outers`, the longest outermost."""
    nested = crew
    for limit in outers:
        value = timeout_of(limit.value)
        said = ""
        if outlives(crew.ceiling, value):
            lasts = "for ever" if crew.ceiling is UNLIMITED else wording.limit(crew.ceiling)
            said = f"the crew can last {lasts}, limit {wording.limit(value)}"
        nested = Nested("outer", limit.subject, UNKNOWN, value, arithmetic(limit), (nested,), limit, said)
    return nested


def outer_inversions(
    outers: tuple[Setting, ...],
    models: tuple[LlmTerms, ...],
    tools: dict[str, InForce],
    deadlines: dict[str, Setting],
) -> Iterator[Inversion]:
    """What can outlast the shortest limit around the crew: each model's call, each tool, each agent's deadline."""
    for outer in outers[:1]:
        value = timeout_of(outer.value)
        named = outer.subject == FLAG or outer.written
        for terms in {each.subject: each for each in models}.values():
            if outlives(terms.call, value):
                mine = bool(terms.read_setting and terms.read_setting.written and isinstance(terms.call, Seconds))
                yield Inversion(
                    outer, terms.subject, terms.call, terms.call_formula, mine and named, _ids(outer, terms.ids)
                )
        for subject, known in tools.items():
            if outlives(known.ceiling, value):
                mine = known.written and isinstance(known.ceiling, Seconds)
                where = f"timeout = {wording.limit(known.timeout)}{f' ({known.where})' if known.where else ''}"
                text = known.formula if known.attempts != 1 else where
                yield Inversion(outer, subject, known.ceiling, text, mine and named, _ids(outer, known.ids))
        for subject, deadline in deadlines.items():
            limit = timeout_of(deadline.value)
            if outlives(limit, value):
                text = f"max_execution_time={wording.limit(limit).removesuffix(' s')} ({deadline.provenance.where})"
                yield Inversion(outer, subject, limit, text, deadline.written and named, _ids(outer, (deadline.id,)))


def _ids(outer: Setting, inner: tuple[str, ...]) -> tuple[str, ...]:
    """What `--outer` says stands in the options, not among the settings."""
    return inner if outer.subject == FLAG else (outer.id, *inner)
