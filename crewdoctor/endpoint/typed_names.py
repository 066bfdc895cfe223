"""Types in words, as older crewai writes them where later ones print a JSON Schema.

Arguments of tools: `{'subject': {'description': None, 'type': 'list[str]'}}`; the form of an answer: `{"title": str,
"tags": List[str]}`. Sources: crewai 1.0 and 1.6, `tools/base_tool.py`, `utilities/converter.py`.
"""

from __future__ import annotations

import re
from typing import Any

_PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object", "Dict": "object"}
_LISTS = ("list", "List", "tuple", "set", "Sequence")
_EITHER = ("Union", "UnionType", "Optional")
_NOTHING = ("NoneType", "None")
_FORM_FOLLOWS = re.compile(r"in the following format:\s*(?=\{)")
_OPEN, _CLOSE = "[{", "]}"


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


def form_in(text: str) -> dict[str, Any] | None:
    """The JSON Schema of the answer a prompt asks for in words, None where it asks for none."""
    found = _FORM_FOLLOWS.search(text)
    if found is None:
        return None
    depth, start = 0, found.end()
    for at in range(start, len(text)):
        depth += (text[at] in _OPEN) - (text[at] in _CLOSE)
        if depth == 0:
            schema = _of_type(text[start : at + 1])
            return schema if schema.get("properties") else None
    return None


def _of_type(written: str) -> dict[str, Any]:
    """The schema of an annotation in words; any value is as good for a type nobody here knows."""
    if written.startswith("{"):
        fields = [each.partition('":') for each in _parts(written[1:-1])]
        properties = {name.strip().strip('"'): _of_type(kind.strip()) for name, colon, kind in fields if colon}
        return {"type": "object", "properties": properties, "required": list(properties)}
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
    """`str, dict[int, str]` at its outermost commas."""
    found, depth = [""], 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [each.strip() for each in found if each.strip()]
