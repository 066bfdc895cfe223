"""Names and dates of a certificate that was not trusted: the ssl module tells them of trusted ones only.

Just enough DER for the first fields of a certificate. Source: RFC 5280 section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_EXPLICIT_VERSION = 0xA0
_LONG_FORM = 0x80
_NAMES = {b"\x55\x04\x03": 0, b"\x55\x04\x0a": 1, b"\x55\x04\x0b": 2}
"""Object identifiers of commonName, organizationName, organizationalUnitName, and the order they are told in."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a server says it is, and who says so."""

    subject: str
    issuer: str
    not_before: str
    not_after: str
    """As written: `20261231235959Z`."""


def read(der: bytes) -> Certificate:
    """Read a certificate. Raises ValueError for bytes that are none."""
    try:
        outer = next(_items(der))[1]
        held = [item for item in _items(next(_items(outer))[1]) if item[0] != _EXPLICIT_VERSION]
        _serial, _algorithm, issuer, validity, subject = (value for _, value in held[:5])
        before, after = (value.decode("ascii", "replace") for _, value in _items(validity))
    except (IndexError, StopIteration) as error:
        raise ValueError("not a certificate") from error
    return Certificate(_name(subject), _name(issuer), _full_year(before), _full_year(after))


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, one after the other."""
    at = 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & _LONG_FORM:
            count = size & ~_LONG_FORM
            size, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + size > len(data):
            raise ValueError("an element longer than what holds it")
        yield tag, data[at : at + size]
        at += size


def _name(data: bytes) -> str:
    """`Common Name, Organization, Unit`, as far as they are there."""
    found: dict[int, str] = {}
    for _, group in _items(data):
        for _, pair in _items(group):
            (_, kind), (_, value) = _items(pair)
            if kind in _NAMES:
                found.setdefault(_NAMES[kind], value.decode("utf-8", "replace"))
    return ", ".join(found[rank] for rank in sorted(found))


def _full_year(written: str) -> str:
    """UTCTime has two digits for the year; from 50 on they are of the last century."""
    if len(written) == len("YYMMDDHHMMSSZ"):
        return ("19" if written[:2] >= "50" else "20") + written
    return written
