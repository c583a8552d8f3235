"""How a check's verdict looks: what is wrong, and a caret under the first wrong byte.

    ✗ size 1 counts characters: '你' is 3 bytes

        sent      你
        received  1␍␊你␍␊
                  ^
        rule      chunk-size counts the bytes of the data, in hexadecimal (RFC 9112 §7.1)
        by hand   curl -sN --raw http://localhost:8003/ | head -n 4

Bytes are shown on one line with nothing hidden: ␍ and ␊ for CR and LF, an escape for what has no
look of its own (a byte that is no UTF-8, U+2028, a BOM, ESC). The caret counts cells, not
characters: 你 and 🌊 are two wide.
"""

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from rich.text import Text

from .check_kit import Failure
from .checking import Report

__all__ = ["bytes_seen", "verdict", "visible"]

BEFORE, AFTER = 40, 24  # cells that are shown of the bytes before the caret, and from it on
LAST_LINES = 12  # of what the file printed
SIGN = re.compile(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}|.")  # an escape is not cut
LONGEST = len(r"\U0001f30a")


def visible(data: bytes) -> str:
    """Bytes as text that hides nothing: ␍ for CR, ␊ for LF, and \\x… for half a character."""
    text = data.decode("utf-8", "backslashreplace")
    text = text.replace("\r", "␍").replace("\n", "␊")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def seen(line: str) -> str:
    """A line of the file's own words, of which nothing steers the terminal."""
    return visible(line.encode(errors="backslashreplace"))


def verdict(report: Report) -> Iterator[Text]:
    """The lines that tell what a check found.

    Args:
        report: of a check that has ended.
    """
    failure = report.failure
    if failure is None:
        yield Text("✓ passes", "bold green")
    else:
        # It may quote what the file has raised.
        message, *more = (seen(line) for line in failure.message.split("\n"))
        yield Text.assemble(("✗ ", "bold red"), (message, "bold"))
        for line in more:
            yield Text(line)
        yield from indented(evidence(failure))
    if report.output.strip():
        yield Text("\nyour file printed", "dim")
        for line in report.output.rstrip().split("\n")[-LAST_LINES:]:
            yield Text(f"    {seen(line)}")


def evidence(failure: Failure) -> Iterator[tuple[str, Text]]:
    """Rows of a label and what it says; the caret is a row without a label."""
    if failure.sent:
        yield "sent", Text(window(failure.sent, len(failure.sent))[0])  # its end is what matters
    if failure.received or failure.at is not None:
        at = len(failure.received) if failure.at is None else failure.at
        text, column = window(failure.received, at)
        yield "received", Text(text)
        if failure.at is not None:
            yield "", Text(" " * column + "^", "bold red")
    if failure.rule:
        yield "rule", Text(failure.rule)
    if failure.redo:
        yield "by hand", Text(failure.redo, "cyan")


def indented(rows: Iterable[tuple[str, Text]]) -> Iterator[Text]:
    for number, (label, text) in enumerate(rows):
        if number == 0:
            yield Text()
        yield Text.assemble((f"    {label:10}", "dim"), text)


def window(data: bytes, at: int) -> tuple[str, int]:
    """The bytes around an offset as text for one line, and the column of that offset in it."""
    whole = visible(data)
    while not whole.startswith(before := visible(data[:at])):
        at -= 1  # inside a character: its first byte is where it is seen
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


def bytes_seen(report: Report) -> Iterator[Text]:
    """All that went to the exercise and came from it, as `s` shows it."""
    if not report.log:
        yield Text("No byte has gone to the exercise or come from it.")
    for way, data in report.log:
        arrow, style = ("→", "cyan") if way == "sent" else ("←", "green")
        text = visible(data)
        if not text.strip(" "):
            text = "␠" * len(text) or "(nothing)"
        yield Text.assemble((f"  {arrow} ", "dim"), (text, style))
