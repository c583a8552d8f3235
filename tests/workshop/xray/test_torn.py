"""Characters that a border splits."""

import pytest

from workshop.xray.picture.torn import TornCharacters


def notes(*rows: bytes) -> tuple[list[str], int]:
    """The note of each row, and how many characters were torn."""
    left = list(rows)
    torn = TornCharacters(lambda size: b"".join(left)[:size])
    found = []
    while left:
        found.append(torn.row(left.pop(0)))
    return found, torn.count


@pytest.mark.parametrize(
    ("rows", "said", "count"),
    [
        ((b"abc", b"def"), ["", ""], 0),
        (("你".encode(), "好".encode()), ["", ""], 0),
        ((b"x\xe4\xbd", b"\xa0y"), ["✂ 2 of the 3 bytes of 你", "✂ the last byte of 你"], 1),
        ((b"\xf0", b"\x9f\x8c\x8d"), ["✂ 1 of the 4 bytes of 🌍", "✂ the last 3 bytes of 🌍"], 1),
        (
            (b"\xe4", b"\xbd", b"\xa0\xc3", b"\xa9"),
            [
                "✂ 1 of the 3 bytes of 你",
                "✂ 1 byte of 你",
                "✂ 1 of the 2 bytes of é",
                "✂ the last byte of é",
            ],
            2,
        ),
        ((b"\xe4\xbd",), ["✂ 2 of the 3 bytes of a character"], 0),
        ((b"\xe4\xbd", b"x"), ["", ""], 0),  # never a character: not torn, only damaged
        ((b"\xed\xa0", b"\x80"), ["", ""], 0),  # a surrogate (RFC 3629 §3)
        ((b"\xc0", b"\x80"), ["", ""], 0),
        ((b"\xbd", b"\xa0"), ["", ""], 0),
        ((b"\xe2\x80", b"\xa8"), ["", ""], 0),  # U+2028 cannot be shown
    ],
)
def test_notes(rows: tuple[bytes, ...], said: list[str], count: int) -> None:
    assert notes(*rows) == (said, count)


def test_what_the_border_cuts() -> None:
    rest = [b""]
    torn = TornCharacters(lambda size: rest[0][:size])
    assert torn.cut == ""
    torn.row(b"\xe4\xbd")
    assert torn.cut == "a character"
    rest[0] = b"\xa0 and more"
    assert torn.cut == "你"
    rest[0] = b"x"
    assert torn.cut == ""
    torn.forget()
    assert torn.row(b"\xa0") == ""
