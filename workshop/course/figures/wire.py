"""Bytes as a row of chips: each has its label, its text, and its bytes in hexadecimal.

    3            \\r\\n     你            \\r\\n     0            \\r\\n\\r\\n
    chunk-size   CRLF      chunk-data    CRLF     last-chunk   CRLF
    33           0d 0a     e4 bd a0      0d 0a    30           0d 0a 0d 0a

The labels are those of `protocol/anatomy.py`, so no grammar is implemented again here.
"""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from protocol.anatomy import ResponseAnatomy

__all__ = ["Chip", "chips", "label", "lines", "visible"]

CONTROLS = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}


class Chip(NamedTuple):
    """Some bytes with one label.

    Args:
        label: The label, as in `ByteSpan`. Data of a body that is not an event stream is
            "chunk-data".
        text: The bytes as text. Control characters are shown as Python writes them.
        hex: The bytes in hexadecimal.
    """

    label: str
    text: str
    hex: str


def label(response: bytes) -> list[Chip]:
    """Return the chips of a response's bytes, without its head."""
    anatomy = ResponseAnatomy()
    spans = [*anatomy.receive_data(response), *anatomy.receive_eof()]
    spans.sort(key=lambda span: span.start)
    found = []
    for span in spans:
        data = response[span.start : span.end]
        name = "chunk-data" if span.label == "data" else span.label
        if name != "head":
            found.append(Chip(name, visible(data), data.hex(" ")))
    return found


def visible(data: bytes) -> str:
    """Return bytes as text in which each control character is visible."""
    text = data.decode(errors="replace")
    return "".join(CONTROLS.get(character, character) for character in text)


def lines(data: bytes) -> str:
    """Return an event stream's bytes as text: each line end is shown, and ends the line on the
    page, too."""
    return data.decode(errors="replace").replace("\n", "\\n\n")


def chips(row: Iterable[Chip]) -> str:
    """Return a row of chips as HTML."""
    html = "".join(
        f'<li class="{escape(chip.label)}"><b>{escape(chip.text)}</b>'
        f"<small>{escape(chip.label)}</small><i>{escape(chip.hex)}</i></li>"
        for chip in row
    )
    return f'<ol class="chips">{html}</ol>\n'
