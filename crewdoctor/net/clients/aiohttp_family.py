"""aiohttp: no proxy variables unless the session was made with `trust_env=True`. Source: aiohttp `client.py`."""

from __future__ import annotations

from crewdoctor.net.clients.answers import TrustStore
from crewdoctor.net.clients.urllib_family import trust as default_places


def proxy_for(_url: str, _name: str) -> str | None:
    """None: `trust_env` is off by default."""
    return None


def trust(_name: str) -> TrustStore:
    """`ssl.create_default_context()`: OpenSSL's default places."""
    return default_places(_name)
