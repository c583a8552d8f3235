"""The keywords of a JSON Schema, and what several schemas together require of one value.

    #/properties/age    {"type": "number", "minimum": 0}   }
    #/$defs/Age         {"type": "integer", "maximum": 9}  }  an integer, 0 to 9

The specification is JSON Schema 2020-12, Core §10 (subschemas) and Validation §6 (the rest).
Schemas are not merged. Each schema is parsed alone, so that an error can name its path. Each
function that decides something about the value reads all schemas.
"""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = [
    "JSONType",
    "Keywords",
    "NothingSatisfies",
    "Part",
    "Subschema",
    "exact",
    "fits",
    "item",
    "member",
    "narrowest",
    "path_of",
    "possible_types",
    "read",
    "text_of",
]

JSONType = Literal["null", "boolean", "integer", "number", "string", "array", "object"]
Bound = int | Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Positive = Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0, le=sys.float_info.max)]
Count = Annotated[int, Meta(ge=0)]
SomeSchemas = Annotated[list[Any], Meta(min_length=1)]


class Keywords(msgspec.Struct, frozen=True, rename="camel"):
    """The supported keywords of one schema. A schema inside it is parsed when it is needed."""

    ref: str | None = msgspec.field(default=None, name="$ref")
    all_of: SomeSchemas = []
    any_of: SomeSchemas = []
    one_of: SomeSchemas = []

    type: JSONType | list[JSONType] = []
    enum: Annotated[list[Any], Meta(min_length=1)] | UnsetType = UNSET
    const: Any = UNSET
    examples: list[Any] = []
    default: Any = None

    minimum: Bound = -math.inf
    maximum: Bound = math.inf
    exclusive_minimum: Bound = -math.inf
    exclusive_maximum: Bound = math.inf
    multiple_of: Positive | None = None

    min_length: Count = 0
    max_length: Count = sys.maxsize
    format: str = ""

    prefix_items: list[Any] = []
    items: Any = True
    min_items: Count = 0
    max_items: Count = sys.maxsize
    unique_items: bool = False

    properties: dict[str, Any] = {}
    required: list[str] = []
    additional_properties: Any = True
    min_properties: Count = 0
    max_properties: Count = sys.maxsize


class Subschema(NamedTuple):
    """A schema inside the whole schema, and the path to it.

    Args:
        path: Path of the schema, as a URI fragment: "#/properties/age".
        opened: The references that were followed to reach it.
    """

    schema: Any
    path: str
    opened: tuple[str, ...] = ()

    def below(self, *keys: str | int) -> "Subschema":
        """Return the schema that these keys lead to, inside this schema."""
        schema = self.schema
        for key in keys:
            schema = schema[key]
        return Subschema(schema, "/".join([self.path, *map(str, keys)]), self.opened)


class Part(NamedTuple):
    """One of the schemas that a value must satisfy, after parsing."""

    keywords: Keywords
    subschema: Subschema


class NothingSatisfies(ValueError):
    """No value is possible here. If another choice had been made earlier, there might be one."""


def read(subschema: Subschema) -> Part:
    """Parse a schema that is neither true nor false.

    Raises:
        ValueError: The subschema is not a schema.
    """
    try:
        return Part(msgspec.convert(subschema.schema, Keywords), subschema)
    except msgspec.ValidationError as error:
        raise ValueError(f"{subschema.path}: {error}") from None


def path_of(parts: Sequence[Part]) -> str:
    """The path of the first schema. Error messages use it."""
    return parts[0].subschema.path if parts else "#"


def narrowest(ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Return the range of counts that all ranges allow. If no count is allowed, the maximum is less
    than the minimum."""
    least, most = zip((0, sys.maxsize), *ranges, strict=True)
    return max(least), min(most)


def possible_types(parts: Sequence[Part]) -> list[JSONType]:
    """The types that a value may have. Without `type`, the other keywords decide: a schema with
    only `properties` would also allow numbers, but it is meant for objects."""
    allowed: set[str] = set(get_args(JSONType))
    for keywords, _ in parts:
        if keywords.type:
            allowed &= _types(keywords)
    if not any(keywords.type for keywords, _ in parts):
        keys = (key for _, subschema in parts for key in subschema.schema)
        return [next((MEANT[key] for key in keys if key in MEANT), "string")]
    if "number" in allowed:
        allowed.remove("integer")
    return [kind for kind in get_args(JSONType) if kind in allowed]


MEANT: dict[str, JSONType] = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "propertyNames"), "object"),
    **dict.fromkeys(("minProperties", "maxProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), "number"),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), "number"),
}


def _types(keywords: Keywords) -> set[str]:
    types: set[str] = {keywords.type} if isinstance(keywords.type, str) else {*keywords.type}
    return types | {"integer"} if "number" in types else types


def item(parts: Sequence[Part], index: int) -> list[Subschema]:
    """The schemas that an array's item must satisfy."""
    subschemas = []
    for keywords, subschema in parts:
        if index < len(keywords.prefix_items):
            subschemas.append(subschema.below("prefixItems", index))
        elif "items" in subschema.schema:
            subschemas.append(subschema.below("items"))
    return subschemas


def member(parts: Sequence[Part], name: str) -> list[Subschema]:
    """The schemas that an object's property must satisfy."""
    subschemas = []
    for keywords, subschema in parts:
        if name in keywords.properties:
            subschemas.append(subschema.below("properties", name))
        elif "additionalProperties" in subschema.schema:
            subschemas.append(subschema.below("additionalProperties"))
    return subschemas


def fits(value: object, parts: Sequence[Part]) -> bool:
    """Whether a value that one schema names has the type and the bounds that all schemas
    require."""
    return all(_has_type(value, keywords) and _within(value, keywords) for keywords, _ in parts)


def _has_type(value: object, keywords: Keywords) -> bool:
    if not keywords.type:
        return True
    types = _types(keywords)
    match value:
        case None:
            return "null" in types
        case bool():
            return "boolean" in types
        case int():
            return "integer" in types
        case float():
            return "number" in types or ("integer" in types and value.is_integer())
        case str():
            return "string" in types
        case list():
            return "array" in types
    return "object" in types


def _within(value: object, keywords: Keywords) -> bool:
    match value:
        case str():
            return keywords.min_length <= len(value) <= keywords.max_length
        case bool():
            return True
        case int() | float():
            return (
                keywords.minimum <= value <= keywords.maximum
                and keywords.exclusive_minimum < value < keywords.exclusive_maximum
                and not (keywords.multiple_of and exact(value) % exact(keywords.multiple_of))
            )
    return True


def exact(number: float | Fraction) -> Fraction:
    """Return a number with exactly the value of its decimal text: 0.1 is a tenth."""
    return Fraction(str(number) if isinstance(number, float) else number)


def text_of(value: object) -> str:
    """Return a text that is equal only for equal JSON values: 1 differs from true."""
    return json.dumps(value, sort_keys=True)
