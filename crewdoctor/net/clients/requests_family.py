"""requests: NO_PROXY with CIDR for literal IPv4 addresses. Source: requests `utils.py`, `sessions.py`."""

from __future__ import annotations

import importlib.util

from crewdoctor.net.clients.answers import TrustStore, from_environment
from crewdoctor.net.clients.httpx_family import certifi_store

_READS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def proxy_for(url: str, _name: str) -> str | None:
    """The proxy requests would use for `url`, None for a direct connection. Raises ImportError, as its send would."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy: str | None = select_proxy(url, get_environ_proxies(url))
    if proxy and proxy.lower().startswith("socks") and importlib.util.find_spec("socks") is None:
        raise ImportError("Missing dependencies for SOCKS support.")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def trust(_name: str) -> TrustStore:
    """The variables `Session.merge_environment_settings` reads, else certifi."""
    return from_environment(*_READS) or certifi_store(*_READS)
