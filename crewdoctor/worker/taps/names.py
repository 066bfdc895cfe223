"""The name the user wrote for an address: a connect sees `10.0.0.7`, the report must say `internal-api.local`.

Nearest knowledge first: what this context resolved (one address often serves several names), then what the process
did last.
"""

from __future__ import annotations

from contextvars import ContextVar

_MOST = 32
_here: ContextVar[dict[str, str] | None] = ContextVar("crewdoctor_resolved", default=None)
_process: dict[str, str] = {}


def remember(host: str, addresses: list[str]) -> None:
    """Note that `host` was resolved to `addresses` in this context."""
    known = dict(_here.get() or {})
    for address in addresses:
        known.pop(address, None)
        known[address] = host
        _process[address] = host
    while len(known) > _MOST:
        known.pop(next(iter(known)))
    _here.set(known)


def host_of(address: str) -> str:
    """Return the name behind `address`, else the address itself."""
    return (_here.get() or {}).get(address) or _process.get(address) or address
