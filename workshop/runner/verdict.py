"""The result of a check as text: the mistake, and a caret under the first wrong byte.

    ✗ size 1 counts characters: '你' is 3 bytes

        sent      你
        received  1␍␊你␍␊
                  ^
        rule      chunk-size counts the bytes of the data, in hexadecimal (RFC 9112 §7.1)
        by hand   curl -sN --raw http://localhost:8003/ | head -n 4

Bytes are shown on one line, and all of them are visible: ␍ and ␊ stand for CR and LF. An escape
stands for everything else that cannot be seen (a byte that is not UTF-8, U+2028, a BOM, ESC). The
caret's column counts terminal cells, not characters: 你 and 🌊 take two cells each.
"""

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from rich.text import Text

from ..language import _, pad
from .check_kit import Failure
from .checking import CheckReport

__all__ = ["exchanged_bytes", "printable", "verdict", "visible"]

BEFORE, AFTER = 40, 24  # number of cells shown before the caret, and from the caret on
LAST_LINES = 12  # number of lines shown from the end of the file's output
SIGN = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|.")  # an escape stays in one piece
LONGEST = len(r"\U0001f30a")


def visible(data: bytes) -> str:
    """Return bytes as text in which each can be seen: ␍ for CR, ␊ for LF, \\x… for invalid
    UTF-8."""
    text = data.decode("utf-8", "backslashreplace")
    return printable(text.replace("\r", "␍").replace("\n", "␊"))


def printable(text: str) -> str:
    """Return a text of another program with an escape, such as \\x1b, in place of each character
    that controls the terminal or has no shape."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def without_controls(line: str) -> str:
    """Return a line that the file has printed, without characters that control the terminal."""
    return visible(line.encode(errors="backslashreplace"))


def verdict(report: CheckReport) -> Iterator[Text]:
    """Yield the result of a check, line by line."""
    failure = report.failure
    if failure is None:
        yield Text(_("✓ passes"), "bold green")
    else:
        # The message may quote an error that the file has raised.
        message, *more = (without_controls(line) for line in failure.message.split("\n"))
        yield Text.assemble(("✗ ", "bold red"), (message, "bold"))
        for line in more:
            yield Text(line)
        yield from indented(evidence(failure))
    if report.output.strip():
        yield Text("\n" + _("your file printed"), "dim")
        for line in report.output.rstrip().split("\n")[-LAST_LINES:]:
            yield Text(f"    {without_controls(line)}")


def evidence(failure: Failure) -> Iterator[tuple[str, Text]]:
    """Yield rows of a label and a text. The row of the caret has no label."""
    if failure.sent:
        yield _("sent"), Text(window(failure.sent, len(failure.sent))[0])  # only the last bytes
    if failure.received or failure.at is not None:
        at = len(failure.received) if failure.at is None else failure.at
        text, column = window(failure.received, at)
        yield _("received"), Text(text)
        if failure.at is not None:
            yield "", Text(" " * column + "^", "bold red")
    if failure.rule:
        yield _("rule"), Text(failure.rule)
    if failure.redo:
        yield _("by hand"), Text(failure.redo, "cyan")


def indented(rows: Iterable[tuple[str, Text]]) -> Iterator[Text]:
    for number, (label, text) in enumerate(rows):
        if number == 0:
            yield Text()
        yield Text.assemble((f"    {pad(label, 10)}", "dim"), text)


def window(data: bytes, at: int) -> tuple[str, int]:
    """Return the bytes around an offset as text for one line, and the column of the offset in that
    text."""
    whole = visible(data)
    while not whole.startswith(before := visible(data[:at])):
        at -= 1  # this is inside a character: go back to its first byte
    after = whole[len(before) :]
    if cell_len(before) > BEFORE:
        kept = SIGN.findall(before[-BEFORE - LONGEST :])
        while cell_len("".join(kept)) >= BEFORE:
            del kept[0]
        before = "…" + "".join(kept)
    if cell_len(after) > AFTER:
        kept = SIGN.findall(after[: AFTER + LONGEST])
        while cell_len("".join(kept)) >= AFTER:
            del kept[-1]
        after = "".join(kept) + "…"
    return before + after, cell_len(before)


def exchanged_bytes(report: CheckReport) -> Iterator[Text]:
    """Yield all bytes that the exercise was given and returned, as the key `s` shows them."""
    if not report.log:
        yield Text(_("The exercise was given no bytes and returned none."))
    for direction, data in report.log:
        arrow, style = ("→", "cyan") if direction == "sent" else ("←", "green")
        text = visible(data)
        if not text.strip(" "):
            text = "␠" * len(text) or _("(nothing)")
        yield Text.assemble((f"  {arrow} ", "dim"), (text, style))
