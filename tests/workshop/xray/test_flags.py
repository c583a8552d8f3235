"""The flags of `workshop xray` whose values have a type of their own."""

import argparse
from collections.abc import Callable

import pytest

from workshop.xray.flags import count, speed


def test_good_values() -> None:
    assert [speed(text) for text in ("0", "0.5", "1000")] == [0, 0.5, 1000]
    assert [count(text) for text in ("1", "1000000")] == [1, 1_000_000]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((speed, text) for text in ("fast", "-1", "nan", "inf", "1001")),
        *((count, text) for text in ("0", "-1", "x", "1000001", "²")),
    ],
)
def test_bad_values(kind: Callable[[str], object], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f": {text}$"):
        kind(text)
