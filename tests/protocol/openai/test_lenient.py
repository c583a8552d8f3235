"""Any JSON value, read as the type that the caller expects."""

import math

import pytest

from protocol.openai.lenient import (
    MAX_COUNT,
    MAX_DEPTH,
    SurrogateJoiner,
    as_count,
    as_json,
    as_list,
    as_object,
    as_text,
    read_json,
    well_formed,
)

ODD = [None, True, False, "", "a", [], [1], math.nan, math.inf, -math.inf, -1, -0.5, 10**400]


@pytest.mark.parametrize("value", ODD)
def test_a_value_that_is_not_a_count(value: object) -> None:
    assert as_count(value) == int(value is True)


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (7, 7), (7.9, 7), ("7", 7), ("7.9", 7), ("-7", 0), ("nan", 0), ("9" * 17, 0),
     (MAX_COUNT, MAX_COUNT), (MAX_COUNT + 1, 0), (1e300, 0)],
)  # fmt: skip
def test_count(value: object, count: int) -> None:
    assert as_count(value) == count


def test_text() -> None:
    values: list[object] = ["a", 1, 1.0, -2.5, True, None, [], {}]
    assert list(map(as_text, values)) == ["a", "1", "1", "-2.5", "", "", "", ""]


def test_list_and_object() -> None:
    assert [as_list(one) for one in ([1], {"a": 1}, "a", None)] == [[1], [{"a": 1}], [], []]
    assert [as_object(one) for one in ({"a": 1}, [1], "a", None)] == [{"a": 1}, {}, {}, {}]


def test_deep_values_are_null() -> None:
    deep: object = read_json('["]}[\\"",' + "[" * 100_000 + '"\\"",{' + "}" + "]" * 100_000 + ",2]")
    assert isinstance(deep, list)
    assert (deep[0], deep[2]) == (']}["', 2)
    depth, inner = 0, deep[1]
    while inner is not None:
        assert isinstance(inner, list)
        depth, inner = depth + 1, inner[0]
    assert depth == MAX_DEPTH - 1


def test_json_of_any_depth() -> None:
    """This holds also for values that were not read here."""
    assert as_json({"a": [1, "你"]}) == '{"a":[1,"你"]}'
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert as_json(deep) == "…"


def test_numbers_of_any_size() -> None:
    text = '[1e999, -1e999, {}, "\\ud83d"]'
    assert read_json(text.replace("{}", "9" * 5000)) == [math.inf, -math.inf, math.inf, "\ud83d"]
    assert read_json(text.replace("{}", "12")) == [math.inf, -math.inf, 12, "\ud83d"]


def test_well_formed() -> None:
    assert [well_formed(one) for one in ("a", "你", "\ud83d\ude00", "\ude00\ud83da")] == [
        "a", "你", "😀", "\ufffd\ufffda",
    ]  # fmt: skip


def test_halves_cut_anywhere() -> None:
    """The text is the same, wherever its UTF-16 was cut."""
    text = "a😀\ud83d你\ude00😀"
    units = [
        unit.decode("utf-16-le", "surrogatepass")
        for data in [text.encode("utf-16-le", "surrogatepass")]
        for unit in (data[at : at + 2] for at in range(0, len(data), 2))
    ]
    for cut in range(len(units) + 1):
        joiner = SurrogateJoiner()
        pieces = ["".join(units[:cut]), "", "".join(units[cut:])]
        assert "".join([*map(joiner.join, pieces), joiner.end()]) == "a😀\ufffd你\ufffd😀"
    joiner = SurrogateJoiner()
    assert "".join([*map(joiner.join, units), joiner.end(), joiner.end()]) == "a😀\ufffd你\ufffd😀"
