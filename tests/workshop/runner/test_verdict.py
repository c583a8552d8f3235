"""The result of a check as text: the caret is under the wrong byte, whatever comes before it."""

import io
import re

import pytest
from rich.console import Console

from workshop.runner.check_kit import Failure
from workshop.runner.checking import CheckReport
from workshop.runner.verdict import exchanged_bytes, verdict, visible, window


def printed(report: CheckReport) -> str:
    screen = Console(file=io.StringIO(), soft_wrap=True, highlight=False, width=80)
    for line in verdict(report):
        screen.print(line)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_a_failure() -> None:
    """All its rows, as in the module's docstring; 你 is two cells wide."""
    failure = Failure(
        "characters-not-bytes",
        "size 1 counts characters: '你' is 3 bytes",
        sent="你".encode(),
        received="你1\r\n你\r\n".encode(),
        at=3,
        rule="chunk-size counts bytes (RFC 9112 §7.1)",
        redo="curl -sN --raw http://localhost:8003/",
    )
    assert printed(CheckReport(failure)) == (
        "✗ size 1 counts characters: '你' is 3 bytes\n"
        "\n"
        "    sent      你\n"
        "    received  你1␍␊你␍␊\n"
        "                ^\n"
        "    rule      chunk-size counts bytes (RFC 9112 §7.1)\n"
        "    by hand   curl -sN --raw http://localhost:8003/\n"
    )


def test_nothing_received_and_a_caret() -> None:
    """The caret shows where the missing answer should begin."""
    assert printed(CheckReport(Failure("x", "nothing came", at=0))) == (
        "✗ nothing came\n\n    received  \n              ^\n"
    )


def test_an_error_that_the_file_has_raised() -> None:
    """Its message cannot control the terminal: neither the window's title nor colours."""
    told = printed(CheckReport(Failure("raised", "line 1 raised \x1b]0;x\x07\n    a\x9b31m")))
    assert told == "✗ line 1 raised \\x1b]0;x\\x07\n    a\\x9b31m\n"


def test_success_and_the_output_of_the_file() -> None:
    """Its last lines are shown, and no escape sequence reaches the terminal."""
    output = "".join(f"line {n}\n" for n in range(50)) + "\x1b[2Jmine\n"
    told = printed(CheckReport(output=output)).splitlines()
    assert told[:3] == ["✓ passes", "", "your file printed"]
    assert told[3:5] == ["    line 39", "    line 40"]
    assert told[-1] == "    \\x1b[2Jmine"


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"a\r\n", "a␍␊"),
        ("🌊".encode()[:2], "\\xf0\\x9f"),
        ("\u2028\ufeff\x1b".encode(), "\\u2028\\ufeff\\x1b"),
        (b"a b", "a b"),
    ],
)
def test_visible(data: bytes, seen: str) -> None:
    assert visible(data) == seen


@pytest.mark.parametrize(
    ("data", "at", "column"),
    [
        (b"abc", 0, 0),
        (b"abc", 3, 3),
        (b"\r\nb", 2, 2),
        ("你b".encode(), 3, 2),
        ("你b".encode(), 2, 0),  # inside 你: the caret is at its beginning
        ("🌊🌊x".encode(), 8, 4),
        (b"\xe4\xbdx", 2, 8),  # two escapes of four cells
    ],
)
def test_the_column_of_a_byte(data: bytes, at: int, column: int) -> None:
    assert window(data, at) == (visible(data), column)


def test_long_bytes_are_cut_around_the_caret() -> None:
    text, column = window(("你" * 500 + "X" + "y" * 500).encode(), 1500)
    assert text[0] == text[-1] == "…"
    assert text.index("X") == 20
    assert column == 39
    assert len(text) < 60


def test_an_escape_stays_in_one_piece() -> None:
    for size in range(40, 50):
        text, _ = window(b"a" * (50 - size) + b"\0" * size, 50)
        assert re.fullmatch(r"…(\\x00)+", text), text
        text, _ = window(b"\0" * size + b"a" * (50 - size), 0)
        assert re.fullmatch(r"(\\x00)+…", text), text


def test_exchanged_bytes() -> None:
    report = CheckReport(log=[("sent", b"a\r\n"), ("received", "你 ".encode()), ("received", b"")])
    assert [line.plain for line in exchanged_bytes(report)] == [
        "  → a␍␊",
        "  ← 你 ",
        "  ← (nothing)",
    ]
    assert [line.plain for line in exchanged_bytes(CheckReport(log=[("sent", b"  ")]))] == [
        "  → ␠␠"
    ]
    assert len(list(exchanged_bytes(CheckReport()))) == 1
