"""The JSON Schema of a report, generated from the dataclasses it is made of; `report-v1.schema.json` is its output.

`python -m crewdoctor.wire.schema` rewrites the file (`make docs`); a test holds that it is what ships.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import json
import textwrap
import types
import typing
from enum import Enum
from pathlib import Path
from typing import Any, Union

from crewdoctor.model.report import Report
from crewdoctor.model.setting import Bound, Seconds

SHIPPED = Path(__file__).with_name("report-v1.schema.json")
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
}
_TIMEOUT = {
    "type": "object",
    "description": "A timeout: seconds, or `unlimited`, or `unknown`. Never null, never a bare string.",
    "properties": {"timeout": {"anyOf": [{"type": "number"}, {"enum": [each.value for each in Bound]}]}},
    "required": ["timeout"],
    "additionalProperties": False,
}


def generate() -> dict[str, Any]:
    """Return the schema of `crewdoctor.report/1`."""
    definitions: dict[str, Any] = {"Timeout": _TIMEOUT}
    _define(Report, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "crewdoctor.report/1",
        "title": "A crewdoctor report",
        "description": "Fields may be added within version 1; none is removed or changes its meaning.",
        "$ref": "#/$defs/Report",
        "$defs": dict(sorted(definitions.items())),
    }


def text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(generate(), indent=2) + "\n"


def _define(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # a dataclass may hold itself
        hints = typing.get_type_hints(kind)
        described = _descriptions(kind)
        properties = {}
        for field in dataclasses.fields(kind):
            schema = _schema(hints[field.name], definitions)
            properties[field.name] = schema | (
                {"description": described[field.name]} if field.name in described else {}
            )
        definitions[kind.__name__] = {
            "type": "object",
            "description": (kind.__doc__ or "").partition("\n")[0],
            "properties": properties,
            "required": [field.name for field in dataclasses.fields(kind)],
        }
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (Seconds, Bound):
        return {"$ref": "#/$defs/Timeout"}
    if origin in (Union, types.UnionType):
        options: list[dict[str, Any]] = []
        for each in arguments:
            option = _schema(each, definitions)
            if option not in options:
                options.append(option)
        return {"anyOf": options}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (tuple, list, frozenset):
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if dataclasses.is_dataclass(kind):
        return _define(typing.cast("type", kind), definitions)
    return dict(_SCALARS[kind])


def _descriptions(kind: type) -> dict[str, str]:
    """Field to the string that follows it in the source: docstrings of attributes are not kept at run time."""
    body = typing.cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]).body
    found: dict[str, str] = {}
    for field, after in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found[field.target.id] = " ".join(after.value.value.split())
    return found


if __name__ == "__main__":
    SHIPPED.write_text(text(), encoding="utf-8")
