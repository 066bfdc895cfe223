"""Spans that outlast what they describe, and the moment to end them.

A connection that is kept alive does not say when an answer was complete: only the next request, the close, or the
library above it does. A tap that holds such a span registers here; the watchdog's tick and the end of a step call
`settle_idle`, so that an idle connection in a pool is not mistaken for a hang (law 7: a start without an end is one).
"""

from __future__ import annotations

from collections.abc import Callable

settlers: list[Callable[[], None]] = []
"""Called in order; each closes what has ended without anybody saying so."""


def settle_idle() -> None:
    """Close what has ended unnoticed. Cheap, re-entrant, and never raises: settlers are guarded."""
    for settle in tuple(settlers):
        settle()
