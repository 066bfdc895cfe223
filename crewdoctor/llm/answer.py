"""What one call of a model was seen to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

_ANTHROPIC = re.compile(r"anthropic-ratelimit-(\w+)-(limit|remaining|reset)$")


class NoCompletionError(Exception):
    """The server answered with success, and with something that is no completion: a login page, an empty body."""


@dataclass(slots=True)
class Answer:
    """What one call was seen to do. Seconds from its start."""

    first_token: float | None = None
    total: float = 0.0
    gaps_max: float = 0.0
    tokens: int = 0
    """Chunks with content for a streamed answer, else what the usage says."""
    status: int | None = None
    cut: bool = False
    """It was still being streamed when we stopped listening."""
    headers: dict[str, str] = field(default_factory=dict)


def listen(
    chunks: Iterable[Any], answer: Answer, began: float, until: float, piece: Callable[[Any], str | None]
) -> int:
    """Note when pieces come; the number of events, with or without a piece."""
    last, events = began, 0
    for chunk in chunks:
        events += 1
        if not piece(chunk):
            continue
        now = time.monotonic()
        if answer.first_token is None:
            answer.first_token = now - began
        else:
            answer.gaps_max = max(answer.gaps_max, now - last)
        last = now
        answer.tokens += 1
        if now > until:
            answer.cut = True
            break
    return events


def telling(headers: Any) -> dict[str, str]:
    """Return the headers that speak of limits and time, under the names most providers use."""
    named = {
        _ANTHROPIC.sub(r"x-ratelimit-\2-\1", name.lower()): value
        for name, value in (headers.items() if headers is not None else ())
    }
    return {name: value for name, value in named.items() if name.startswith(("x-ratelimit-", "retry-after"))}
