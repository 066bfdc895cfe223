"""What a client library of this interpreter would do for a URL: which proxy, which trust store.

One file per library, each with `proxy_for(url, name) -> str | None` and `trust(name) -> TrustStore`. A question no
library answers here is answered by `direct`: it reads no proxy variables.
"""

from __future__ import annotations

import importlib

from crewdoctor.net.clients.answers import ProxyChoice, TrustStore

FILES = {
    "httpx": "httpx_family",
    "httpx2": "httpx_family",
    "openai": "httpx_family",
    "requests": "requests_family",
    "urllib": "urllib_family",
    "aiohttp": "aiohttp_family",
}
"""Client library to the file that asks it."""


def proxy_choice(client: str, url: str) -> ProxyChoice:
    """Ask `client` which proxy it would use for `url`. A library that cannot even be asked says why in `error`."""
    file = FILES.get(client)
    if file is None:
        return ProxyChoice(client, None, note="reads no proxy variables")
    try:
        return ProxyChoice(client, importlib.import_module(f"{__name__}.{file}").proxy_for(url, client))
    except Exception as error:  # noqa: BLE001 - how the library fails over a proxy variable is the answer
        return ProxyChoice(client, None, error=f"{type(error).__name__}: {error}"[:300])


def trust_store(client: str) -> TrustStore:
    """Where `client` would look for certificate authorities; the system's store for one that is not known."""
    file = FILES.get(client.split(" ", 1)[0], "urllib_family")
    try:
        store: TrustStore = importlib.import_module(f"{__name__}.{file}").trust(client)
    except ImportError:
        return TrustStore("system", "", "")
    return store
