"""Which spans may be left out of a recording that grows too long, and how: the same for writing and for reading.

Only operations on the wire, only such as ended soon and well: what failed, lasted, or never ended is what a diagnosis
rests on. The first ones of a name are all kept; of the later ones every second, then every fourth, ...: evenly over
time, so that a million leave some tens of thousands.
"""

from __future__ import annotations

from collections import Counter

WIRE = frozenset(
    {"dns.lookup", "dns.query", "tcp.connect", "tls.handshake", "proxy.connect", "http.request", "net.exchange"}
)
"""Names of operations on the wire, which come by the thousand. Any other span is written the moment it opens."""


class Thinning:
    """Counts what it keeps, by name."""

    def __init__(self, first: int = 4096, then: int = 2048) -> None:
        """`first`: kept one and all; `then`: kept at each stride before it doubles."""
        self._first, self._then = first, then
        self._seen: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()

    def keeps(self, name: str) -> bool:
        """Whether the next one called `name` is kept."""
        kept = self._kept[name]
        if kept >= self._first:
            self._seen[name] += 1
            if self._seen[name] % (2 << ((kept - self._first) // self._then)):
                return False
        self._kept[name] = kept + 1
        return True
