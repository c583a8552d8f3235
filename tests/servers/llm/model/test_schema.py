"""JSON that is made from a schema satisfies it, and no schema costs too much."""

import json
import re
from typing import Any

import pytest

from servers.llm.model.schema import MAX_STEPS

from ....saying import says
from .filling import fill


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
    assert list(made) == ["city", "days", "unit"]  # in the order of their declaration


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
LEAF: dict[str, Any] = {"name": "name", "next": None, "others": []}
# Schemas that only one value satisfies, and that value.
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
    "enum between bounds": ({"enum": [1, 2, 3], "exclusiveMinimum": 1, "exclusiveMaximum": 3}, 2),
    "enum of the right length": ({"enum": ["a", "abc"], "minLength": 2}, "abc"),
    "examples": ({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["ABC"]}, "ABC"),
    "default": ({"type": "integer", "default": 10}, 10),
    "a default of the wrong type": ({"type": "string", "default": None}, "text"),
    "a default that is too short": ({"type": "string", "default": "", "minLength": 1}, "text"),
    "a default out of bounds": ({"default": 5, "minimum": 6, "maximum": 6}, 6.0),
    "minLength": ({"type": "string", "minLength": 6}, "text.."),
    "maxLength": ({"type": "string", "maxLength": 2}, "te"),
    "an empty string": ({"maxLength": 0}, ""),
    "integer": ({"type": "integer", "minimum": 7, "maximum": 7.5}, 7),
    "exclusive": ({"type": "integer", "exclusiveMinimum": 7, "exclusiveMaximum": 9}, 8),
    "a multiple": ({"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 20}, 14),
    "a fraction": ({"multipleOf": 0.1, "minimum": 0.25, "maximum": 0.35}, 0.3),
    "both multiples": (
        {"multipleOf": 0.4, "allOf": [{"multipleOf": 7}], "exclusiveMinimum": 14, "maximum": 29},
        28.0,
    ),
    "no multiple but 0": ({"multipleOf": 1e308, "allOf": [{"multipleOf": 1.5e308}]}, 0.0),
    "exactly": ({"type": "number", "minimum": 0.123, "maximum": 0.123}, 0.123),
    "nothing but 0": ({"minimum": 0, "maximum": 0}, 0.0),
    "under 0": ({"type": "integer", "maximum": -5}, -5),
    "over 100": ({"type": "integer", "minimum": 2**62}, 2**62),
    "a large number": ({"type": "number", "minimum": 1e300}, 1e300),
    "bounds beyond all numbers": ({"minimum": -(10**400), "maximum": 10**400, "default": 5}, 5),
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
    "maxProperties, not reached": (
        {"properties": {"a": {"const": 1}, "b": {"const": 2}}, "required": ["a"]}
        | {"maxProperties": 2},
        {"a": 1, "b": 2},
    ),
    "no others beside": (
        {"properties": {"a": {"const": 1}}, "additionalProperties": True},
        {"a": 1},
    ),
    "none described beside": (
        {"properties": {"a": {"const": 1}}, "additionalProperties": {"type": "null"}},
        {"a": 1},
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
    "a reference": ({"$ref": "#/$defs/a~1b~0%25", "$defs": {"a/b~%": {"const": 1}}}, 1),
    "a reference to an item": ({"$ref": "#/allOf/0", "allOf": [{"const": 1}]}, 1),
    "a reference and more": (
        {"$ref": "#/$defs/a", "maximum": 1, "$defs": {"a": {"minimum": 1}}},
        1.0,
    ),
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
        {"next": {"next": None}},
    ),
}


@pytest.mark.parametrize(("schema", "value"), ONE_VALUE.values(), ids=ONE_VALUE)
def test_one_value(schema: Any, value: Any) -> None:
    for seed in range(5):
        made = fill(schema, seed)
        assert made == value
        assert type(made) is type(value)


def chain(keyword: str, length: int, end: Any) -> dict[str, Any]:
    """Each schema refers to the next one twice, so there are 2**length ways to the end."""
    steps: dict[str, Any] = {}
    for step in range(length):
        following = {"$ref": f"#/$defs/{step + 1}"}
        twice = {"x": following, "y": following} if keyword == "properties" else [following] * 2
        steps[str(step)] = {keyword: twice}
    return {"$ref": "#/$defs/0", "$defs": steps | {str(length): end}}


def nested(keyword: str, depth: int) -> Any:
    schema: Any = True
    for _ in range(depth):
        schema = {keyword: [schema]}
    return schema


TOO_MUCH = "#: the schema is too large, or its values are too large"
REFUSED: dict[str, tuple[Any, str]] = {
    "false": (False, "#: nothing satisfies false"),
    "not a schema": (5, "#: …"),
    "a property that is none": (
        {"properties": {"a": {"items": "string"}}},
        "#/properties/a/items: …",
    ),
    "a list for one": (
        {"prefixItems": [True, []]},
        "#/prefixItems/1: …",
    ),
    "an unknown type": (
        {"properties": {"a": {"type": "int"}}},
        "#/properties/a: …",
    ),
    "required": ({"required": "a"}, "#: …"),
    "properties": ({"properties": []}, "#: …"),
    "no enum": ({"enum": []}, "#: …"),
    "no anyOf": ({"anyOf": []}, "#: …"),
    "a count": ({"minLength": -1}, "#: …"),
    "not a number": (
        {"allOf": [{"minimum": float("nan")}]},
        "#/allOf/0: …",
    ),
    "a multiple of 0": ({"multipleOf": 0}, "#: …"),
    "a bad choice, though another is good": (
        {"anyOf": [{"type": 5}, {"type": "string"}]},
        "#/anyOf/0: …",
    ),
    "a remote reference": (
        {"items": {"$ref": "https://example.com/a"}},
        "#/items: a reference begins with '#/', not 'https://example.com/a'",
    ),
    "a reference to nothing": ({"$ref": "#/$defs/a"}, "#: there is no #/$defs/a"),
    "a reference to no item": (
        {"$ref": "#/allOf/1", "allOf": [True]},
        "#: there is no #/allOf/1",
    ),
    "a reference into a text": ({"$ref": "#/title/0", "title": "a"}, "#: there is no #/title/0"),
    "a reference to itself": ({"$ref": "#"}, "#: # refers to itself without end"),
    "two that lead to each other": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        "#/$defs/b: #/$defs/a refers to itself without end",
    ),
    "a required one without end": (
        {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        "#/properties/a: # refers to itself without end",
    ),
    "bounds": (
        {"properties": {"a": {"minimum": 2, "maximum": 1}}, "required": ["a"]},
        "#/properties/a: no number is within the bounds",
    ),
    "no integer": (
        {"type": "integer", "minimum": 1.2, "maximum": 1.8},
        "#: no number is within the bounds",
    ),
    "an integer of more than 64 bits": (
        {"type": "integer", "minimum": 2**63},
        "#: no number is within the bounds",
    ),
    "exclusive bounds": (
        {"minimum": 1, "exclusiveMaximum": 1},
        "#: no number is within the bounds",
    ),
    "lengths": (
        {"type": "string", "minLength": 2, "maxLength": 1},
        "#: minLength is over maxLength",
    ),
    "items": ({"minItems": 2, "maxItems": 1}, "#: minItems is over maxItems"),
    "properties, too many": (
        {"required": ["a", "b"], "maxProperties": 1},
        "#: maxProperties is too small",
    ),
    "properties, too few": (
        {"minProperties": 2, "propertyNames": {"const": "a"}},
        "#: no more properties are possible",
    ),
    "types": (
        {"type": "string", "allOf": [{"type": "object"}]},
        "#: no type satisfies all of it",
    ),
    "enums": ({"enum": [1, 2], "const": 3}, "#: none of its values is allowed"),
    "not enough values": (
        {"items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
        "#: there are not enough different items",
    ),
    "an item": ({"items": False, "minItems": 1}, "#/items: nothing satisfies false"),
    "the first of several reasons": (
        {
            "anyOf": [
                {"type": "string", "minLength": 2, "maxLength": 1},
                {"type": "integer", "minimum": 2, "maximum": 1},
            ]
        },
        "#: no number is within the bounds",
    ),
    "a billion items": ({"type": "array", "minItems": 10**9}, TOO_MUCH),
    "a billion characters": ({"type": "string", "minLength": 10**9}, TOO_MUCH),
    "a billion properties": ({"type": "object", "minProperties": 10**9}, TOO_MUCH),
    "many times many": (
        {"minItems": 500, "items": {"minItems": 500, "items": {"type": "integer"}}},
        TOO_MUCH,
    ),
    "many long ones": ({"minItems": 5_000, "items": {"minLength": 5_000}}, TOO_MUCH),
    "a large enum": ({"enum": list(range(MAX_STEPS * 32))}, TOO_MUCH),
    "allOf, twice allOf, …": (chain("allOf", 60, True), TOO_MUCH),
    "anyOf, twice anyOf, …": (chain("anyOf", 60, False), TOO_MUCH),
    "many choices, none good": (
        {"allOf": [*[{"anyOf": [{"minimum": 1}, {"minimum": 2}]}] * 50, {"type": "integer"}]}
        | {"minimum": 3, "maximum": 2},
        TOO_MUCH,
    ),
    "many parts, many choices": (
        {"allOf": [{"type": "string"}] * 1_000, "anyOf": [{"type": "integer"}] * 1_000},
        TOO_MUCH,
    ),
    "a large schema, many times": (
        {"minItems": 1_000, "items": {"const": 1, "examples": [0] * 1_000}},
        TOO_MUCH,
    ),
    "deep choices": (nested("anyOf", 900), "#: nested more than 64 deep"),
}


@pytest.mark.parametrize(("schema", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(schema: Any, message: str) -> None:
    """The message has the path and the reason, before much memory is used."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        fill(schema)
    assert says(str(caught.value), message)


def test_optional_properties_are_dropped_first() -> None:
    """A value that would be too large, or too deep, has only required properties."""
    many = chain("properties", 60, True)
    assert len(json.dumps(fill(many))) < 100_000
    assert json.dumps(fill(nested("prefixItems", 900))) == "[" * 26 + "]" * 26
    wide = {"properties": {f"p{number}": {"type": "integer"} for number in range(5_500)}}
    made = fill(wide)
    assert isinstance(made, dict)
    assert 1_000 < len(made) < 5_500
    assert len(fill(wide | {"required": list(wide["properties"])})) == 5_500  # type: ignore[arg-type]


def test_the_text_of_a_string() -> None:
    """Consecutive words of the hint; without a hint, the property's name."""
    hint = "What is the weather, in Paris? 🌦 明天呢？"
    words = "What is the weather in Paris 明天呢"
    said = {fill({"type": "string"}, seed, hint) for seed in range(50)}
    assert all(isinstance(text, str) and text in words for text in said)
    assert {"What is the", "weather in Paris", "明天呢"} < said
    assert fill({"properties": {"user_name": {}}}, hint="🌦?!") == {"user_name": "user name"}
    assert fill({"properties": {"tags": {"minItems": 2, "maxItems": 2}}}) == {
        "tags": ["tags 1", "tags 2"]
    }
    assert fill({"properties": {"x" * 99: {"maxLength": 90}}}) == {"x" * 99: "x" * 80}
    long = "x" * 2_000 + " and more"
    assert {fill({"type": "string"}, seed, long) for seed in range(9)} == {"x" * 80}
    short = {"type": "string", "maxLength": 3}
    assert {fill(short, seed, "in Paris") for seed in range(9)} == {"in", "Par"}


def test_a_number_has_a_decimal_point() -> None:
    made = [fill({"type": ["integer", "number"]}, seed) for seed in range(20)]
    assert all(isinstance(each, float) for each in made)
    hundredths = {hundredth / 100 for hundredth in range(10, 41)}
    assert {fill({"minimum": 0.1, "maximum": 0.4}, seed) for seed in range(50)} < hundredths


FORMATS: dict[str, str] = {
    "date-time": r"2025-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "date": r"2025-\d\d-\d\d",
    "time": r"\d\d:\d\d:\d\dZ",
    "duration": r"PT\d+M",
    "email": r"[a-z]+@example\.com",
    "hostname": r"[a-z]+\.example\.com",
    "uri": r"https://example\.com/[a-z]+",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "ipv4": r"192\.0\.2\.\d+",
    "ipv6": r"2001:db8::[0-9a-f]+",
    "phone number": "text",
}


@pytest.mark.parametrize(("format_", "pattern"), FORMATS.items(), ids=FORMATS)
def test_formats(format_: str, pattern: str) -> None:
    for seed in range(10):
        made = fill({"type": "string", "format": format_}, seed)
        assert isinstance(made, str)
        assert re.fullmatch(pattern, made)
    assert fill({"type": "string", "format": format_, "maxLength": 2}) == "te"  # the length wins
