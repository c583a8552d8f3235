"""Cases of the contract tests about parsing: lines, fields and characters (WHATWG HTML §9.2.5,
§9.2.6).

line.crlf.two-events.byte-by-byte     each stream with each line end, cut in three ways
bom.cut-after-one-byte                a byte order mark in two writes
id.with-nul-is-ignored                one rule, and the input that shows it
"""

from collections.abc import Iterator
from itertools import product

from .case import Case, Sight, comment, cut, event, stream

__all__ = ["PARSING"]

# ---- Lines and fields (§9.2.6)

DATA = "Append the field value to the data buffer, then append a single U+000A LINE FEED (LF)"
SPACE = "If value starts with a U+0020 SPACE character, remove it from value."
EMPTY = "If the data buffer is an empty string, … set the event type buffer to the empty string …"
TYPE = "Set the event type buffer to field value."
ID = "If the field value does not contain U+0000 NULL, then set the last event ID buffer …"
IGNORED = "Otherwise: The field is ignored."
AT_EOF = "Once the end of the file is reached, any pending data must be discarded."
UTF_8 = "Streams must be decoded using the UTF-8 decode algorithm."
LINE = "a line ends at CRLF, LF or CR"

FIELDS: tuple[tuple[str, str, str, tuple[Sight, ...]], ...] = (
    # slug, rule, stream, expected reports
    ("data.one-line", DATA, "data: hello\n\n", (event("hello"),)),
    ("data.two-lines", DATA, "data: a\ndata: b\n\n", (event("a\nb"),)),
    ("data.an-empty-line-inside", DATA, "data: a\ndata:\ndata: b\n\n", (event("a\n\nb"),)),
    ("data.empty-value", DATA, "data:\n\ndata: x\n\n", (event(""), event("x"))),
    ("data.two-empty-values", DATA, "data\ndata\n\ndata: x\n\n", (event("\n"), event("x"))),
    ("data.without-colon", "use the whole line as the field name", "data\n\n", (event(""),)),
    ("data.no-space", SPACE, "data:hello\n\n", (event("hello"),)),
    ("data.one-space-is-removed", SPACE, "data:  hello\n\n", (event(" hello"),)),
    ("data.a-tab-stays", SPACE, "data:\thello\n\n", (event("\thello"),)),
    ("data.spaces-at-the-end-stay", SPACE, "data: hello  \n\n", (event("hello  "),)),
    ("data.colons-in-the-value", "collect the characters after the first U+003A COLON",
     "data: a:b: c\n\n", (event("a:b: c"),)),
    ("data.json", DATA, 'data: {"a":"b: c"}\n\n', (event('{"a":"b: c"}'),)),
    ("data.nul-is-data", DATA, "data: a\0b\n\n", (event("a\0b"),)),
    ("data.u-2028-ends-no-line", LINE, "data: a\u2028b\u2029c\u0085d\n\n",
     (event("a\u2028b\u2029c\u0085d"),)),
    ("data.vertical-tab-ends-no-line", LINE, "data: a\vb\fc\n\n", (event("a\vb\fc"),)),
    ("block.blank-lines-dispatch-nothing", EMPTY, "\n\n\ndata: x\n\n\n\n", (event("x"),)),
    ("block.without-data", EMPTY, "event: a\nid: 1\n\ndata: x\n\n", (event("x", id="1"),)),
    ("field.unknown", IGNORED, "dat: a\ndatas: b\ndata: x\n\n", (event("x"),)),
    ("field.upper-case", "Field names must be compared literally", "Data: a\nDATA: b\ndata: x\n\n",
     (event("x"),)),
    ("field.space-before-the-name", IGNORED, " data: a\ndata: x\n\n", (event("x"),)),
    ("field.space-before-the-colon", IGNORED, "data : a\ndata: x\n\n", (event("x"),)),
    ("type.named", TYPE, "event: greeting\ndata: x\n\n", (event("x", "greeting"),)),
    ("type.after-the-data", TYPE, "data: x\nevent: greeting\n\n", (event("x", "greeting"),)),
    ("type.the-last-one-counts", TYPE, "event: a\nevent: b\ndata: x\n\n", (event("x", "b"),)),
    ("type.empty-is-message", TYPE, "event: a\nevent:\ndata: x\n\n", (event("x"),)),
    ("type.holds-for-one-event", TYPE, "event: a\ndata: x\n\ndata: y\n\n",
     (event("x", "a"), event("y"))),
    ("type.not-taken-along-by-an-empty-block", EMPTY, "event: a\n\ndata: x\n\n", (event("x"),)),
    ("id.holds-until-the-next", ID, "id: 1\ndata: x\n\ndata: y\n\nid: 2\ndata: z\n\n",
     (event("x", id="1"), event("y", id="1"), event("z", id="2"))),
    ("id.empty-clears", ID, "id: 1\ndata: x\n\nid\ndata: y\n\n",
     (event("x", id="1"), event("y"))),
    ("id.with-nul-is-ignored", ID, "id: 1\ndata: x\n\nid: 2\0\ndata: y\n\n",
     (event("x", id="1"), event("y", id="1"))),
    ("id.any-text", ID, "id: 豆 腐\ndata: x\n\n", (event("x", id="豆 腐"),)),
    ("retry.dispatches-nothing", EMPTY, "retry: 1000\n\ndata: x\n\n", (event("x"),)),
    ("utf-8.characters", UTF_8, "data: € 豆腐 🌊\n\n", (event("€ 豆腐 🌊"),)),
    ("utf-8.no-normalisation", UTF_8, "data: e\u0301 é\n\n", (event("e\u0301 é"),)),
)  # fmt: skip


def fields() -> Iterator[Case]:
    for slug, rule, text, sees in FIELDS:
        yield Case(slug, rule, (stream(text.encode()),), sees)
    yield Case(
        "block.at-the-end-of-the-body",
        AT_EOF,
        (stream(b"data: a\n\ndata: b\n", then="close"), stream(b"data: c\n\n")),
        (event("a"), event("c")),
    )
    yield Case(
        "utf-8.invalid-bytes-become-u-fffd",
        UTF_8,
        (stream(b"data: a\xffb\xe2\x82 c\n\n"),),
        (event("a\ufffdb\ufffd c"),),
    )
    letters = "€ 豆腐 🌊"
    one_by_one = cut(f"data: {letters}\n\n".encode(), 1)
    yield Case(
        "utf-8.characters-byte-by-byte",
        UTF_8,
        (stream(*one_by_one, pause=0.005),),
        (event(letters),),
    )
    yield Case(
        "many.hundred-events-in-one-write",
        "process the stream as soon as bytes come",
        (stream(b"".join(b"data: %d\n\n" % number for number in range(100))),),
        tuple(event(str(number)) for number in range(100)),
    )
    for megabytes in (1, 5):
        data = "0123456789abcdef" * (megabytes << 16)
        yield Case(
            f"many.an-event-of-{megabytes}-mb",
            "the standard has no limit for a line",
            (stream(*cut(f"data: {data}\n\n".encode(), 1 << 16), b"data: x\n\n"),),
            (event(data), event("x")),
        )
    yield Case(
        "live.an-event-comes-before-the-next-is-sent",
        "dispatch the event when its blank line has come",
        (stream(b"data: a\n\n", b"data: b\n\n", pause=0.3),),
        (event("a"), event("b")),
    )


# ---- Line ends

TERMINATORS = {"lf": "\n", "cr": "\r", "crlf": "\r\n"}
STREAMS: dict[str, tuple[str, tuple[Sight, ...]]] = {
    "one-event": ("data: a|||", (event("a"),)),
    "two-events": ("data: a||data: b|||", (event("a"), event("b"))),
    "two-data-lines": ("data: a|data: b|||", (event("a\nb"),)),
    "all-fields": ("event: e|id: 1|retry: 9000|data: a|||", (event("a", "e", "1"),)),
    "comment-inside": ("data: a|:no|data: b|||", (event("a\nb"),)),
    "empty-data": ("data||data:||data: x|||", (event(""), event(""), event("x"))),
}
SIZES = {"whole": 0, "byte-by-byte": 1, "two-bytes": 2}


def line_ends() -> Iterator[Case]:
    for (end, terminator), (name, (text, sees)), (how, size) in product(
        TERMINATORS.items(), STREAMS.items(), SIZES.items()
    ):
        data = text.replace("|", terminator).encode()
        pause = 0.002 if size else 0.0
        slug = f"line.{end}.{name}.{how}"
        yield Case(slug, LINE, (stream(*cut(data, size), pause=pause),), sees)
    yield Case(
        "line.mixed",
        LINE,
        (stream(b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\rdata: e\n\n"),),
        (event("a\nb\nc"), event("d"), event("e")),
    )
    yield Case(
        "line.cr-at-the-end-of-a-write",
        "a LF after the CR of the write before belongs to the same line end",
        (stream(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\ndata: c\r\n\r\n", pause=0.02),),
        (event("a\nb"), event("c")),
    )


# ---- The byte order mark

BOM = b"\xef\xbb\xbf"


def boms() -> Iterator[Case]:
    rule = "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any."
    table: tuple[tuple[str, tuple[bytes, ...], tuple[Sight, ...]], ...] = (
        ("at-the-start", (BOM + b"data: a\n\n",), (event("a"),)),
        ("in-a-write-of-its-own", (BOM, b"data: a\n\n"), (event("a"),)),
        ("cut-after-one-byte", (BOM[:1], BOM[1:] + b"data: a\n\n"), (event("a"),)),
        ("cut-after-two-bytes", (BOM[:2], BOM[2:] + b"data: a\n\n"), (event("a"),)),
        ("byte-by-byte", cut(BOM + b"data: a\n\n", 1), (event("a"),)),
        ("before-an-empty-line", (BOM + b"\ndata: a\n\n",), (event("a"),)),
        ("before-a-comment", (BOM + b":c\ndata: a\n\n",), (event("a"),)),
        ("only-one-is-stripped", (BOM + BOM + b"data: a\ndata: b\n\n",), (event("b"),)),
        ("not-on-a-later-line", (b"data: a\n" + BOM + b"data: b\n\n",), (event("a"),)),
        ("not-at-the-next-event", (b"data: a\n\n" + BOM + b"data: b\ndata: c\n\n",),
         (event("a"), event("c"))),
        ("inside-data-it-stays", (b"data: " + BOM + b"a\n\n",), (event("\ufeffa"),)),
    )  # fmt: skip
    for name, pieces, sees in table:
        yield Case(f"bom.{name}", rule, (stream(*pieces, pause=0.01),), sees, needs="bom")
    again = stream(BOM + b"data: a\n\n", then="close")
    yield Case("bom.on-each-connection", rule, (again, again), (event("a"),) * 2, needs="bom")


# ---- Comments


def comments() -> Iterator[Case]:
    rule = "If the line starts with a U+003A COLON character (:), ignore the line."
    table: tuple[tuple[str, tuple[bytes, ...], tuple[Sight, ...]], ...] = (
        ("alone", (b":hello\n",), (comment("hello"),)),
        ("empty", (b":\n",), (comment(""),)),
        ("between-events", (b"data: a\n\n:c\ndata: b\n\n",),
         (event("a"), comment("c"), event("b"))),
        ("two-in-a-row", (b":a\n:b\n",), (comment("a"), comment("b"))),
        ("before-the-blank-line", (b":c\n", b"data: a\n\n"), (comment("c"), event("a"))),
    )  # fmt: skip
    for name, pieces, sees in table:
        answers = (stream(*pieces, pause=0.05),)
        yield Case(f"comment.{name}", rule, answers, sees, needs="comments")
    yield Case("comment.is-not-an-event", rule, (stream(b":c\n\n:\n\ndata: a\n\n"),), (event("a"),))
    yield Case("comment.is-not-data", rule, (stream(b"data: a\n:data: b\n\n"),), (event("a"),))


PARSING: tuple[Case, ...] = (*fields(), *line_ends(), *boms(), *comments())
