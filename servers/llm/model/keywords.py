"""The keywords of a JSON Schema, and what several schemas say together of one value.

    #/properties/age    {"type": "number", "minimum": 0}   }
    #/$defs/Age         {"type": "integer", "maximum": 9}  }  an integer, 0 to 9

The specification is JSON Schema 2020-12, Core §10 (subschemas) and Validation §6 (the rest). No
schema is merged into another: each is read alone, so that an error can say where it stands, and
then each question is put to all of them.
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
    "Keywords",
    "Kind",
    "NothingSatisfies",
    "Part",
    "Place",
    "exact",
    "fits",
    "item",
    "kinds",
    "member",
    "narrowest",
    "path_of",
    "read",
    "text_of",
]

Kind = Literal["null", "boolean", "integer", "number", "string", "array", "object"]
Bound = int | Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Positive = Annotated[int, Meta(gt=0)] | Annotated[float, Meta(gt=0, le=sys.float_info.max)]
Count = Annotated[int, Meta(ge=0)]
SomeSchemas = Annotated[list[Any], Meta(min_length=1)]


class Keywords(msgspec.Struct, frozen=True, rename="camel"):
    """The keywords that are obeyed, of one schema. A schema in it is read when it is met."""

    ref: str | None = msgspec.field(default=None, name="$ref")
    all_of: SomeSchemas = []
    any_of: SomeSchemas = []
    one_of: SomeSchemas = []

    type: Kind | list[Kind] = []
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


class Place(NamedTuple):
    """A schema that must be satisfied.

    Args:
        path: to it, as a URI fragment.
        opened: the references on the way to it.
    """

    schema: Any
    path: str
    opened: tuple[str, ...] = ()

    def below(self, *keys: str | int) -> "Place":
        """A schema within this one."""
        schema = self.schema
        for key in keys:
            schema = schema[key]
        return Place(schema, "/".join([self.path, *map(str, keys)]), self.opened)


class Part(NamedTuple):
    """One of the schemas that a value must satisfy."""

    keywords: Keywords
    place: Place


class NothingSatisfies(ValueError):
    """No value is possible here. With another choice before, there may be one."""


def read(place: Place) -> Part:
    """Read a schema that is neither true nor false.

    Raises:
        ValueError: it is not one.
    """
    try:
        return Part(msgspec.convert(place.schema, Keywords), place)
    except msgspec.ValidationError as error:
        raise ValueError(f"{place.path}: {error}") from None


def path_of(parts: Sequence[Part]) -> str:
    """Where the first of them stands, for messages."""
    return parts[0].place.path if parts else "#"


def narrowest(ranges: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The range of counts that lies in all of these; the second is under the first if none does."""
    least, most = zip((0, sys.maxsize), *ranges, strict=True)
    return max(least), min(most)


def kinds(parts: Sequence[Part]) -> list[Kind]:
    """The types that a value may have. Without `type` it is what the other keywords are for: a
    schema with `properties` alone allows numbers too, but means objects."""
    allowed: set[str] = set(get_args(Kind))
    for keywords, _ in parts:
        if keywords.type:
            allowed &= _types(keywords)
    if not any(keywords.type for keywords, _ in parts):
        meant = (kind for _, place in parts for key in place.schema if (kind := MEANT.get(key)))
        return [next(meant, "string")]
    if "number" in allowed:
        allowed.remove("integer")
    return [kind for kind in get_args(Kind) if kind in allowed]


MEANT: dict[str, Kind] = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "propertyNames"), "object"),
    **dict.fromkeys(("minProperties", "maxProperties"), "object"),
    **dict.fromkeys(("items", "prefixItems", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), "number"),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), "number"),
}


def _types(keywords: Keywords) -> set[str]:
    types: set[str] = {keywords.type} if isinstance(keywords.type, str) else {*keywords.type}
    return types | {"integer"} if "number" in types else types


def item(parts: Sequence[Part], index: int) -> list[Place]:
    """The schemas of an array's item."""
    places = []
    for keywords, place in parts:
        if index < len(keywords.prefix_items):
            places.append(place.below("prefixItems", index))
        elif "items" in place.schema:
            places.append(place.below("items"))
    return places


def member(parts: Sequence[Part], name: str) -> list[Place]:
    """The schemas of an object's property."""
    places = []
    for keywords, place in parts:
        if name in keywords.properties:
            places.append(place.below("properties", name))
        elif "additionalProperties" in place.schema:
            places.append(place.below("additionalProperties"))
    return places


def fits(value: object, parts: Sequence[Part]) -> bool:
    """Whether a value that a schema names satisfies the type and the bounds of all."""
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
    """A number as it is written: 0.1 is a tenth."""
    return Fraction(str(number) if isinstance(number, float) else number)


def text_of(value: object) -> str:
    """The same for equal JSON values, and for no others: 1 is not true."""
    return json.dumps(value, sort_keys=True)
