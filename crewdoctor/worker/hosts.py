"""Endpoints, from URLs wherever a crew holds them."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from crewdoctor.model.inventory import Endpoint
from crewdoctor.model.setting import Location
from crewdoctor.net.clients.httpx_family import library_of_openai

_PORTS = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "redis": 6379,
    "rediss": 6380,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mongodb": 27017,
    "amqp": 5672,
    "smtp": 25,
    "socks5": 1080,
    "socks5h": 1080,
    "tcp": 0,
}
_HOST = re.compile(r"[A-Za-z0-9_.:-]+\Z")


def endpoint(
    url: str,
    kind: str,
    *,
    used_by: tuple[str, ...] = (),
    clients: tuple[str, ...] = (),
    source: str = "",
    location: Location | None = None,
) -> Endpoint | None:
    """The endpoint of a URL; None where its host is not known (`{...}`) or it names none."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}", scheme="http" if kind == "proxy" else "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    scheme = parts.scheme.partition("+")[0].lower()
    if not host or scheme not in _PORTS or not _HOST.match(host):
        return None
    number = port or _PORTS[scheme]
    if not number:
        return None
    written = f"[{host}]" if ":" in host else host
    prefix = "proxy" if kind == "proxy" else "host"
    return Endpoint(f"{prefix}:{written}:{number}", scheme, host, number, kind, used_by, clients, source, location)


def merged(found: Iterable[Endpoint | None]) -> tuple[Endpoint, ...]:
    """One Endpoint per subject, in order; users and clients of all of them."""
    kept: dict[str, Endpoint] = {}
    for each in found:
        if each is None:
            continue
        before = kept.get(each.subject)
        if before is None:
            kept[each.subject] = each
            continue
        kept[each.subject] = replace(
            before,
            used_by=tuple(dict.fromkeys((*before.used_by, *each.used_by))),
            clients=tuple(dict.fromkeys((*before.clients, *each.clients))),
        )
    return tuple(kept.values())


def sdk_library() -> str:
    """The HTTP library the openai SDK of this process rides on: httpx, or httpx2, which reads NO_PROXY its own way."""
    return library_of_openai() if "openai" in sys.modules else "httpx"


def is_near(host: str) -> bool:
    """Whether a host is this machine or a private address: its model server takes any key."""
    if host == "localhost" or host.endswith(".localhost") or not set(host) & set(".:"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.endswith((".local", ".internal", ".svc", ".lan")) or ".svc." in host
    return address.is_private or address.is_loopback
