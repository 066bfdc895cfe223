"""What a client library of this interpreter would do for a URL: which proxy, which trust store.

One file per library, each with `proxy_for(url, name) -> str | None` and `trust(name) -> TrustStore`. A question no
library answers here is answered by `direct`: it reads no proxy variables.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import ssl

from crewdoctor.net.clients.answers import ProxyChoice, TrustStore, from_environment, socks_variable

FILES = {
    "httpx": "httpx_family",
    "httpx2": "httpx_family",
    "openai": "httpx_family",
    "requests": "requests_family",
    "urllib": "urllib_family",
    "aiohttp": "aiohttp_family",
}
"""Client library to the file that asks it."""
EXTRAS = {"httpx_family": "socksio", "requests_family": "PySocks"}
"""What each needs for a SOCKS proxy beside itself."""
STORES = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)
"""Variables that name a trust store for somebody."""
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",
)


def proxy_choice(client: str, url: str) -> ProxyChoice:
    """Ask `client` which proxy it would use for `url`. A library that cannot even be asked says why in `error`."""
    file = FILES.get(client)
    if file is None:
        return ProxyChoice(client, None, note="reads no proxy variables")
    try:
        return ProxyChoice(client, importlib.import_module(f"{__name__}.{file}").proxy_for(url, client))
    except Exception as error:  # noqa: BLE001 - how the library fails over a proxy variable is the answer
        missing = EXTRAS.get(file, "") if isinstance(error, ImportError) and "socks" in str(error).lower() else ""
        words = f"{type(error).__name__}: {error}"[:300]
        return ProxyChoice(client, None, error=words, missing=missing, variable=socks_variable() if missing else "")


def trust_store(client: str) -> TrustStore:
    """Where `client` would look for certificate authorities; the system's store for one that is not known."""
    file = FILES.get(client.split(" ", 1)[0], "urllib_family")
    try:
        store: TrustStore = importlib.import_module(f"{__name__}.{file}").trust(client)
    except ImportError:
        return TrustStore("system", "", "")
    return store


def every_store() -> list[TrustStore]:
    """Each trust store this environment names, then certifi's and the system's: one of them may hold the issuer."""
    named = [store for name in STORES if (store := from_environment(name))]
    with contextlib.suppress(ImportError):
        named.append(importlib.import_module(f"{__name__}.httpx_family").certifi_store())
    return [*named, _system()]


def _system() -> TrustStore:
    """What the system itself trusts, whatever SSL_CERT_FILE says: as one file where there is one."""
    paths = ssl.get_default_verify_paths()
    file = next(filter(os.path.isfile, (paths.openssl_cafile, *BUNDLES)), "")
    folder = paths.openssl_capath if not file and os.path.isdir(paths.openssl_capath) else ""  # noqa: PTH112 - likewise
    return TrustStore("system", file, folder)
