"""urllib.request: suffixes and ports, no CIDR. Source: CPython `Lib/urllib/request.py`."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from crewdoctor.net.clients.answers import TrustStore, from_environment

_READS = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy_for(url: str, _name: str) -> str | None:
    """The proxy urlopen would use for `url`, None for a direct connection. It knows no `all_proxy`."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    # ProxyHandler hands over the host with its port, as it stands in the URL.
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def trust(_name: str) -> TrustStore:
    """OpenSSL's default places, which the two variables move."""
    return from_environment(*_READS) or TrustStore("system", "", "", _READS)
