"""One sentence: how long one silent dependency can hold the crew, and the arithmetic."""

from __future__ import annotations

from crewdoctor import wording
from crewdoctor.budget.ledger import LlmTerms
from crewdoctor.budget.limits import InForce
from crewdoctor.model.setting import UNLIMITED, Seconds, Timeout

_LEAD = "the longest this crew can hang:"


def longest_hang(ceiling: Timeout, models: tuple[LlmTerms, ...], tools: dict[str, InForce]) -> str:
    """`the longest this crew can hang: 90 min (...)`; empty where nothing is known."""
    endless = sorted(
        {subject for subject, known in tools.items() if known.timeout is UNLIMITED}
        | {terms.subject for terms in models if terms.read is UNLIMITED}
    )
    if endless:
        return f"{_LEAD} for ever ({wording.joined(endless)} {'has' if len(endless) == 1 else 'have'} no timeout)"
    finite = [
        (terms.task.value, f"{terms.subject} silent: {terms.formula}")
        for terms in models
        if isinstance(terms.task, Seconds)
    ] + [
        (known.timeout.value, f"{subject} silent{f', {known.where}' if known.where else ''}")
        for subject, known in tools.items()
        if isinstance(known.timeout, Seconds)
    ]
    if not finite:
        return ""
    value, reason = max(finite)
    at_least = "" if isinstance(ceiling, Seconds) else "at least "
    return f"{_LEAD} {at_least}{wording.seconds(value)} ({reason})"
