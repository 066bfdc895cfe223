"""Dataclasses to JSON and back, by their type hints.

A timeout is `{"timeout": 30.0}`, `{"timeout": "unlimited"}` or `{"timeout": "unknown"}`: it can never be read as a
string or as null.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union

from crewdoctor.model.setting import Bound, Seconds

T = TypeVar("T")


class WireError(ValueError):
    """JSON that does not have the shape of its type; the message names the type and the field."""


def encode(value: Any) -> Any:
    """Turn a model value into JSON values (dict, list, str, number, bool, None). Foreign objects become their repr."""
    if isinstance(value, Seconds):
        return {"timeout": value.value}
    if isinstance(value, Bound):
        return {"timeout": value.value}
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(encode(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)


def decode_timeout(value: Any) -> Seconds | Bound:
    """Read the wire form of a timeout. Raises WireError."""
    held = value.get("timeout") if isinstance(value, dict) else None
    if isinstance(held, (int, float)) and not isinstance(held, bool):
        return Seconds(float(held))
    if isinstance(held, str):
        try:
            return Bound(held)
        except ValueError:
            pass
    raise WireError(f"not a timeout: {value!r}")


def decode(kind: type[T], value: Any) -> T:
    """Read a `kind` from JSON values. Unknown fields are dropped (a newer writer), missing ones take their default.

    Raises WireError naming the type and field.
    """
    read: T = _decode(kind, value, kind.__name__)
    return read


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _decode(kind: Any, value: Any, path: str) -> Any:
    if kind is Any:
        return value
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(typing.get_args(kind), value, path)
    if origin is typing.Literal:
        return value
    if origin in (tuple, list, frozenset):
        return _decode_sequence(origin, kind, value, path)
    if origin is dict:
        if not isinstance(value, dict):
            raise WireError(f"{path}: expected an object")
        item = typing.get_args(kind)[1]
        return {key: _decode(item, held, f"{path}.{key}") for key, held in value.items()}
    if kind in (Seconds, Bound):
        return decode_timeout(value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError:
            raise WireError(f"{path}: {value!r} is not one of {[each.value for each in kind]}") from None
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, path)
    return _decode_scalar(kind, value, path)


def _decode_scalar(kind: Any, value: Any, path: str) -> Any:
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind is type(None) and value is None:
        return None
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise WireError(f"{path}: expected {getattr(kind, '__name__', kind)}, got {value!r}")


def _decode_sequence(origin: Any, kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, list):
        raise WireError(f"{path}: expected a list")
    item = typing.get_args(kind)[0]
    return origin(_decode(item, held, f"{path}[{index}]") for index, held in enumerate(value))


def _decode_union(kinds: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, dict) and set(value) == {"timeout"} and (Seconds in kinds or Bound in kinds):
        return decode_timeout(value)
    for kind in kinds:
        if kind in (Seconds, Bound, type(None)):
            continue
        try:
            return _decode(kind, value, path)
        except WireError:
            continue
    raise WireError(f"{path}: {value!r} fits none of its types")


def _decode_dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise WireError(f"{path}: expected an object")
    hints = _hints(kind)
    given = {
        field.name: _decode(hints[field.name], value[field.name], f"{path}.{field.name}")
        for field in dataclasses.fields(kind)
        if field.name in value
    }
    try:
        return kind(**given)
    except TypeError as error:
        raise WireError(f"{path}: {error}") from None
