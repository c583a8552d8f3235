"""JSON made from a schema is JSON that satisfies it, and no schema costs too much."""

import json
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from openai.lib._pydantic import to_strict_json_schema
from pydantic import AnyUrl, BaseModel, Field, IPvAnyAddress

from servers.llm.keywords import Keywords
from servers.llm.schema import MAX_STEPS, cut, fill


def satisfies(value: Any, schema: Any, root: Any) -> bool:
    """A checker of its own: the keywords that `fill` says it obeys, one after the other."""
    if isinstance(schema, bool):
        return schema

    def inside(value: Any, schema: Any) -> bool:
        return satisfies(value, schema, root)

    def same(one: Any, other: Any) -> bool:
        return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)

    types = schema.get("type") or list(TYPES)
    rules = [
        any(TYPES[kind](value) for kind in ([types] if isinstance(types, str) else types)),
        "const" not in schema or same(value, schema["const"]),
        "enum" not in schema or any(same(value, each) for each in schema["enum"]),
        all(inside(value, each) for each in schema.get("allOf", [])),
        any(inside(value, each) for each in schema.get("anyOf", [True])),
        any(inside(value, each) for each in schema.get("oneOf", [True])),
    ]
    if "$ref" in schema:
        target = root
        for key in schema["$ref"].split("/")[1:]:
            target = target[key]
        rules.append(inside(value, target))
    if TYPES["number"](value):
        number = Fraction(str(value))
        rules += [
            value >= schema.get("minimum", value),
            value <= schema.get("maximum", value),
            "exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"],
            "exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"],
            "multipleOf" not in schema or number % Fraction(str(schema["multipleOf"])) == 0,
        ]
    if isinstance(value, str):
        rules.append(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9))
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        rest = schema.get("items", True)
        rules += [
            schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9),
            all(map(inside, value, prefix)),
            all(inside(each, rest) for each in value[len(prefix) :]),
            not schema.get("uniqueItems") or len({json.dumps(each) for each in value}) == len(value),
        ]
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        rules += [
            schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 10**9),
            value.keys() >= set(schema.get("required", [])),
            all(inside(each, properties.get(name, others)) for name, each in value.items()),
        ]
    return all(rules)


TYPES: dict[str, Any] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: TYPES["number"](value) and value == int(value),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def test_the_documentation() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["celsius", "kelvin"]},
        },
    }
    made = fill(schema, hint="How warm is Paris?")
    assert made == {"city": "How warm is", "days": 79, "unit": "celsius"}
    assert list(made) == ["city", "days", "unit"]  # as they are declared
    assert fill(schema) == {"city": "city", "days": 79, "unit": "celsius"}


NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/node"}]},
        "others": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 1},
        "parent": {"$ref": "#/$defs/node"},
    },
    "required": ["name", "next", "others"],
    "additionalProperties": False,
}
LEAF = {"name": "name", "next": None, "others": []}
SUM = {
    "$ref": "#/$defs/sum",
    "$defs": {
        "sum": {"type": "array", "prefixItems": [{"$ref": "#/$defs/term"}] * 2, "minItems": 2},
        "term": {"anyOf": [{"$ref": "#/$defs/sum"}, {"type": "integer", "maximum": 1}]},
    },
}

# A schema that leaves one value, and that.
ONE_VALUE: dict[str, tuple[Any, Any]] = {
    "anything": (True, "text"),
    "an empty schema": ({}, "text"),
    "null": ({"type": "null"}, None),
    "const": ({"const": {"a": [1, None]}}, {"a": [1, None]}),
    "const null": ({"const": None}, None),
    "const and enum": ({"const": 2, "enum": [1, 2]}, 2),
    "true is not 1": ({"allOf": [{"enum": [1, True]}, {"const": True}]}, True),
    "enum of the right type": ({"enum": ["a", None, 2], "type": ["integer", "boolean"]}, 2),
    "enum within bounds": ({"enum": [1, 2, 3, 4.5], "minimum": 2, "multipleOf": 1.5}, 3),
    "enum of the right length": ({"enum": ["a", "abc"], "minLength": 2}, "abc"),
    "examples": ({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["ABC"]}, "ABC"),
    "default": ({"type": "integer", "default": 10}, 10),
    "a default of the wrong type": ({"type": "string", "default": None}, "text"),
    "a default that is too short": ({"type": "string", "default": "", "minLength": 1}, "text"),
    "a default out of bounds": ({"default": 5, "minimum": 6, "maximum": 6}, 6),
    "minLength": ({"type": "string", "minLength": 6}, "text.."),
    "maxLength": ({"type": "string", "maxLength": 2}, "te"),
    "an empty string": ({"maxLength": 0}, ""),
    "integer": ({"type": "integer", "minimum": 7, "maximum": 7.5}, 7),
    "exclusive": ({"type": "integer", "exclusiveMinimum": 7, "exclusiveMaximum": 9}, 8),
    "a multiple": ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20}, 14),
    "a fraction": ({"multipleOf": 0.1, "minimum": 0.25, "maximum": 0.35}, 0.3),
    "both multiples": (
        {"multipleOf": 0.4, "allOf": [{"multipleOf": 6}], "exclusiveMinimum": 0, "maximum": 12},
        12,
    ),
    "no multiple but 0": ({"multipleOf": 1e308, "allOf": [{"multipleOf": 1.5e308}]}, 0),
    "exactly": ({"type": "number", "minimum": 0.123, "maximum": 0.123}, 0.123),
    "nothing but 0": ({"minimum": 0, "maximum": 0}, 0),
    "under 0": ({"type": "integer", "maximum": -5}, -5),
    "over 100": ({"type": "integer", "minimum": 2**62}, 2**62),
    "the largest": ({"type": "integer", "minimum": 2**63 - 1}, 2**63 - 1),
    "null at last": ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "text"),
    "null among types": ({"type": ["null", "string"]}, "text"),
    "null if nothing else": ({"type": ["null", "string"], "minLength": 2, "maxLength": 1}, None),
    "a plain string late": ({"anyOf": [{"type": "string"}, {"const": 1}]}, 1),
    "a choice that fails": ({"oneOf": [False, {"const": 1}], "anyOf": [{"type": "integer"}]}, 1),
    "choices that agree": (
        {"anyOf": [{"const": 1}, {"const": 2}], "oneOf": [{"const": 2}, {"const": 3}]},
        2,
    ),
    "all of it": (
        {
            "type": "number",
            "allOf": [{"type": "integer", "minimum": 3}, {"allOf": [{"maximum": 3}, True]}],
        },
        3,
    ),
    "objects": (
        {
            "allOf": [
                {"properties": {"b": {"const": 1}, "a": {"const": 2}}},
                {"properties": {"a": {"enum": [2, 3]}, "c": True}, "required": ["c", "d"]},
            ]
        },
        {"b": 1, "a": 2, "c": "c", "d": "d"},
    ),
    "no others": (
        {
            "properties": {"a": {"const": 1}, "b": True},
            "allOf": [{"properties": {"a": True}, "additionalProperties": False}],
        },
        {"a": 1},
    ),
    "an impossible property": ({"properties": {"a": False, "b": {"const": 1}}}, {"b": 1}),
    "maxProperties": (
        {"properties": {"a": True, "b": {"const": 1}}, "required": ["b"], "maxProperties": 1},
        {"b": 1},
    ),
    "others": ({"additionalProperties": {"type": "null"}}, {"1": None, "2": None}),
    "one other": ({"additionalProperties": {"type": "null"}, "maxProperties": 1}, {"1": None}),
    "others are needed": (
        {"properties": {"1": {"const": 0}}, "minProperties": 3},
        {"1": 0, "2": "2", "3": "3"},
    ),
    "names": (
        {"propertyNames": {"enum": ["a"]}, "additionalProperties": {"const": 1}},
        {"a": 1},
    ),
    "a tuple": ({"prefixItems": [{"const": 1}, {"const": 2}], "items": False}, [1, 2]),
    "a tuple with more": (
        {"prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 3},
        [1, 2, 2],
    ),
    "a tuple cut short": ({"prefixItems": [True, True], "maxItems": 1}, ["text 1"]),
    "different items": (
        {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "contains": True}
        | {"prefixItems": [{"const": True}], "minItems": 2},
        [True, False],
    ),
    "as many as there are": ({"items": {"const": 1}, "uniqueItems": True}, [1]),
    "items that cannot be": ({"type": "array", "items": False}, []),
    "a reference": ({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"const": 1}}}, 1),
    "a reference to an item": ({"$ref": "#/allOf/0", "allOf": [{"const": 1}]}, 1),
    "a reference and more": ({"$ref": "#/$defs/a", "maximum": 1, "$defs": {"a": {"minimum": 1}}}, 1),
    "a list of nodes": (
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}, "title": "twice in itself, not more"},
        {
            "name": "name",
            "next": LEAF,
            "others": [LEAF],
            "parent": LEAF,
        },
    ),
    "a node of one type": (
        {
            "type": ["object", "null"],
            "properties": {"next": {"$ref": "#"}},
            "required": ["next"],
        },
        {"next": {"next": {"next": None}}},
    ),
    "a sum of sums": (SUM, None),
}


@pytest.mark.parametrize(("schema", "value"), ONE_VALUE.values(), ids=ONE_VALUE)
def test_one_value(schema: Any, value: Any) -> None:
    for seed in range(5):
        made = fill(schema, seed)
        assert made == value
        assert type(made) is type(value)
        assert satisfies(made, schema, schema)
