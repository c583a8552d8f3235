"""Wrong: when the stream ends inside an event, it treats that event as complete."""

import codecs
import re
from collections.abc import Iterable, Iterator


def parse(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield (event, data) of each event, as soon as its blank line has arrived."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")  # drops the BOM
    line, after_cr = "", False
    event, data = "", list[str]()
    for piece in pieces:
        text = decoder.decode(piece)
        if after_cr and text:  # the CR has ended its line; an LF here belongs to it
            text = text.removeprefix("\n")
            after_cr = False
        after_cr = after_cr or text.endswith("\r")
        *lines, line = re.split("\r\n|\n|\r", line + text)
        for whole in lines:
            name, _, value = whole.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
            elif name == "event":
                event = value.removeprefix(" ")
            elif not whole:
                if data:
                    yield event or "message", "\n".join(data)
                event, data = "", []
    if data:
        yield event or "message", "\n".join(data)
