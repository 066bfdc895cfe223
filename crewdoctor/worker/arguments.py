"""Realistic arguments for calling a tool alone, and where each came from.

Order of trust: given by the user → recorded (the inputs the crew is kicked off with, where names match) → the schema's
own examples, defaults and choices → synthesised from name and type. Only what is required is invented. What names a
place to contact is never invented: a diagnosis sends nothing to hosts that are not the crew's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from crewdoctor.model.probe import CannotProbe

SOURCES = ("given", "recorded", "schema", "synthesised")
"""Most trusted first. The arguments of a call are as good as the least trusted of them."""

_DEPTH = 8
_PLACE = re.compile(
    r"(^|_)(urls?|uris?|links?|hrefs?|websites?|webpages?|endpoints?|hosts?|hostnames?|domains?|servers?)($|_)"
)
_BY_NAME: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), value)
    for pattern, value in (
        (r"(^|_)(sql|statement)s?($|_)", "SELECT 1"),
        (r"(^|_)(director(y|ies)|dir|folder)s?($|_)", "."),
        (r"(^|_)(path|file|file_?name|file_?path)s?($|_)", "README.md"),
        (r"(^|_)e?mails?($|_)", "someone@example.com"),
        (r"(^|_)(date|day|since|until)s?($|_)", "2026-01-15"),
        (r"(^|_)(cit(y|ies)|location|place|town)s?($|_)", "Paris"),
        (r"(^|_)countr(y|ies)($|_)", "France"),
        (r"(^|_)(lang|language|locale)s?($|_)", "en"),
        (r"(^|_)(currency|currencies)($|_)", "EUR"),
        (r"(^|_)(ticker|symbol|stock)s?($|_)", "IBM"),
        (r"(^|_)(id|identifier|number|sku|code)s?($|_)", "1"),
        (r"(^|_)(expression|formula|equation|calculation)s?($|_)", "2 + 2"),
        (r"(^|_)(name|user|user_?name|customer|company|person)s?($|_)", "Ada Lovelace"),
    )
)
_BY_FORMAT = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H",
    "email": "someone@example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-4000-8000-000000000001",
}
_PLACE_FORMATS = frozenset({"uri", "url", "uri-reference", "iri", "hostname"})
_TOPIC = "latest status"


def realistic(
    schema: Mapping[str, Any],
    *,
    given: Mapping[str, Any],
    recorded: Mapping[str, Any],
    places: Sequence[str],
) -> tuple[dict[str, Any], str]:
    """Arguments for `schema` (JSON Schema of an object) and their source, one of SOURCES.

    `places`: URLs of the tool's own endpoints, for arguments that name a place. Raises CannotProbe when a required
    argument names a place and there is none, or has a shape nothing is known about.
    """
    made: dict[str, Any] = dict(given)
    sources = {"given"} if given else set()
    properties = schema.get("properties")
    required = schema.get("required") or ()
    for name, described in (properties if isinstance(properties, dict) else {}).items():
        if name in made:
            continue
        if name in recorded:
            made[name] = recorded[name]
            sources.add("recorded")
        elif name in required:
            inner = _resolved(described, schema)
            named = _named(inner)
            sources.add("schema" if named else "synthesised")
            made[name] = named[0] if named else _Inventor(schema, recorded, places).value(inner, name, _DEPTH)
    return made, max(sources or {"schema"}, key=SOURCES.index)


class _Inventor:
    """Makes up what nobody gave."""

    def __init__(self, root: Mapping[str, Any], recorded: Mapping[str, Any], places: Sequence[str]) -> None:
        self._root, self._places = root, places
        texts = [value for value in recorded.values() if isinstance(value, str) and value.strip()]
        self._topic = " ".join(texts[0].split()[:8]) if texts else _TOPIC

    def value(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        schema = _resolved(schema, self._root)
        named = _named(schema)
        if named:
            return named[0]
        if depth <= 0:
            raise CannotProbe(f"argument `{name}` is nested deeper than can be made up; give it in the configuration")
        for union in ("anyOf", "oneOf"):
            choices = [each for each in schema.get(union) or () if _kind(_resolved(each, self._root)) != "null"]
            if choices:
                return self.value(choices[0], name, depth - 1)
        kind = _kind(schema)
        if kind == "object":
            inner = schema.get("properties") or {}
            return {
                each: self.value(inner[each], each, depth - 1) for each in schema.get("required") or () if each in inner
            }
        if kind == "array":
            count = int(schema.get("minItems") or 1)
            return [self.value(schema.get("items") or {}, name, depth - 1) for _ in range(count)]
        if kind in {"integer", "number"}:
            return _number(schema, kind)
        if kind in {"boolean", "null"}:
            return False if kind == "boolean" else None
        return self._text(schema, name)

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace("-", "_")
        form = str(schema.get("format") or "")
        if form in _BY_FORMAT:
            return _BY_FORMAT[form]
        if form in _PLACE_FORMATS or _PLACE.search(words):
            return self._place(name, bare=form == "hostname" or bool(re.search(r"host|domain|server", words)))
        if schema.get("pattern"):
            raise CannotProbe(f"argument `{name}` must match a pattern; give it in the configuration")
        text = next((value for pattern, value in _BY_NAME if pattern.search(words)), self._topic)
        shortest, longest = schema.get("minLength"), schema.get("maxLength")
        if isinstance(shortest, int):
            text = text.ljust(shortest, ".")
        return text[:longest] if isinstance(longest, int) else text

    def _place(self, name: str, *, bare: bool) -> str:
        if not self._places:
            raise CannotProbe(
                f"argument `{name}` names a place to contact, and none is known; give it in the configuration"
            )
        return re.sub(r"^\w+://|[:/].*$", "", self._places[0].split("://", 1)[-1]) if bare else self._places[0]


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return next((each for each in kinds if each != "null"), "null")
    if isinstance(kinds, str):
        return kinds
    return "object" if "properties" in schema else "array" if "items" in schema else ""


def _named(schema: Mapping[str, Any]) -> list[Any]:
    """Return the value the schema itself names, in a list; an empty one when it names none."""
    if "const" in schema:
        return [schema["const"]]
    examples = schema.get("examples") or ([schema["example"]] if "example" in schema else [])
    if isinstance(examples, list) and examples:
        return [examples[0]]
    if schema.get("default") is not None:
        return [schema["default"]]
    return [each for each in schema.get("enum") or () if each is not None][:1]


def _resolved(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """Follow `$ref` inside the document; a single `allOf` (as pydantic writes described references) is merged."""
    merged: dict[str, Any] = dict(schema) if isinstance(schema, Mapping) else {}
    for _ in range(_DEPTH):
        parts = merged.pop("allOf", None) or []
        for part in parts:
            merged = {**(part if isinstance(part, Mapping) else {}), **merged}
        reference = merged.pop("$ref", None)
        if not isinstance(reference, str):
            break
        target: Any = root
        for part in reference.removeprefix("#").strip("/").split("/"):
            target = target.get(part, {}) if isinstance(target, Mapping) else {}
        merged = {**(target if isinstance(target, Mapping) else {}), **merged}
    return merged


def _number(schema: Mapping[str, Any], kind: str) -> int | float:
    value = 3.0
    unit = 1.0 if kind == "integer" else 0.5
    if isinstance(above := schema.get("exclusiveMinimum"), (int, float)):
        value = max(value, above + unit)
    if isinstance(lowest := schema.get("minimum"), (int, float)):
        value = max(value, lowest)
    if isinstance(below := schema.get("exclusiveMaximum"), (int, float)):
        value = min(value, below - unit)
    if isinstance(highest := schema.get("maximum"), (int, float)):
        value = min(value, highest)
    step = schema.get("multipleOf")
    if isinstance(step, (int, float)) and step > 0:
        value = max(1, round(value / step)) * step
    return int(value) if kind == "integer" else value
