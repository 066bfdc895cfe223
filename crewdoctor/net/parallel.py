"""Blocking calls side by side, none of which may hold up the others or the step."""

from __future__ import annotations

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Sequence


def side_by_side(calls: Sequence[Callable[[], None]], *, within: float) -> int:
    """Run `calls` in daemon threads and wait at most `within` seconds; return how many are still going.

    Each runs in a copy of the caller's context, so that its spans find their parent. What a call raises is its own
    affair: a span records the exception before it arrives here.
    """
    threads = [
        threading.Thread(target=_run, args=(contextvars.copy_context(), call), daemon=True, name=f"side {index}")
        for index, call in enumerate(calls)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + max(0.0, within)
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return sum(thread.is_alive() for thread in threads)


def _run(context: contextvars.Context, call: Callable[[], None]) -> None:
    with contextlib.suppress(Exception):
        context.run(call)
