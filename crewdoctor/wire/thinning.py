"""Which spans may be left out of a recording that grows too long, and how: the same for writing and for reading.

Only operations on the wire, only such as ended soon and well: what failed, lasted, or never ended is what a diagnosis
rests on. The first ones of a name are all kept; of the later ones every second, then every fourth, ...: evenly over
time, so that a million leave some tens of thousands. Of one place (whose, and to which host) fewer are enough: what it
does in a thousand good requests it does in the next thousand too, and hosts that are asked rarely keep theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

WIRE = frozenset(
    {"dns.lookup", "dns.query", "tcp.connect", "tls.handshake", "proxy.connect", "http.request", "net.exchange"}
)
"""Names of operations on the wire, which come by the thousand. Any other span is written the moment it opens."""


_OF_A_PLACE = (1024, 512)
_MOST_PLACES = 1024


class Thinning:
    """Counts what it keeps, by name and by place."""

    def __init__(self, first: int = 4096, then: int = 2048) -> None:
        """`first`: kept one and all; `then`: kept at each stride before it doubles."""
        self._first, self._then = first, then
        self._seen: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()
        self._places: dict[Hashable, Thinning] = {}

    def keeps(self, name: str, place: Hashable = None) -> bool:
        """Whether the next one called `name` is kept, of those to `place`, if it has one."""
        if place is not None:
            of_place = self._places.get(place)
            if of_place is None and len(self._places) < _MOST_PLACES:
                of_place = self._places[place] = Thinning(*_OF_A_PLACE)
            if of_place is not None and not of_place.keeps(name):
                return False
        kept = self._kept[name]
        if kept >= self._first:
            self._seen[name] += 1
            if self._seen[name] % (2 << ((kept - self._first) // self._then)):
                return False
        self._kept[name] = kept + 1
        return True
