"""One sentence: how long one silent dependency can hold the crew, and the arithmetic."""

from __future__ import annotations

from crewdoctor import wording
from crewdoctor.budget.arithmetic import outlives
from crewdoctor.budget.ledger import LlmTerms
from crewdoctor.budget.limits import InForce
from crewdoctor.budget.outer import told
from crewdoctor.model.setting import UNLIMITED, Seconds, Setting, Timeout

_LEAD = "the longest this crew can hang:"


def longest_hang(
    ceiling: Timeout, models: tuple[LlmTerms, ...], tools: dict[str, InForce], outer: Setting | None = None
) -> str:
    """`the longest this crew can hang: 90 min (...)`; empty where nothing is known.

    `outer`: what ends the crew from outside, where anything does.
    """
    lasts, value = _by_itself(ceiling, models, tools)
    if outer is None or not isinstance(outer.value, Seconds):
        return f"{_LEAD} {lasts}" if lasts else ""
    ended = f"{_LEAD} {wording.seconds(outer.value.value)}, then {told(outer)} ends it"
    if not lasts:
        return ended
    return f"{ended}; left alone {lasts}" if outlives(value, outer.value) else f"{_LEAD} {lasts}"


def _by_itself(ceiling: Timeout, models: tuple[LlmTerms, ...], tools: dict[str, InForce]) -> tuple[str, Timeout]:
    endless = sorted(
        {subject for subject, known in tools.items() if known.ceiling is UNLIMITED}
        | {terms.subject for terms in models if terms.attempt is UNLIMITED}
    )
    again = [subject for subject in endless if subject in tools and tools[subject].attempts == 0]
    bare = [subject for subject in endless if subject not in again]
    if bare:
        return f"for ever ({wording.joined(bare)} {'has' if len(bare) == 1 else 'have'} no timeout)", UNLIMITED
    if again:
        return (
            f"for ever ({wording.joined(again)} {'is' if len(again) == 1 else 'are'} tried without an end)",
            UNLIMITED,
        )
    finite = [
        (terms.task.value, f"{terms.subject} silent: {terms.formula}")
        for terms in models
        if isinstance(terms.task, Seconds)
    ] + [
        (known.ceiling.value, f"{subject} silent{known.because}")
        for subject, known in tools.items()
        if isinstance(known.ceiling, Seconds)
    ]
    if not finite:
        return "", ceiling
    value, reason = max(finite)
    at_least = "" if isinstance(ceiling, Seconds) else "at least "
    return f"{at_least}{wording.seconds(value)} ({reason})", Seconds(value)
