"""The ways to an https endpoint: through which proxy, judged by which trust store, taken by which clients."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from crewdoctor.net.clients import proxy_choice, trust_store
from crewdoctor.net.clients.answers import TrustStore
from crewdoctor.net.exchange import Hop, hop


@dataclass(frozen=True, slots=True)
class Way:
    """One trust store, and one proxy or none; and the clients that go like this."""

    store: TrustStore
    proxy: Hop | None
    clients: tuple[str, ...]


def ways(clients: Sequence[str], host: str, port: int) -> list[Way]:
    """Ask each client library, and put those together that go the same way."""
    url = f"https://{f'[{host}]' if ':' in host else host}:{port}/"
    found: dict[tuple[str, str], Way] = {}
    for client in clients:
        proxy: Hop | None = None
        chosen = proxy_choice(client, url).proxy
        with contextlib.suppress(ValueError):
            proxy = hop(chosen) if chosen else None
        store = trust_store(client)
        key = (store.label, proxy.url if proxy else "")
        before = found.get(key)
        found[key] = Way(store, proxy, (*(before.clients if before else ()), client))
    return list(found.values())
