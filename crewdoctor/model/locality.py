"""Whether a host is this very machine: what may be loaded without asking anybody. Pure."""

from __future__ import annotations

import ipaddress

UNASKED = 8
"""Operations in flight towards an endpoint of somebody else's, at most, unless the user says so."""


def is_local(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine itself. A private network is somebody else's."""
    name = host.strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
