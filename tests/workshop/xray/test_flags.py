"""The flags of `workshop xray` whose values have a type of their own."""

import argparse
from collections.abc import Callable

import pytest

from workshop.xray.flags import count, parser, speed


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


def test_an_error_quotes_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-canary-0123456789abcdef"
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["http://a/", "http://me:canary@b/", key])
    assert ended.value.code == 2
    message = "give one URL or one FILE; -d and -H want quotes\n"
    assert capsys.readouterr().err.endswith(message)
