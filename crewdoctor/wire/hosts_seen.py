"""Hosts a recorded program's tools and models were seen to go to, as endpoints: no source had named them. Pure.

A host out of a variable or an answer is known only once somebody goes there. A call that worked all the same (a crawler
one of whose pages is gone, a service with a spare) needs none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from crewdoctor.model.inventory import Endpoint, Inventory
from crewdoctor.model.span import Span

MOST = 64
"""Endpoints added to one inventory."""
_CALLS = {"tool.call": "tool", "llm.call": "llm"}
_WIRE = frozenset({"http.request", "tcp.connect", "tls.handshake", "dns.lookup", "net.connection", "proxy.connect"})


@dataclass(slots=True)
class _Seen:
    kind: str
    scheme: str
    users: dict[str, None] = field(default_factory=dict)
    clients: dict[str, None] = field(default_factory=dict)
    needed: bool = False
    """Some call that went there failed or never ended, or came back with nothing."""


def with_hosts_seen(inventory: Inventory, spans: Iterable[Span]) -> Inventory:
    """The inventory, with the hosts the calls of its crew went to: new ones, and who uses the known ones."""
    held = {span.id: span for span in spans}
    proxies = {(each.host, each.port) for each in inventory.endpoints if each.kind == "proxy"}
    asked = [(span, *_call_of(span, held)) for span in held.values() if span.name in _WIRE]
    answered = {call.id for span, call, _ in asked if call and span.name == "http.request" and _well(span)}
    seen: dict[tuple[str, int], _Seen] = {}
    for span, call, within in asked:
        host, port = _place(span)
        if not host or not port:
            continue
        if call is None or within or (host, port) in proxies:
            continue  # what a request does is told by the request: its connection may be one to a proxy
        secure = str(span.attrs.get("url", "")).startswith("https:") or span.name in {"tls.handshake", "proxy.connect"}
        scheme = "https" if secure else "http" if span.name == "http.request" else "tcp"
        entry = seen.setdefault((host, port), _Seen(_CALLS[call.name], scheme))
        entry.users[call.subject] = None
        entry.needed = entry.needed or not _well(call) or bool(span.failure and call.id not in answered)
        if span.attrs.get("client"):
            entry.clients[str(span.attrs["client"])] = None
    return _joined(inventory, seen)


def _place(span: Span) -> tuple[str, int]:
    """Host and port it is about; of a proxy's tunnel those at its far end."""
    host, port = span.attrs.get("host"), span.attrs.get("port")
    if span.name == "proxy.connect":
        host, _, number = str(span.attrs.get("target") or "").rpartition(":")
        host, port = host.strip("[]"), int(number) if number.isdigit() else 0
    return (host, port) if isinstance(host, str) and isinstance(port, int) else ("", 0)


def _well(span: Span) -> bool:
    return span.end is not None and span.failure is None and not span.attrs.get("error_text")


def _call_of(span: Span, held: Mapping[str, Span]) -> tuple[Span | None, bool]:
    """The call of a tool or a model a span lies in, and whether a request lies between them."""
    within, above = False, held.get(span.parent or "")
    while above is not None and above.name not in _CALLS:
        within = within or above.name == "http.request"
        above = held.get(above.parent or "")
    return above, within


def _joined(inventory: Inventory, seen: Mapping[tuple[str, int], _Seen]) -> Inventory:
    known = {(each.host, each.port): each for each in inventory.endpoints if each.kind != "proxy"}
    places = {tool.subject: tool.location for tool in inventory.tools}
    endpoints = {each.subject: each for each in inventory.endpoints}
    added = 0
    for (host, port), entry in seen.items():
        before = known.get((host, port))
        if before is not None:
            users = tuple(dict.fromkeys((*before.used_by, *entry.users)))
            endpoints[before.subject] = replace(before, used_by=users, clients=before.clients or tuple(entry.clients))
        elif entry.needed and added < MOST:
            added += 1
            subject = f"host:[{host}]:{port}" if ":" in host else f"host:{host}:{port}"
            place = next((places[each] for each in entry.users if places.get(each)), None)
            endpoints[subject] = Endpoint(
                subject, entry.scheme, host, port, entry.kind, tuple(entry.users), tuple(entry.clients), "", place
            )
    return replace(inventory, endpoints=tuple(endpoints.values()))
