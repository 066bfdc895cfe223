"""Which entry of NO_PROXY a person meant for a host, in whatever form, and which form that is.

No two libraries read the variable alike; this reads it as liberally as its author may have hoped. Whether a client
honours the entry is never decided here: the client is asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meant:
    """An entry that names the host."""

    entry: str
    form: str
    """`plain any cidr leading_dot port wildcard scheme whitespace`; `address range_of_address`: it names what the host
    resolves to, which no client looks up."""


def meant(no_proxy: str, host: str, port: int, addresses: Iterable[str] = ()) -> Meant | None:
    """Find the first entry meant for `host:port`; `addresses` are those the name resolves to."""
    held = tuple(addresses)
    for piece in no_proxy.split(","):
        entries = piece.split()
        for entry in entries:
            form = _form(entry.lower(), host.lower().strip("[]").rstrip("."), port, held)
            if form:
                return Meant(entry, "whitespace" if len(entries) > 1 else form)
    return None


def _form(entry: str, host: str, port: int, addresses: tuple[str, ...]) -> str:
    if entry == "*":
        return "any"
    if "/" in entry and "://" not in entry:
        if _inside(host, entry):
            return "cidr"
        return "range_of_address" if any(_inside(each, entry) for each in addresses) else ""
    bare, form = entry, "plain"
    if "://" in bare:
        bare, form = bare.split("://", 1)[1].split("/", 1)[0], "scheme"
    name, colon, number = bare.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return ""
        bare, form = name, "port"
    bare = bare.strip("[]")
    if _same_address(bare, host):
        return form
    if any(_same_address(bare, each) for each in addresses):
        return "address"
    if bare.startswith("*"):
        bare, form = bare[1:], "wildcard"
    if bare.startswith("."):
        bare, form = bare[1:], "leading_dot" if form == "plain" else form
    return form if bare and (host == bare or host.endswith(f".{bare}")) else ""


def _inside(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _same_address(left: str, right: str) -> bool:
    try:
        return ipaddress.ip_address(left) == ipaddress.ip_address(right)
    except ValueError:
        return False
