"""A nameserver that gives every name an address of its own, so that whoever connects there is known by name.

192.88.99.0/24 served 6to4 relays and belongs to nobody since RFC 7526: clients that refuse private addresses take it,
and a packet that got out would find no route.
"""

from __future__ import annotations

import itertools
import struct
from contextlib import suppress

PREFIX = "192.88.99."
_A, _IN = 1, 1


class Names:
    """Name and address of whatever was asked for."""

    def __init__(self) -> None:
        self._addresses: dict[str, str] = {}
        self._numbers = itertools.cycle(range(1, 255))

    def address_of(self, name: str) -> str:
        """Return the address of a name, always the same."""
        name = name.rstrip(".").lower()
        if name not in self._addresses:
            self._addresses[name] = f"{PREFIX}{next(self._numbers)}"
        return self._addresses[name]

    def name_of(self, address: str) -> str:
        """Return the name an address was given for, else the address."""
        return next((name for name, held in self._addresses.items() if held == address), address)

    def answer(self, query: bytes) -> bytes:
        """Answer one query: an address for A, no data for the rest; empty for what is no query (RFC 1035)."""
        with suppress(struct.error, IndexError, UnicodeDecodeError):
            labels, at = [], 12
            while size := query[at]:
                labels.append(query[at + 1 : at + 1 + size].decode("ascii"))
                at += size + 1
            kind, family = struct.unpack_from("!HH", query, at + 1)
            question = query[12 : at + 5]
            found = (kind, family) == (_A, _IN)
            head = query[:2] + struct.pack("!HHHHH", 0x8180, 1, int(found), 0, 0)
            if not found:
                return head + question
            packed = bytes(int(each) for each in self.address_of(".".join(labels)).split("."))
            return head + question + struct.pack("!HHHIH", 0xC00C, _A, _IN, 1, 4) + packed
        return b""
