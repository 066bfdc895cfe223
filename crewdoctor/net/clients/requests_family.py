"""requests: NO_PROXY with CIDR for literal IPv4 addresses. Source: requests `utils.py`, `sessions.py`."""

from __future__ import annotations

from crewdoctor.net.clients.answers import TrustStore, from_environment
from crewdoctor.net.clients.httpx_family import certifi_store

_READS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def proxy_for(url: str, _name: str) -> str | None:
    """The proxy requests would use for `url`, None for a direct connection."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy: str | None = select_proxy(url, get_environ_proxies(url))
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def trust(_name: str) -> TrustStore:
    """The variables `Session.merge_environment_settings` reads, else certifi."""
    return from_environment(*_READS) or certifi_store(*_READS)
