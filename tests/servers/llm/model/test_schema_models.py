"""Structured outputs: pydantic accepts the values made from the schemas of its models."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import msgspec
import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import AnyUrl, BaseModel, Field, IPvAnyAddress

from .filling import fill
from .satisfies import satisfies


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str = Field(min_length=3, max_length=8)
    zip: str = Field(pattern=r"^\d{5}$", examples=["10115"])
    country: Literal["DE", "FR"] = "DE"


class Person(BaseModel):
    name: str
    age: Annotated[int, Field(ge=0, le=130)]
    address: Address
    others: list[Address] | None = None
    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    nickname: str | None


class Moments(BaseModel):
    at: datetime
    day: date
    hour: time
    lasts: timedelta
    id: UUID
    page: AnyUrl
    host: IPvAnyAddress | str


class Numbers(BaseModel):
    price: Decimal
    share: float = Field(gt=0, lt=1)
    tiny: float = Field(gt=0, lt=1e-9)
    half: float = Field(multiple_of=0.5, ge=10)
    even: int = Field(multiple_of=2, gt=1000)
    below: int = Field(lt=-5)
    flag: bool
    none: None
    exact: Literal[1, "one", None]


class Point(NamedTuple):
    x: int
    y: float = 0


@dataclass
class Range:
    low: int
    high: int


class Lists(BaseModel):
    three: list[int] = Field(min_length=3, max_length=3)
    at_most_one: list[str] = Field(max_length=1)
    pair: tuple[int, str]
    all_ints: tuple[int, ...]
    different: set[Colour]
    two: frozenset[int] = Field(min_length=2)
    point: Point
    range: Range
    matrix: list[list[float]]


class Maps(BaseModel):
    by_name: dict[str, Address]
    by_number: dict[int, str]
    by_colour: dict[Colour, int]
    by_id: dict[UUID, Any]
    three: dict[str, float] = Field(min_length=3)
    anything: dict[str, Any]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(ge=1, le=9)


class Dog(BaseModel):
    kind: Literal["dog"]
    colour: Colour = Colour.RED


class Pets(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    either: Cat | Dog | int | str
    many: list[Cat | Dog | None]


class Tree(BaseModel):
    value: int
    left: "Tree | None"
    right: "Tree | None"
    children: list["Tree"]


class Ping(BaseModel):
    pong: "Pong"


class Pong(BaseModel):
    ping: Ping | None
    by_name: dict[str, Ping]


class Step(BaseModel):
    explanation: str
    output: str


class MathReasoning(BaseModel):
    steps: list[Step]
    final_answer: str


class Strict(BaseModel, extra="forbid"):
    a: int = 5
    b: str = Field(default="", min_length=2)
    c: Colour = Colour.BLUE
    d: Address | None = Field(None, description="may be null")


class Empty(BaseModel):
    pass


MODELS: list[type[BaseModel]] = [
    *(Address, Person, Moments, Numbers, Lists, Maps, Pets, Tree, Ping, Pong, MathReasoning),
    *(Strict, Empty),
]


@pytest.mark.parametrize("model", MODELS)
def test_pydantic_accepts_it(model: type[BaseModel]) -> None:
    """For pydantic's schema, and for the `response_format` that OpenAI's SDK makes from it."""
    for schema in (model.model_json_schema(), to_strict_json_schema(model)):
        for seed in range(25):
            made = fill(schema, seed, "What is it?" if seed % 2 else "")
            model.model_validate_json(msgspec.json.encode(made))
            assert satisfies(made, schema, schema)


def test_both_members_of_a_union_are_made() -> None:
    made = [fill(Pets.model_json_schema(), seed) for seed in range(20)]
    assert {each["pet"]["kind"] for each in made} == {"cat", "dog"}  # type: ignore[index]
