"""Secrets the user's own code and objects hold, learned so that no text of theirs carries them out (law 12).

An exception says `refused Zq9kTw3xLmP0vR7y`: no shape betrays it, but the module has it under the name VAULT_PASSWORD.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from crewdoctor.wire.redact import learn_environment
from crewdoctor.worker.source_place import is_users

_DEPTH = 3
_PASSWORD = re.compile(r"PASS|PWD|SECRET|CREDENTIAL", re.IGNORECASE)


def learn_modules() -> None:
    """Learn what the user's modules hold under a name that says secret."""
    for module in list(sys.modules.values()):
        with suppress(Exception):  # a lazy module may raise on any attribute
            if is_users(getattr(module, "__file__", None) or ""):
                _learn(vars(module), _DEPTH)


def learn_objects(things: Iterable[Any]) -> None:
    """Learn what tools and models hold in such fields: keys, headers, DSNs."""
    for thing in things:
        with suppress(Exception):
            _learn(vars(thing), _DEPTH)


def _is_a_word(name: str, value: str) -> bool:
    """`SORT_KEY = "created_at"`: masking a plain word may hide a tool's name; of a password it may be all there is."""
    plain = value.replace("-", "_").isidentifier() and value.islower() and not any(map(str.isdigit, value))
    return plain and not _PASSWORD.search(name)


def _learn(names: Mapping[Any, Any], depth: int) -> None:
    flat: dict[str, str] = {}
    for name, value in list(names.items()):
        if isinstance(name, str) and not name.startswith("__"):
            if isinstance(value, str):
                flat |= {} if _is_a_word(name, value) else {name: value}
            elif callable(reveal := getattr(type(value), "get_secret_value", None)):
                flat[f"{name}_secret"] = str(reveal(value))
            elif isinstance(value, Mapping) and depth:
                _learn(value, depth - 1)
    learn_environment(flat)
