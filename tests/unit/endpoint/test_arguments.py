"""Plausible arguments: valid for their schema, sensible for their names."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crewdoctor.endpoint.arguments import Situation, plausible, topic

PAGE = "http://127.0.0.1:9/page"
SITUATION = Situation("You are X.\nCurrent Task: Compare http://shop.test/a and prices of tea. Now.", "", "", PAGE)


@pytest.mark.parametrize(
    ("name", "schema", "value"),
    [
        ("limit", {"type": "integer"}, 3),
        ("ratio", {"type": "number", "exclusiveMaximum": 1}, 0.5),
        ("count", {"type": "integer", "maximum": 2}, 2),
        ("port", {"type": "integer", "minimum": 1024}, 1024),
        ("step", {"type": "integer", "multipleOf": 7}, 7),
        ("url", {"type": "string"}, "http://shop.test/a"),
        ("website_url", {"type": "string"}, "http://shop.test/a"),
        ("file_path", {"type": "string"}, "README.md"),
        ("unit", {"type": "string", "enum": ["C", "F"]}, "C"),
        ("unit", {"type": "string", "default": "F", "enum": ["C", "F"]}, "F"),
        ("x", {"examples": ["given"], "type": "string"}, "given"),
        ("x", {"const": 5}, 5),
        ("when", {"type": "string", "format": "date"}, "2026-01-15"),
        ("note", {"anyOf": [{"type": "string"}, {"type": "null"}]}, None),
        ("query", {"anyOf": [{"type": "string"}, {"type": "null"}]}, "Compare http://shop"),
        ("url", {"anyOf": [{"type": "null"}, {"type": "null"}]}, None),
        ("valid", {"type": "boolean"}, True),
        ("needs_full_replan", {"type": "boolean"}, False),
        ("step_completed_successfully", {"type": "boolean"}, True),
        ("depends_on", {"type": "array", "items": {"type": "integer"}}, []),
        ("tags", {"type": "array", "items": {"type": "string"}, "minItems": 2}, ["a plausible tags"] * 2),
        ("code", {"type": "string", "maxLength": 3, "minLength": 3}, "1.."),
    ],
)
def test_values(name, schema, value):
    assert plausible(schema, SITUATION, name) == value


def test_an_address_that_nobody_named_is_the_endpoints_own_page():
    assert plausible({"type": "string", "format": "uri"}, Situation("Current Task: x", page=PAGE), "target") == PAGE


def test_a_coworker_is_taken_from_the_tools_own_description():
    description = "Delegate a specific task to one of the following coworkers: Senior Writer, Editor\nThe input ..."
    assert plausible({"type": "string"}, Situation("", "", description), "coworker") == "Senior Writer"


def test_references_and_unions_are_followed():
    schema = {
        "$defs": {"Item": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
            "both": {
                "allOf": [{"$ref": "#/$defs/Item"}, {"properties": {"m": {"type": "boolean"}}, "required": ["m"]}]
            },
            "loop": {"$ref": "#"},
        },
        "required": ["items", "both"],
    }
    made = plausible(schema, SITUATION)
    jsonschema.validate(made, schema)
    assert made["items"] == [{"n": 1}]


def test_a_schema_that_contains_itself_ends():
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["child"]}
    assert json.dumps(plausible(schema, SITUATION))


@pytest.mark.parametrize(
    "schema", [{}, None, [], {"type": "unheard"}, {"type": ["null"]}, {"$ref": "#/nowhere"}, {"anyOf": []}]
)
def test_nonsense_does_not_raise(schema):
    json.dumps(plausible(schema, SITUATION, "x"))


def test_topic():
    assert topic("You are X.\nCurrent Task: Study tea. At length.") == "Study tea"
    assert topic("") == "status"


NAMES = st.sampled_from(["a", "url", "limit", "ready", "note", "path"])
LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-9, 9),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 30),
        st.integers(0, 9),
    ),
    st.builds(lambda options: {"enum": options}, st.lists(st.sampled_from(["p", "q", 1, 2]), min_size=1, unique=True)),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda item, least: {"type": "array", "items": item, "minItems": least}, inner, st.integers(0, 2)),
        st.builds(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": list(fields),
                "additionalProperties": False,
            },
            st.dictionaries(NAMES, inner, max_size=3),
        ),
        st.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner),
    ),
    max_leaves=6,
)


@given(SCHEMAS)
@settings(max_examples=80, deadline=None)
def test_every_value_is_valid_for_its_schema(schema):
    jsonschema.validate(plausible(schema, SITUATION, "x"), schema)
