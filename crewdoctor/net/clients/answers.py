"""The two answers a client library gives."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """Which proxy a client would use."""

    client: str
    proxy: str | None
    """URL as the library would use it, credentials included: for connecting, never for recording."""
    error: str = ""
    """The library's own words where it cannot work with the proxy variables at all (a missing SOCKS extra)."""
    note: str = ""
    missing: str = ""
    """The package it would need for a SOCKS proxy, and does not have."""
    variable: str = ""
    """The variable that names that proxy."""


@dataclass(frozen=True, slots=True)
class TrustStore:
    """Where a client looks for certificate authorities; both empty: OpenSSL's default places."""

    label: str
    """For people: `certifi`, `env SSL_CERT_FILE`, `system`."""
    cafile: str
    capath: str
    reads: tuple[str, ...] = ()
    """The variables the client lets name another store, the first that is set wins."""

    @property
    def path(self) -> str:
        """The file or folder; empty for OpenSSL's default places."""
        return self.cafile or self.capath

    def context(self) -> ssl.SSLContext:
        """A verifying client context on this store. Raises OSError where its file is missing or no certificate."""
        return ssl.create_default_context(cafile=self.cafile or None, capath=self.capath or None)


def from_environment(*names: str) -> TrustStore | None:
    """The store the first of these variables with a value names."""
    for name in names:
        held = os.environ.get(name, "")
        if held:
            folder = os.path.isdir(held)  # noqa: PTH112 - os as the libraries do
            return TrustStore(f"env {name}", "" if folder else held, held if folder else "", names)
    return None


def socks_variable() -> str:
    """The variable a SOCKS proxy stands in; lower case wins, as in CPython's getproxies_environment."""
    names = [spelt for name in ("all_proxy", "https_proxy", "http_proxy") for spelt in (name, name.upper())]
    return next((name for name in names if os.environ.get(name, "").lower().startswith("socks")), "")
