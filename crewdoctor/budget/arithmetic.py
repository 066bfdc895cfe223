"""Arithmetic on timeouts of three values, and the formulas of retries. Each formula names its source.

UNLIMITED swallows everything in a sum: a term nobody knows cannot make an endless wait shorter. UNKNOWN swallows
numbers.
"""

from __future__ import annotations

import math

from crewdoctor.model.backoff import SDK, Backoff
from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, SettingValue, Timeout

RATE_LIMIT_ATTEMPTS = 3
"""crewai `llms/retry.py`: attempts of its own on 429, around the SDK's; not configurable (crewai 1.15.30)."""
FOREVER = 86_400.0
"""Seconds a wait that nothing ends is ranked with: a day, longer than anything that ends by itself."""


def timeout_of(value: SettingValue) -> Timeout:
    """Read a setting's value as a timeout; anything that is none is UNKNOWN."""
    if isinstance(value, Seconds) or value in (UNLIMITED, UNKNOWN):
        return value
    return UNKNOWN


def total(*parts: Timeout) -> Timeout:
    """One after the other."""
    if any(part is UNLIMITED for part in parts):
        return UNLIMITED
    if any(part is UNKNOWN for part in parts):
        return UNKNOWN
    return Seconds(sum(part.value for part in parts if isinstance(part, Seconds)))


def longest(*parts: Timeout) -> Timeout:
    """Whichever takes longest; no parts: nothing to wait for."""
    if any(part is UNLIMITED for part in parts):
        return UNLIMITED
    if any(part is UNKNOWN for part in parts):
        return UNKNOWN
    return Seconds(max((part.value for part in parts if isinstance(part, Seconds)), default=0.0))


def times(factor: int, part: Timeout) -> Timeout:
    """So many of them in a row."""
    return Seconds(factor * part.value) if isinstance(part, Seconds) else part


def outlives(inner: Timeout, outer: Timeout) -> bool:
    """Whether `inner` is known to be able to last longer than `outer`. What is unknown accuses nobody."""
    if not isinstance(outer, Seconds) or inner is UNKNOWN:
        return False
    return inner is UNLIMITED or (isinstance(inner, Seconds) and inner.value > outer.value)


def backoff(retries: int, policy: Backoff = SDK) -> float:
    """Seconds a policy sleeps at most between attempts (`model/backoff.py`).

    A server that sends Retry-After (openai 2.54: up to 120 s each, `MAX_RETRY_AFTER_DELAY`) replaces these.
    """
    return policy.sleeps(retries)


def attempt_ceiling(connect: Timeout | None, read: Timeout, addresses: int = 1) -> Timeout:
    """One attempt against a peer that goes silent, wherever it does: (addresses - 1) x connect + max(connect, read).

    A connect timeout is spent anew for each address (CPython `socket.create_connection`, urllib3
    `util/connection.py`) and once more for the TLS handshake (httpcore 1.0 `SyncStream.start_tls`, urllib3's
    `connect`); of the last address either one of those or the wait for the answer is spent. None: not known of.
    """
    if connect is None:
        return read
    return total(times(addresses - 1, connect) if addresses > 1 else Seconds(0.0), longest(connect, read))


def call_ceiling(attempt: Timeout, retries: int, policy: Backoff = SDK) -> Timeout:
    """T_call = (S + 1) x T + backoff: one `llm.call` against a server that accepts and stays silent."""
    slept = backoff(retries, policy)
    return total(times(max(0, retries) + 1, attempt), Seconds(slept) if math.isfinite(slept) else UNLIMITED)


def task_ceiling(execution: Timeout, executions: int, deadline: Timeout) -> tuple[Timeout, int]:
    """T_task = A x T_execution, and how many executions really happen.

    An execution is one call, and the request that counts its tokens before it, where crewai makes one: with the same
    client, and so for as long (crewai 1.15.30 `agent_utils._proactively_summarize_context`).

    crewai 1.15.30 `agent/core.py` runs a task again after any exception, at most `max_retry_limit` times, but not after
    the TimeoutError of `max_execution_time`, which it raises once the blocked call has ended by itself: a call that
    outlives the deadline is therefore made once.
    """
    made = 1 if outlives(execution, deadline) else max(1, executions)
    return times(made, execution), made


def cost(ceiling: Timeout, seen: float = 0.0) -> float:
    """Seconds to rank a wait with: its ceiling; a day where nothing ends it; what was seen where nobody knows."""
    if isinstance(ceiling, Seconds):
        return ceiling.value
    return FOREVER if ceiling is UNLIMITED else seen
