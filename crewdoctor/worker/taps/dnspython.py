"""dnspython: `dns.lookup` with `resolver: dnspython`, and the lifetime that bounds it.

It asks nameservers by itself, over sockets of datagrams that no other tap looks at. Its own retries, and the further
nameservers it tries, lie within the one span.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from crewdoctor.worker.classify import classify
from crewdoctor.worker.late import when_imported
from crewdoctor.worker.recorder import Recorder
from crewdoctor.worker.taps import names
from crewdoctor.worker.taps.tap import Tap, TimedSpan, name_here, wire

_FAMILIES = {"A": "v4", "AAAA": "v6"}


class _Lookup(TimedSpan):
    """One call of `resolve`."""

    __slots__ = ("_host",)

    def __init__(self, recorder: Recorder, host: str, kind: str, resolver: Any, lifetime: Any) -> None:
        super().__init__(
            recorder,
            "dns.lookup",
            "dns",
            peer=host,
            timeout=wire(lifetime),
            host=host,
            port=None,
            family=_FAMILIES.get(kind, "any"),
            resolver="dnspython",
            record=kind,
            nameservers=[str(each) for each in resolver.nameservers],
        )
        self._host = host

    def done(self, result: Any) -> None:
        addresses = [str(each.address) for each in result or () if hasattr(each, "address")]
        names.remember(self._host, addresses)
        self.end(addresses=addresses)

    def failed(self, error: BaseException) -> None:
        self.end(classify(error, "dns"), addresses=[])


def install(recorder: Recorder) -> None:
    """Tap both resolvers, now or when they are imported."""
    tap = Tap("dnspython", recorder)

    def resolve(resolver: Any, qname: Any, rdtype: Any = "A", *_args: Any, **more: Any) -> _Lookup | None:
        if name_here(recorder).startswith("dns."):
            return None
        kind = str(getattr(rdtype, "name", rdtype)).upper()
        lifetime = more.get("lifetime")
        return _Lookup(
            recorder, str(qname).rstrip("."), kind, resolver, resolver.lifetime if lifetime is None else lifetime
        )

    def sync(module: ModuleType) -> None:
        tap.around(module.Resolver, "resolve", resolve)

    def asynchronous(module: ModuleType) -> None:
        tap.around_coroutine(module.Resolver, "resolve", resolve)

    when_imported("dns.resolver", tap.safely(sync))
    when_imported("dns.asyncresolver", tap.safely(asynchronous))
