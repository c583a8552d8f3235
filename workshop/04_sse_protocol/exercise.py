"""Exercise 4: read an event stream (WHATWG HTML §9.2.6).

    event: word\\n
    data: {"text":"你"}\\n
    \\n

A line ends in LF, CR or CRLF, and in nothing else. A blank line dispatches the event, if it has a
`data` line. Check: `workshop check 4`.
"""

from collections.abc import Iterable, Iterator


def parse(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield (event, data) of each event, as soon as its blank line has arrived.

    Only the fields `event` and `data` matter here. Without `event`, the type is "message". One
    space before a value is dropped. Several `data` lines are joined with LF. A line that begins
    with a colon is a comment. A byte order mark at the start of the stream is dropped. An event
    that has no blank line when the stream ends is lost.

    Args:
        pieces: The bytes of each read, cut anywhere: inside a line, inside CRLF, inside 你.
    """
    raise NotImplementedError("parse")
    yield "", ""
