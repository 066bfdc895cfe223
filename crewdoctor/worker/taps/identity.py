"""Numbers for client objects: the same object has the same one, and no later object is given it again."""

from __future__ import annotations

import itertools
import weakref
from typing import Any

_numbers: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_count = itertools.count(1)


def number_of(client: Any) -> int:
    """Return the number of a client, a session or a pool of connections; 0 for what cannot be told again."""
    try:
        found = _numbers.get(client)
        if found is None:
            found = _numbers[client] = next(_count)
    except TypeError:  # without a hash, or without weak references
        return 0
    return found
