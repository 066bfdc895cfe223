"""Numbers for client objects: the same object has the same one, and no later object is given it again.

Kept by `id()`, with a weak reference that says whether the object is still the one: a weak dictionary asked at every
request costs more than the rest of a tap.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_count = itertools.count(1)


class ByObject(Generic[T]):
    """One value per object, made when it is first asked for, gone with it."""

    __slots__ = ("_make", "held")

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.held: dict[int, tuple[weakref.ReferenceType[Any], T]] = {}

    def of(self, owner: Any) -> T:
        """Return its value; a fresh one each time for what cannot be referred to weakly."""
        key = id(owner)
        found = self.held.get(key)
        if found is not None and found[0]() is owner:
            return found[1]
        value = self._make(owner)
        with suppress(TypeError):
            self.held[key] = (weakref.ref(owner, lambda gone: self._forget(key, gone)), value)
        return value

    def _forget(self, key: int, gone: weakref.ReferenceType[Any]) -> None:
        found = self.held.get(key)
        if found is not None and found[0] is gone:
            self.held.pop(key, None)


def _numbered(owner: Any) -> int:
    try:
        weakref.ref(owner)
    except TypeError:
        return 0
    return next(_count)


numbers: ByObject[int] = ByObject(_numbered)


def number_of(client: Any) -> int:
    """Return the number of a client, a session or a pool of connections; 0 for what cannot be told again."""
    return numbers.of(client)
