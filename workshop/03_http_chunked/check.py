"""Check 3: sizes count bytes, in hexadecimal; each chunk is sent at once; the body has an end."""

from collections.abc import Iterator
from types import ModuleType

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, at_a_time, first_difference

HINTS = (
    "How long is 你 on the wire? What is the `len` of the text, and of its bytes?",
    """Encode the token first, then count its bytes, and write the number with `%x`. To decode, keep
the bytes in a buffer: first a line up to CR LF, then as many bytes as it says, then CR LF.""",
    """A chunk is b"%x\\r\\n%s\\r\\n" % (len(data), data). The number of a size line is
int(digits, 16), but only after re.fullmatch(rb"[0-9A-Fa-f]+", digits).""",
)
TOKENS = ("你", "好", " ", "a line of 26 letters, made", "\r\n", "🌊")
CHUNKS = tuple(b"%x\r\n%s\r\n" % (len(t.encode()), t.encode()) for t in TOKENS)
LAST_CHUNK = b"0\r\n\r\n"
LINES = _("each line ends in CR LF, and so does the data (RFC 9112 §7.1)")
COUNTS = _("chunk-size counts the bytes of the data, in hexadecimal (RFC 9112 §7.1)")
REDO = "curl -sN --raw http://localhost:8003/ | head -n 4"


async def check(exercise: ModuleType, lab: Lab) -> None:
    check_encode(exercise, lab)
    for size in (1, 2, 3, 1000):
        check_decode(exercise, lab, size)
    check_refusals(exercise, lab)


def check_encode(exercise: ModuleType, lab: Lab) -> None:
    source = lab.tokens(*TOKENS, name="buffers-all")
    chunks = exercise.encode(iter(source))
    for token, chunk in zip(source.release_each(), CHUNKS, strict=True):
        lab.give(token.encode())
        compare(token, chunk, lab.take(next(chunks, b"")))
    end = b"".join(map(lab.take, chunks))
    if end != LAST_CHUNK:
        raise Failure(
            "no-last-chunk",
            _("the body ends with {end!r}: nothing says that it is complete", end=end),
            received=lab.received,
            at=len(lab.received),
            rule=_("the last chunk has size 0, then an empty line (RFC 9112 §7.1)"),
            redo="curl -sN --raw http://localhost:8003/ | tail -n 2",
        )
    body = b"".join(map(lab.take, exercise.encode(iter(("a", "", "b")))))
    if body != b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n":
        raise Failure(
            "empty-chunk",
            _("of 'a', '' and 'b' a reader gets only 'a': an empty chunk ends the body"),
            received=body,
            at=first_difference(body, b"1\r\na\r\n1"),
            rule=_('last-chunk = 1*("0") CRLF: size 0 says that the body ends (RFC 9112 §7.1)'),
        )


def compare(token: str, chunk: bytes, got: bytes) -> None:
    """Raise a failure that names the mistake which turns this token into these bytes."""
    if got == chunk:
        return
    data = token.encode()
    size = got.partition(b"\r\n")[0]
    name, rule = "no-chunk", COUNTS
    message = _("{token!r} should be the chunk {chunk!r}", token=token, chunk=chunk)
    if len(data) != len(token) and size == b"%x" % len(token):
        name = "characters-not-bytes"
        message = _(
            "size {size} counts characters: {token!r} is {bytes} bytes",
            size=len(token),
            token=token,
            bytes=len(data),
        )
    elif size == b"%d" % len(data):
        name = "decimal-size"
        message = _("size {size} is decimal: in hexadecimal it is {size:x}", size=len(data))
    elif b"\n" in got and b"\r\n" not in got.replace(data, b""):
        name, message, rule = "bare-lf", _("a line ends in LF alone"), LINES
    at = first_difference(got, chunk)
    raise Failure(name, message, sent=data, received=got, at=at, rule=rule, redo=REDO)


def check_decode(exercise: ModuleType, lab: Lab, size: int) -> None:
    """Feed the body `size` bytes at a time, and expect each chunk's data before the next chunk."""
    body = b"".join(CHUNKS) + LAST_CHUNK
    got, due = b"", 0  # the decoded bytes; the offset at which the chunk that is due ends

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), size):
            if start >= due:
                held = _(
                    "a whole chunk has come, but decode asks for more before it gives the data"
                )
                raise Failure("buffers-all", held, sent=body[:start], received=got)
            yield lab.give(body[start : start + size])

    decoded = exercise.decode(pieces())
    expected = b""
    for token, chunk in zip(TOKENS, CHUNKS, strict=True):
        due += len(chunk)
        expected += token.encode()
        while len(got) < len(expected) and (piece := next(decoded, None)) is not None:
            got += lab.take(piece)
        if got[: len(expected)] != expected:
            message = _(
                "{token!r}, read {pieces}, is decoded wrongly", token=token, pieces=at_a_time(size)
            )
            at = first_difference(got, expected)
            raise Failure("wrong-data", message, sent=body[:due], received=got, at=at, rule=COUNTS)
    due = len(body)
    got += b"".join(map(lab.take, decoded))
    if got != expected:
        message = _("decode gives more bytes than the chunks hold")
        at = len(expected)
        raise Failure("wrong-data", message, sent=body, received=got, at=at, rule=COUNTS)


REFUSED = [
    ("no-last-chunk", b"3\r\nabc\r\n", _("the body is truncated after its first chunk")),
    ("bare-lf", b"3\nabc\n0\n\n", _("the lines end in LF alone")),
    ("bare-lf", b"3\r\nabcXX0\r\n\r\n", _("XX is in place of the line end after the data")),
    (
        "lenient-size",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        _("0x3 is not a size: only hexadecimal digits are"),
    ),
    ("lenient-size", b"+3\r\nabc\r\n0\r\n\r\n", _("+3 is not a size: only hexadecimal digits are")),
]


def check_refusals(exercise: ModuleType, lab: Lab) -> None:
    for name, body, why in REFUSED:
        try:
            got = b"".join(map(lab.take, exercise.decode(iter([lab.give(body)]))))
        except ValueError:
            continue
        raise Failure(
            name,
            _("decode takes this for a complete body: {why}", why=why),
            sent=body,
            received=got,
            rule=_("everything that the grammar does not allow is an error (RFC 9112 §7.1)"),
        )
