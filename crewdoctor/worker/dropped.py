"""Keywords a constructor accepted and dropped: the built object is asked, no table of names is believed."""

from __future__ import annotations

import dis
from collections.abc import Iterator, Mapping
from typing import Any

from crewdoctor.model.setting import SettingValue

_LONGEST = 20
"""Characters of a text that is shown; what is longer is no limit of anything."""


def dropped(thing: Any, keywords: Mapping[str, Any]) -> dict[str, SettingValue]:
    """Of what the constructor of `thing` was given: what the built object does not hold and nothing of it has read."""
    kind = type(thing)
    fields = getattr(kind, "model_fields", None)
    if not isinstance(fields, Mapping) or _keeps_more(kind):
        return {}
    known = {*fields, *(alias for field in fields.values() for alias in _aliases(field))}
    lost = [name for name in keywords if name not in known and not hasattr(thing, name)]
    return {name: plain(keywords[name]) for name in lost if not _read_elsewhere(kind, name)}


def _keeps_more(kind: Any) -> bool:
    return bool(dict(getattr(kind, "model_config", {})).get("extra", "ignore") != "ignore")


def _aliases(field: Any) -> Iterator[str]:
    for held in (getattr(field, "alias", None), getattr(field, "validation_alias", None)):
        for each in getattr(held, "choices", None) or [held]:
            path = getattr(each, "path", None)
            name = path[0] if path else each
            if isinstance(name, str):
                yield name


def _read_elsewhere(kind: Any, name: str) -> bool:
    """Whether a constructor, or a validator of raw input, names it or takes all keywords for itself."""
    validators = getattr(getattr(kind, "__pydantic_decorators__", None), "model_validators", {})
    raw = [each.cls_var_name for each in validators.values() if each.info.mode != "after"]
    for base in kind.__mro__:
        if base.__module__.startswith("pydantic") or base is object:
            continue
        for each in ("__init__", "__new__", *raw):
            code = _code(vars(base).get(each))
            if code is not None and (name in code.co_consts or name in _parameters(code) or _spends_keywords(code)):
                return True
    return False


def _code(function: Any) -> Any:
    """The code as written; a stand-in of ours, or a decorator, is looked through."""
    held = getattr(function, "wrapped", function)
    held = getattr(held, "__func__", held)
    while hasattr(held, "__wrapped__"):
        held = held.__wrapped__
    code = getattr(held, "__code__", None)
    return None if code is None or getattr(held, "__module__", "").startswith("pydantic") else code


def _parameters(code: Any) -> tuple[str, ...]:
    return tuple(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _spends_keywords(code: Any) -> bool:
    """Whether `**kwargs` goes anywhere but, once, to the base class."""
    if not code.co_flags & 0x08:  # CO_VARKEYWORDS
        return False
    position = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)
    name = code.co_varnames[position]
    loads = [each for each in dis.get_instructions(code) if each.opname.startswith("LOAD") and each.argval == name]
    return len(loads) > 1


def plain(value: Any) -> SettingValue:
    """A number or a short word as it is; of anything else the kind alone, for it may be a secret or an object."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return value if isinstance(value, str) and len(value) <= _LONGEST else f"a {type(value).__name__}"
