"""Tool arguments as older crewai lists them in its prompts: `{'subject': {'description': None, 'type': 'list[str]'}}`.

Sources: crewai 1.0 and 1.6, `tools/base_tool.py`, `_generate_description`. Later ones print the JSON Schema.
"""

from __future__ import annotations

from typing import Any

_PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object", "Dict": "object"}
_LISTS = ("list", "List", "tuple", "set", "Sequence")
_EITHER = ("Union", "UnionType", "Optional")
_NOTHING = ("NoneType", "None")


def json_schema(listed: dict[str, Any]) -> dict[str, Any]:
    """`listed` as a JSON Schema; as it is where it is one already."""
    entries = list(listed.values())
    older = entries and all(
        isinstance(each, dict) and each.keys() == {"description", "type"} and isinstance(each["type"], str)
        for each in entries
    )
    if not older:
        return listed
    properties = {
        name: {**_of_type(each["type"]), **({"description": each["description"]} if each["description"] else {})}
        for name, each in listed.items()
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _of_type(written: str) -> dict[str, Any]:
    """The schema of an annotation in words; any value is as good for a type nobody here knows."""
    name, bracket, rest = written.strip().partition("[")
    inner = _parts(rest.rpartition("]")[0]) if bracket else []
    if name in _PLAIN:
        return {"type": _PLAIN[name]}
    if name in _LISTS:
        return {"type": "array", "items": _of_type(inner[0]) if inner else {"type": "string"}, "minItems": 1}
    if name == "Literal" and inner:
        return {"enum": inner}
    if name in _EITHER:
        return next((_of_type(each) for each in inner if each not in _NOTHING), {})
    return {}


def _parts(text: str) -> list[str]:
    """`str, list[int, str]` at its outermost commas."""
    found, depth = [""], 0
    for letter in text:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [each.strip() for each in found if each.strip()]
