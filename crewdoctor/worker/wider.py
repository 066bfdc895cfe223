"""A wider pool for a live model's client: an experiment, in this process only."""

from __future__ import annotations

from typing import Any

_CLIENTS = ("_client", "client", "_async_client", "async_client")
"""Where models of crewai hold the SDK's client (seen in 1.15.30; older ones openly)."""


def widened(model: Any, connections: int) -> int:
    """Allow each httpx pool beneath `model` at least `connections`; returns how many pools there are."""
    pools: dict[int, Any] = {}
    for name in _CLIENTS:
        http = getattr(getattr(model, name, None), "_client", None)
        transports = [getattr(http, "_transport", None), *(getattr(http, "_mounts", None) or {}).values()]
        for transport in transports:
            pool = getattr(transport, "_pool", None)
            if isinstance(getattr(pool, "_max_connections", None), int):
                pools[id(pool)] = pool
    for pool in pools.values():
        pool._max_connections = max(pool._max_connections, connections)
    return len(pools)
