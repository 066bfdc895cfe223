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
