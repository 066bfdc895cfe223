"""Plausible values for a JSON Schema: what a model would pass to a tool it knows only by its schema.

Order of trust: `const`, `examples`, `default`, `enum`, the meaning of the name, `format`, the bare type.
Standard library only, pure: the same schema and situation give the same value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DEPTH = 12
_WORDS_BY_NAME: tuple[tuple[str, str], ...] = (
    (r"(^|_)(url|uri|link|href|website|webpage|endpoint|address_url)s?($|_)", "url"),
    (r"(^|_)(quer(y|ies)|search|question|topic|keyword|prompt|term|phrase|subject|title|q)s?($|_)", "query"),
    (r"(^|_)(director(y|ies)|dir|folder)s?($|_)", "directory"),
    (r"(^|_)(path|file|filename|filepath|document)s?($|_)", "path"),
    (r"(^|_)(coworker|co_worker|agent|role)s?($|_)", "coworker"),
    (r"(^|_)e?mails?($|_)", "email"),
    (r"(^|_)(date|day|since|until|from_date|to_date)s?($|_)", "date"),
    (r"(^|_)(cit(y|ies)|location|place|town)s?($|_)", "city"),
    (r"(^|_)(countr(y|ies)|country_code)($|_)", "country"),
    (r"(^|_)(lang|language|locale)s?($|_)", "language"),
    (r"(^|_)(id|identifier|key|code|number)s?($|_)", "identifier"),
    (r"(^|_)(name|user|username|customer|company|person)s?($|_)", "name"),
    (r"(^|_)(sql|statement)s?($|_)", "sql"),
    (r"(^|_)(expression|formula|equation|calculation)s?($|_)", "expression"),
    (r"(^|_)(host|hostname|domain|server)s?($|_)", "host"),
)
_BY_FORMAT = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "someone@example.com",
    "hostname": "localhost",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_BY_MEANING = {
    "directory": ".",
    "path": "README.md",
    "email": "someone@example.com",
    "date": "2026-01-15",
    "city": "Paris",
    "country": "FR",
    "language": "en",
    "identifier": "1",
    "name": "Ada Lovelace",
    "sql": "SELECT 1",
    "expression": "2 + 2",
    "host": "localhost",
}
_SMALL_NUMBERS = re.compile(r"(limit|count|size|top|max|num|amount|n_|results|depth|pages?)")
_YES = re.compile(
    r"(valid|ready|success|complete|passed|approved|accept|ok$|is_good|satisf|insert_new|can_answer|correct)"
)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a model would know besides the schema."""

    text: str = ""
    """The conversation so far: URLs are taken from it."""
    asked: str = ""
    """What the person asked first: the topic of searches."""
    description: str = ""
    """The tool's own description: names of coworkers are taken from it."""
    before: int = 0
    """How often the tool was called before: each coworker has a turn."""
    page: str = "http://127.0.0.1/"
    """An address that answers, for tools that want one and a conversation that names none."""

    def word(self, meaning: str) -> str:
        """Return a text for `meaning`, one of the words this file knows."""
        if meaning == "url":
            found = re.search(r"https?://[^\s'\"<>)\]}`,]+", self.text)
            return found.group().rstrip(".") if found else self.page
        if meaning == "coworker":
            named = coworkers(self.description)
            return named[self.before % len(named)] if named else "assistant"
        if meaning == "query":
            return topic(self.asked or self.text)
        return _BY_MEANING[meaning]


def coworkers(description: str) -> list[str]:
    """Return those a tool that delegates says it may be given."""
    found = re.search(r"following coworkers?: *([^\n]+)", description)
    return [name.strip() for name in found[1].split(",") if name.strip()] if found else []


def topic(text: str) -> str:
    """Return a few words of what a crewai prompt asks for, for searches."""
    found = re.search(r"(?:Current Task:|## (?:Current Step|Task)\s*\n)\s*([^\n.?!]+)", text)
    words = (found.group(1) if found else text).split()
    return " ".join(words[:8]) or "status"


def plausible(schema: Any, situation: Situation, name: str = "") -> Any:
    """Return a value valid for `schema` as far as its keywords are known; never raises."""
    root = schema if isinstance(schema, dict) else {}
    return _value(root, situation, name, root, _DEPTH)


def _value(schema: Any, situation: Situation, name: str, root: Mapping[str, Any], depth: int) -> Any:
    schema = _resolved(schema, root)
    fixed = _fixed(schema)
    if fixed:
        return fixed[0]
    kinds = schema.get("type")
    kind = kinds if isinstance(kinds, str) else next((each for each in kinds or () if each != "null"), "")
    if _nullable(schema, root) and not _meaning(name):
        return None
    for union in ("anyOf", "oneOf"):
        offered = schema.get(union) or ()
        options = [each for each in offered if _resolved(each, root).get("type") != "null"]
        if offered and not options:
            return None
        if options:
            return _value(options[0], situation, name, root, depth - 1) if depth > 0 else None
    if kind == "object" or (not kind and "properties" in schema):
        return _object(schema, situation, root, depth)
    if kind == "array":
        return _array(schema, situation, name, root, depth)
    if kind == "boolean":
        return bool(_YES.search(name.lower()))
    if kind in {"integer", "number"}:
        return _number(schema, name, kind)
    if kind == "null" or kinds == []:
        return None
    return _text(schema, situation, name)


def _fixed(schema: Mapping[str, Any]) -> list[Any]:
    """Return the value the schema itself names, in a list; an empty one when it names none."""
    if "const" in schema:
        return [schema["const"]]
    examples = schema.get("examples") or ([schema["example"]] if "example" in schema else [])
    if isinstance(examples, list) and examples:
        return [examples[0]]
    if schema.get("default") is not None:
        return [schema["default"]]
    options = [each for each in schema.get("enum") or () if each is not None]
    return options[:1]


def _nullable(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Whether null is allowed: the way strict mode spells an argument that is left out."""
    kinds = schema.get("type")
    options = [each for union in ("anyOf", "oneOf") for each in schema.get(union) or ()]
    return (isinstance(kinds, list) and "null" in kinds) or any(
        _resolved(each, root).get("type") == "null" for each in options
    )


def _resolved(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """Follow `$ref` inside the document and merge `allOf`."""
    merged: dict[str, Any] = dict(schema) if isinstance(schema, dict) else {}
    for _ in range(_DEPTH):
        reference = merged.pop("$ref", None)
        if not isinstance(reference, str):
            break
        target: Any = root
        for part in reference.lstrip("#/").split("/"):
            target = target.get(part, {}) if isinstance(target, dict) else {}
        merged = {**(target if isinstance(target, dict) else {}), **merged}
    for part in merged.pop("allOf", None) or ():
        inner = _resolved(part, root)
        properties = {**merged.get("properties", {}), **inner.get("properties", {})}
        required = [*merged.get("required", ()), *inner.get("required", ())]
        merged = {**inner, **merged, "properties": properties, "required": required}
    return merged


def _object(schema: Mapping[str, Any], situation: Situation, root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ()
    if depth <= 0:
        return {}
    made = {}
    for name, inner in properties.items():
        if name in required or _meaning(name) or _fixed(_resolved(inner, root)):
            made[name] = _value(inner, situation, name, root, depth - 1)
    return made


def _array(
    schema: Mapping[str, Any], situation: Situation, name: str, root: Mapping[str, Any], depth: int
) -> list[Any]:
    if name.lower() in {"depends_on", "dependencies"} or depth <= 0 or schema.get("maxItems") == 0:
        return []
    prefix = schema.get("prefixItems")
    if isinstance(prefix, list):
        return [_value(item, situation, name, root, depth - 1) for item in prefix]
    count = max(1, int(schema.get("minItems") or 1))
    return [_value(schema.get("items") or {}, situation, name, root, depth - 1) for _ in range(count)]


def _number(schema: Mapping[str, Any], name: str, kind: str) -> int | float:
    value = 3.0 if _SMALL_NUMBERS.search(name.lower()) else 1.0
    step = schema.get("multipleOf")
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    unit = 1.0 if kind == "integer" else 0.5
    if isinstance(above, (int, float)) and value <= above:
        value = above + unit
    if isinstance(lowest, (int, float)):
        value = max(value, lowest)
    if isinstance(below, (int, float)) and value >= below:
        value = below - unit
    if isinstance(highest, (int, float)):
        value = min(value, highest)
    if isinstance(step, (int, float)) and step > 0:
        value = max(1, round(value / step)) * step
    return int(value) if kind == "integer" else float(value)


def _meaning(name: str) -> str:
    lowered = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
    return next((meaning for pattern, meaning in _WORDS_BY_NAME if re.search(pattern, lowered)), "")


def _text(schema: Mapping[str, Any], situation: Situation, name: str) -> str:
    form = str(schema.get("format") or "")
    meaning = _meaning(name)
    if form in {"uri", "url", "uri-reference", "iri"}:
        text = situation.word("url")
    elif form in _BY_FORMAT:
        return _BY_FORMAT[form]
    elif meaning:
        text = situation.word(meaning)
    else:
        text = f"a plausible {name.replace('_', ' ')}".strip() if name else "a plausible text"
    longest, shortest = schema.get("maxLength"), schema.get("minLength")
    if isinstance(shortest, int) and len(text) < shortest:
        text = text.ljust(shortest, ".")
    return text[:longest] if isinstance(longest, int) else text
