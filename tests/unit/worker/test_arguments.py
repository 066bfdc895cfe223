"""Arguments for calling a tool alone, and the honesty about where they came from."""

from __future__ import annotations

import pytest

from crewdoctor.model.probe import CannotProbe
from crewdoctor.worker.arguments import realistic as choose


def realistic(shape, *, given, recorded, places=()):
    return choose(shape, given=given, recorded=recorded, places=places)


def schema(required=None, defs=None, **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "$defs": defs or {},
    }


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("shape", "given", "recorded", "expected"),
    [
        (schema(query=TEXT), {"query": "cats"}, {"query": "dogs"}, ({"query": "cats"}, "given")),
        (schema(topic=TEXT), {}, {"topic": "dogs"}, ({"topic": "dogs"}, "recorded")),
        (schema(query=TEXT), {}, {"topic": "solar power"}, ({"query": "solar power"}, "synthesised")),
        (schema(a=TEXT, n={"type": "integer"}), {"a": "x"}, {}, ({"a": "x", "n": 3}, "synthesised")),
        (schema(unit={"enum": ["c", "f"]}), {}, {}, ({"unit": "c"}, "schema")),
        (schema(unit={"const": "c"}), {}, {}, ({"unit": "c"}, "schema")),
        (schema(q={"type": "string", "examples": ["rain"]}), {}, {}, ({"q": "rain"}, "schema")),
        (schema([], page={"type": "integer", "default": 4}), {}, {}, ({}, "schema")),
        (schema([], topic={"type": "string", "default": "x"}), {}, {"topic": "y"}, ({"topic": "y"}, "recorded")),
        (schema(), {}, {}, ({}, "schema")),
        ({}, {"free": 1}, {}, ({"free": 1}, "given")),
        (schema(n={"type": "integer", "maximum": 2}), {}, {}, ({"n": 2}, "synthesised")),
        (schema(n={"type": "number", "exclusiveMinimum": 10}), {}, {}, ({"n": 10.5}, "synthesised")),
        (schema(n={"type": "integer", "multipleOf": 5}), {}, {}, ({"n": 5}, "synthesised")),
        (schema(city={"anyOf": [{"type": "null"}, TEXT]}), {}, {}, ({"city": "Paris"}, "synthesised")),
        (schema(city={"type": ["string", "null"]}), {}, {}, ({"city": "Paris"}, "synthesised")),
        (schema(userIds={"type": "array", "items": TEXT}), {}, {}, ({"userIds": ["1"]}, "synthesised")),
        (schema(day={"type": "string", "format": "date"}), {}, {}, ({"day": "2026-01-15"}, "synthesised")),
        (schema(flag={"type": "boolean"}), {}, {}, ({"flag": False}, "synthesised")),
        (
            schema(where={"$ref": "#/$defs/Where"}, defs={"Where": schema(["city"], city=TEXT, note=TEXT)}),
            {},
            {},
            ({"where": {"city": "Paris"}}, "synthesised"),
        ),
        (
            schema(unit={"allOf": [{"$ref": "#/$defs/Unit"}]}, defs={"Unit": {"enum": ["k"], "type": "string"}}),
            {},
            {},
            ({"unit": "k"}, "schema"),
        ),
    ],
)
def test_each_value_comes_from_the_most_trusted_source(shape, given, recorded, expected):
    assert realistic(shape, given=given, recorded=recorded) == expected


@pytest.mark.parametrize("name", ["url", "website_url", "pageUrl", "host", "api_endpoint", "domain"])
def test_a_place_to_contact_is_never_invented(name):
    with pytest.raises(CannotProbe, match=name):
        realistic(schema(**{name: TEXT}), given={}, recorded={})


def test_a_place_is_one_of_the_tools_own_endpoints():
    places = ["https://api.internal:8443/"]
    assert realistic(schema(url=TEXT), given={}, recorded={}, places=places)[0] == {"url": places[0]}
    assert realistic(schema(hostname=TEXT), given={}, recorded={}, places=places)[0] == {"hostname": "api.internal"}


def test_what_cannot_be_made_up_is_asked_for_by_name():
    with pytest.raises(CannotProbe, match="code"):
        realistic(schema(code={"type": "string", "pattern": "^[A-Z]{3}$"}), given={}, recorded={})
    ring = schema(node={"$ref": "#/$defs/Node"}, defs={"Node": schema(["next"], next={"$ref": "#/$defs/Node"})})
    with pytest.raises(CannotProbe, match="next"):
        realistic(ring, given={}, recorded={})


def test_lengths_are_kept():
    made, _ = realistic(schema(city=TEXT | {"maxLength": 3}, name=TEXT | {"minLength": 20}), given={}, recorded={})
    assert made["city"] == "Par"
    assert len(made["name"]) == 20
