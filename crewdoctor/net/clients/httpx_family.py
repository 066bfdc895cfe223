"""httpx, httpx2, and the openai SDK, which rides on one of them.

A real client is built and asked for the transport of the URL: its mounts are what NO_PROXY became. Building it fails
exactly where the user's own client would (a SOCKS proxy without its extra). Source: httpx `_client.py`, `_config.py`.
"""

from __future__ import annotations

import importlib
from typing import Any

from crewdoctor.net.clients.answers import TrustStore, from_environment

_READS = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy_for(url: str, name: str) -> str | None:
    """The proxy `name` (httpx, httpx2, openai) would use for `url`, None for a direct connection."""
    library = _library(name)
    with library.Client(verify=False) as client:  # nothing is sent; it spares loading a trust store
        transport = client._transport_for_url(library.URL(url))  # noqa: SLF001 - the one place that knows
        if transport is client._transport:  # noqa: SLF001 - likewise
            return None
        proxy = transport._pool._proxy_url  # noqa: SLF001 - likewise
    port = f":{proxy.port}" if proxy.port is not None else ""
    return f"{proxy.scheme.decode()}://{_credentials(url)}{proxy.host.decode()}{port}"


def trust(name: str) -> TrustStore:
    """SSL_CERT_FILE, then SSL_CERT_DIR; without them httpx takes certifi, and httpx2 the system's store."""
    chosen = from_environment(*_READS)
    if chosen is None and _library(name.split(" ", 1)[0]).__name__ == "httpx2":
        return TrustStore("system", "", "", _READS)
    return chosen or certifi_store(*_READS)


def certifi_store(*reads: str) -> TrustStore:
    """The bundle of the certifi installed here. Raises ImportError."""
    return TrustStore("certifi", importlib.import_module("certifi").where(), "", reads)


def library_of_openai() -> str:
    """The library the installed openai SDK rides on: httpx, from openai 3 on httpx2. Raises ImportError."""
    return library_of("openai")


def library_of(sdk: str) -> str:
    """The library a generated SDK (openai, anthropic) rides on. Raises ImportError."""
    kinds = importlib.import_module(sdk).DefaultHttpxClient.__mro__
    return next((kind.__module__.partition(".")[0] for kind in kinds if kind.__name__ == "Client"), "httpx")


def direct_client(sdk: str, **arguments: Any) -> Any:
    """The HTTP client such an SDK would make for itself, past the user's proxies.

    `trust_env=False` is not enough: some mount the proxies of the environment themselves where no transport is given.
    """
    module, library = importlib.import_module(sdk), importlib.import_module(library_of(sdk))
    transport = library.HTTPTransport(limits=module.DEFAULT_CONNECTION_LIMITS)
    return module.DefaultHttpxClient(trust_env=False, transport=transport, **arguments)


def direct_async_client(sdk: str) -> Any:
    """Likewise for the SDK's async client."""
    module, library = importlib.import_module(sdk), importlib.import_module(library_of(sdk))
    transport = library.AsyncHTTPTransport(limits=module.DEFAULT_CONNECTION_LIMITS)
    return module.DefaultAsyncHttpxClient(trust_env=False, transport=transport)


def _library(name: str) -> Any:
    return importlib.import_module(library_of_openai() if name == "openai" else name)


def _credentials(url: str) -> str:
    """Credentials, which httpcore keeps apart from the URL; they are read again from the variable they came from."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    known = getproxies()
    held = known.get(urlsplit(url).scheme) or known.get("all") or ""
    userinfo, at, _ = urlsplit(held if "://" in held else f"http://{held}").netloc.rpartition("@")
    return f"{userinfo}{at}"
