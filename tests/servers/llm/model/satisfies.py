"""Whether a JSON value satisfies a JSON Schema: an independent checker for the keywords that `fill`
supports, written from the specification."""

import json
from fractions import Fraction
from typing import Any
from urllib.parse import unquote


def satisfies(value: Any, schema: Any, root: Any) -> bool:
    """Whether the value satisfies the schema.

    Args:
        root: The whole schema, which references refer to.
    """
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
        for key in unquote(schema["$ref"]).split("/")[1:]:
            named = key.replace("~1", "/").replace("~0", "~")
            target = target[int(key) if isinstance(target, list) else named]
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
            not schema.get("uniqueItems")
            or len({json.dumps(each) for each in value}) == len(value),
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
