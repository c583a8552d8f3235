"""Bytes as text: everything is visible, nothing controls the terminal, and no line is too wide."""

import pytest

from workshop.xray.picture.visible import Alphabet, Line


def shown(data: bytes, width: int = 80, ascii_only: bool = False, style: str = "") -> list[str]:
    lines = Alphabet(ascii_only).lines([(style, data)], width)
    return ["".join(text for _, text in line.parts) for line in lines]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'{"a":"\\n\\\\"}', '{"a":"\\n\\\\"}'),  # a backslash is a backslash
        ("data: 你\r\n".encode(), "data: 你␍␊"),
        (b"\xe4\xbd", "‹e4 bd›"),
        (b"a\xff\xfeb\xfd", "a‹ff fe›b‹fd›"),
        (b"a\0\tb\x1b[31m\x7f", "a␀␉b␛[31m␡"),
        ("\x9b\ufeff\u2028\u202e\xad".encode(), "‹c2 9b ef bb bf e2 80 a8 e2 80 ae c2 ad›"),
        ("👨\u200d👩 👍🏽 ❤\ufe0f".encode(), "👨‹e2 80 8d›👩 👍‹f0 9f 8f bd› ❤‹ef b8 8f›"),
        ("‹␊◂›".encode(), "‹e2 80 b9 e2 90 8a e2 97 82››"),
        ("e\u0301".encode(), "e\u0301"),  # an accent stays with its letter
        ("\u0301e".encode(), "‹cc 81›e"),
        ("\n\xff\u0301".encode("utf-8").replace(b"\xc3\xbf", b"\xff"), "␊‹ff cc 81›"),
        (b"a  ", "a ␠"),
        (b"  a", "␠ a"),
        (b" ", "␠"),
        (b"", ""),
    ],
)
def test_text(data: bytes, text: str) -> None:
    assert "".join(shown(data)) == text


def test_a_screen_without_utf8() -> None:
    data = "<你>\r\n ".encode()
    assert shown(data, ascii_only=True) == ["<3c e4 bd a0>><0d 0a><20>"]


def test_compressed_bytes_are_hex() -> None:
    assert shown(b"\x1f\x8bab", style="coded") == ["‹1f 8b 61 62›"]


@pytest.mark.parametrize(
    ("data", "width", "lines"),
    [
        (b"abcdef", 4, ["abcd", "ef"]),
        (b"abcdef", 1, ["abcd", "ef"]),  # less than the hex of one byte is not possible
        ("a世界b".encode(), 4, ["a世", "界b"]),
        (b"abc\xff\xff", 8, ["abc‹ff›", "‹ff›"]),
        (b"\xff\xff\xff", 8, ["‹ff ff›", "‹ff›"]),
        (b"abc de", 4, ["abc␠", "de"]),
        (b"abcd e", 4, ["abcd", "␠e"]),
        ("abcde\u0301f".encode(), 5, ["abcde\u0301", "f"]),
    ],
)
def test_lines(data: bytes, width: int, lines: list[str]) -> None:
    assert shown(data, width) == lines


def test_what_a_line_knows() -> None:
    (line,) = Alphabet().lines(
        [("a", b"x"), ("a", b"y"), ("b", "你\xff".encode("latin-1", "ignore"))], 9
    )
    assert line == Line([("a", "xy"), ("b", "‹ff›")], 3, 6)


def test_hex_with_its_text() -> None:
    lines = list(Alphabet().hex_lines([("t", "a你\n".encode()), ("j", b"\xe4")], 4))
    assert ["".join(text for _, text in line.parts) for line in lines] == [
        "61 e4 bd a0  a你",
        "0a e4        ␊·",
    ]
    assert [(line.size, line.cells) for line in lines] == [(4, 16), (2, 15)]


def test_beginning_and_ending() -> None:
    alphabet = Alphabet()
    assert alphabet.beginning(b"abcdef", 4) == "abcd"
    assert alphabet.beginning(b"", 4) == ""
    assert alphabet.ending(b"abcdefgh", 4) == "efgh"
