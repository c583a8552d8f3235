"""JSON that satisfies a JSON Schema: the arguments of a tool call, and structured outputs.

    {"type": "object",                              fill(schema, hint="How warm is Paris?")
     "properties": {                            ->  {"city": "is Paris",
       "city": {"type": "string"},                   "days": 42,
       "days": {"type": "integer"},                  "unit": "celsius"}
       "unit": {"enum": ["celsius", "kelvin"]}}}

A value may have to satisfy several schemas at once: all schemas of an `allOf`, the schema that a
`$ref` names, and one schema of each `anyOf`. All of them are collected before the value is made. If
a choice is impossible (`false`, a minimum over a maximum, endless recursion), the next one is
tried.

The rules, named again where a test enforces them:

- A value has all properties, including the optional ones. There are two exceptions: a reference
  that would occur within itself a third time, and a value that has become large. Null is chosen
  only if nothing else is possible.
- A schema comes from a client, so the cost of every schema is limited.

What this does not do: `pattern` and `patternProperties` are ignored (but if there are `examples` or
a `default`, a string is taken from them); `oneOf` is treated as `anyOf`; `not`, `if`, `contains`,
`dependent…` and `unevaluated…` are ignored; a `$ref` must refer to the same schema by JSON Pointer
(RFC 6901). If the schema itself names a value (`enum`, `const`), only the type and bounds of that
value are checked. If the value is an object, its properties may be wrong.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from random import Random
from typing import Any
from urllib.parse import unquote

from msgspec import UNSET

from ..turns import ALONE, Work
from .keywords import (
    JSONType,
    NothingSatisfies,
    Part,
    Subschema,
    fits,
    item,
    member,
    narrowest,
    path_of,
    possible_types,
    read,
    text_of,
)
from .scalars import number, string

__all__ = ["cut", "fill"]

MAX_STEPS = 12_000
"""Largest number of steps. A step is to parse a schema, to make a value, or to write 64 characters.
This many steps take 0.2 s, split into turns."""

STEP_COSTS = 128  # work per step, in the unit of turns.py

LEAN_STEPS, LEAN_DEPTH = 4_000, 24
"""Beyond these limits, only required properties and items are made."""

MAX_DEPTH = 64
MAX_OPENINGS = 2
TRIES = 32  # attempts to make an item that differs from the others


async def fill(
    schema: dict[str, Any] | bool, seed: str | int = 0, hint: str = "", work: Work = ALONE
) -> object:
    """Make a JSON value that satisfies a JSON Schema. The same seed gives the same value.

    Args:
        hint: A text whose words fill the strings, such as the user's question. Without a hint, the
            value of a string property is the property's own name.
        work: The work for this request, which lets other requests take their turns.

    Raises:
        ValueError: The schema is not valid, no value satisfies it, or its values are too large. The
            message begins with a path in the schema: "#/properties/age: …".
    """
    filler = _Filler(schema, Random(f"fill {seed}"), hint, work)
    return await filler.value([Subschema(schema, "#")], "text")


def cut(text: str, seed: str | int = 0) -> Iterator[str]:
    """Cut a JSON text into tokens of one to six characters. A cut may be anywhere, even within a
    name, a number or an escape, because clients must accept any cut. The same seed gives the same
    tokens."""
    random = Random(f"cut {seed}")
    start = 0
    while start < len(text):
        end = start + random.randint(1, 6)
        yield text[start:end]
        start = end


class _Filler:
    def __init__(self, root: Any, random: Random, hint: str, work: Work) -> None:
        self._work = work
        self._root = root
        self._random = random
        self._hint = re.findall(r"\w+", hint[:2000])
        self._steps = 0

    async def value(self, subschemas: Iterable[Subschema], name: str, depth: int = 0) -> object:
        """Make a value that satisfies all of these schemas.

        Args:
            name: The property's name, which is also the text of a string.
            depth: Number of values and choices that contain this value.
        """
        return await self._choose(*await self._collect(subschemas), name, depth)

    async def _collect(
        self, subschemas: Iterable[Subschema]
    ) -> tuple[list[Part], list[list[Subschema]]]:
        """Return all schemas that the value must satisfy, and the choices that have not been made
        yet."""
        parts = []
        choices = []
        todo = list(subschemas)
        for subschema in todo:  # the list grows in the loop
            if subschema.schema is False:
                raise NothingSatisfies(f"{subschema.path}: nothing satisfies false")
            if subschema.schema is True:
                continue
            part = read(subschema)
            size = _size(subschema.schema)
            self._spend(size)
            await self._work.spend(size * STEP_COSTS)
            parts.append(part)
            if part.keywords.ref is not None:
                todo.append(self._open(part.keywords.ref, subschema))
            todo += _branches(subschema, "allOf")
            keys = [key for key in ("anyOf", "oneOf") if key in subschema.schema]
            choices += [_branches(subschema, key) for key in keys]
        return parts, choices

    def _open(self, reference: str, subschema: Subschema) -> Subschema:
        if subschema.opened.count(reference) == MAX_OPENINGS:
            raise NothingSatisfies(f"{subschema.path}: {reference} refers to itself without end")
        start, *keys = unquote(reference).split("/")
        if start != "#":
            raise ValueError(f"{subschema.path}: a reference begins with '#/', not {reference!r}")
        schema = self._root
        for key in keys:
            key = key.replace("~1", "/").replace("~0", "~")
            try:
                schema = schema[int(key)] if isinstance(schema, list) else schema[key]
            except (LookupError, TypeError, ValueError):
                raise ValueError(f"{subschema.path}: there is no {reference}") from None
        return Subschema(schema, reference, (*subschema.opened, reference))

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise ValueError("#: the schema is too large, or its values are too large")

    def _is_lean(self, depth: int) -> bool:
        return depth > LEAN_DEPTH or self._steps > LEAN_STEPS

    async def _choose(
        self, parts: list[Part], choices: list[list[Subschema]], name: str, depth: int
    ) -> object:
        if depth > MAX_DEPTH:
            raise NothingSatisfies(f"{path_of(parts)}: nested more than {MAX_DEPTH} deep")
        if not choices:
            return await self._make(parts, name, depth)
        first, *others = choices

        async def take(branch: Subschema) -> object:
            more, inner = await self._collect([branch])
            return await self._choose(parts + more, others + inner, name, depth + 1)

        self._random.shuffle(first)
        return await _first(parts, (partial(take, branch) for branch in sorted(first, key=_resort)))

    async def _make(self, parts: list[Part], name: str, depth: int) -> object:
        self._spend(len(parts))
        await self._work.spend(STEP_COSTS)
        if values := await self._named_values(parts):
            value = self._random.choice(values)
            if isinstance(value, str | list | dict):  # the value may be large, and used often
                self._spend(len(text_of(value)) // 64)
            return value
        possible = possible_types(parts)
        self._random.shuffle(possible)
        possible.sort(key=lambda kind: kind == "null")
        makers = (partial(self._of_kind, kind, parts, name, depth) for kind in possible)
        return await _first(parts, makers)

    async def _of_kind(self, kind: JSONType, parts: list[Part], name: str, depth: int) -> object:
        match kind:
            case "null":
                return None
            case "boolean":
                return self._random.random() < 0.5
            case "integer" | "number":
                return number(parts, self._random, whole=kind == "integer")
            case "string":
                return self._string(parts, name)
            case "array":
                return await self._array(parts, name, depth)
            case "object":
                return await self._object(parts, depth)

    async def _named_values(self, parts: list[Part]) -> list[Any]:
        """Return the values of `enum` and `const`. Without `enum` and `const`, return fitting
        examples and the default."""
        allowed = [keywords.enum for keywords, _ in parts if keywords.enum is not UNSET]
        allowed += [[keywords.const] for keywords, _ in parts if keywords.const is not UNSET]
        if not allowed:
            proposed = [each for k, _ in parts for each in [*k.examples, k.default]]
            return [v for v in proposed if isinstance(v, str | int | float) and fits(v, parts)]
        self._spend(sum(map(len, allowed)) // 16 + len(allowed[0]) * len(parts) // 16)
        texts: list[set[str]] = []
        for others in allowed[1:]:
            texts.append(set())
            for value in others:
                await self._work.spend(STEP_COSTS // 16)
                texts[-1].add(text_of(value))
        values = []
        for value in allowed[0]:
            await self._work.spend(STEP_COSTS // 16)
            text = text_of(value) if texts else ""
            if all(text in each for each in texts) and fits(value, parts):
                values.append(value)
        if not values:
            raise NothingSatisfies(f"{path_of(parts)}: none of its values is allowed")
        return values

    def _string(self, parts: list[Part], name: str) -> str:
        self._spend(max((keywords.min_length for keywords, _ in parts), default=0) // 64)
        text = name.replace("_", " ")
        if self._hint:
            start = self._random.randrange(len(self._hint))
            text = " ".join(self._hint[start : start + 3])
        return string(parts, self._random, text)

    async def _array(self, parts: list[Part], name: str, depth: int) -> list[object]:
        least, most = narrowest((k.min_items, k.max_items) for k, _ in parts)
        self._spend(least)
        if least > most:
            raise NothingSatisfies(f"{path_of(parts)}: minItems is over maxItems")
        wanted = least
        if not self._is_lean(depth):
            tuple_length = max(len(keywords.prefix_items) for keywords, _ in parts)
            wanted = min(max(least, tuple_length or self._random.randint(1, 3)), most)
        unique = any(keywords.unique_items for keywords, _ in parts)
        made: dict[str, object] = {}
        for tried in range(wanted * TRIES):
            if len(made) == wanted:
                break
            try:
                index = len(made)
                each = await self.value(item(parts, index), f"{name} {index + 1}", depth + 1)
            except NothingSatisfies:
                if len(made) < least:
                    raise
                break
            made.setdefault(text_of(each) if unique else str(tried), each)
        if len(made) < least:
            raise NothingSatisfies(f"{path_of(parts)}: there are not enough different items")
        return list(made.values())

    async def _object(self, parts: list[Part], depth: int) -> dict[str, object]:
        least, most = narrowest((k.min_properties, k.max_properties) for k, _ in parts)
        self._spend(least)
        declared = dict.fromkeys(name for keywords, _ in parts for name in keywords.properties)
        required = dict.fromkeys(name for keywords, _ in parts for name in keywords.required)
        if max(least, len(required)) > most:
            raise NothingSatisfies(f"{path_of(parts)}: maxProperties is too small")
        made: dict[str, object] = {}
        left_out = len(required)
        for name in declared | required:
            self._spend(len(name) // 64)
            if name in required:
                made[name] = await self.value(member(parts, name), name, depth + 1)
                left_out -= 1
            elif len(made) + left_out < most and not self._is_lean(depth):
                with contextlib.suppress(NothingSatisfies):
                    made[name] = await self.value(member(parts, name), name, depth + 1)
        wanted = least
        if not made and not self._is_lean(depth) and _describes_others(parts):
            wanted = min(max(least, 2), most)
        for count in range(1, wanted * TRIES):
            if len(made) >= wanted:
                break
            name = await self._other_name(parts, count, depth)
            if name not in made:
                self._spend(len(name) // 64)
                with contextlib.suppress(NothingSatisfies):
                    made[name] = await self.value(member(parts, name), name, depth + 1)
        if len(made) < least:
            raise NothingSatisfies(f"{path_of(parts)}: no more properties are possible")
        return made

    async def _other_name(self, parts: list[Part], count: int, depth: int) -> str:
        """Return a name for a property that the schema does not name. The name may already be in
        use."""
        key = "propertyNames"
        subschemas = [subschema.below(key) for _, subschema in parts if key in subschema.schema]
        if not subschemas:
            return str(count)  # pydantic describes dict[int, …] and dict[str, …] alike
        string = Subschema({"type": "string"}, path_of(parts))
        return str(await self.value([string, *subschemas], f"name {count}", depth + 1))


async def _first(parts: list[Part], makers: Iterable[Callable[[], Awaitable[object]]]) -> object:
    """Return the value of the first maker that succeeds."""
    failure = None
    for make in makers:
        try:
            return await make()
        except NothingSatisfies as error:
            failure = failure or error
    raise failure or NothingSatisfies(f"{path_of(parts)}: no type satisfies all of it")


def _resort(subschema: Subschema) -> int:
    """Return a sort key for a schema: a schema with a larger key is tried later. Null is last. A
    string without further keywords is tried just before it, because it may have a hidden `pattern`
    (pydantic's `Decimal` is a number, or a string of a certain form)."""
    match subschema.schema:
        case {"type": "null"}:
            return 2
        case {"type": "string", **others} if not others.keys() & {"enum", "const", "format"}:
            return 1
    return 0


def _branches(subschema: Subschema, keyword: str) -> list[Subschema]:
    count = len(subschema.schema.get(keyword, ()))
    return [subschema.below(keyword, index) for index in range(count)]


def _size(schema: dict[str, Any]) -> int:
    """Return how many steps the parsing of the schema costs."""
    inside = sum(len(each) for each in schema.values() if isinstance(each, list | dict))
    return 1 + (len(schema) + inside) // 32


def _describes_others(parts: list[Part]) -> bool:
    """Whether a schema describes the properties that it does not name."""
    return any(isinstance(keywords.additional_properties, dict) for keywords, _ in parts)
