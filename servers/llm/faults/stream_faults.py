"""How streams break: each way a function of a few lines, and its bytes.

    healthy                                  rst-mid-chunk@2

    f\\r\\ndata: {"n":1}\\n\\n\\r\\n         f\\r\\ndata: {"n":1}\\n\\n\\r\\n
    f\\r\\ndata: {"n":2}\\n\\n\\r\\n         f\\r\\ndata: {                       and then RST
    0\\r\\n\\r\\n

`event` is the one at the fault's place. What a fault does not send of it is lost; the rest of the
answer follows as if nothing had been, unless the fault has ended it: `CutOff` ends the connection
inside the body, `wire.end` ends the body too early.
"""

import re

import msgspec
import trio

from protocol.chunked import encode_chunk, encode_last_chunk
from protocol.openai.common import ErrorBody
from protocol.sse import encode_comment

from ...http.reply import CutOff, Reply
from .catalogue import (
    FIRST,
    LAST,
    WAYS,
    AnyReply,
    in_place_of,
    on_body,
    on_events,
    on_head,
    without_head,
)
from .injection import HOLD_SECONDS, Wire

__all__ = ["WAYS"]

# ---- The connection ends inside the body


@on_body(at_once=True)
async def fin(wire: Wire, event: bytes) -> None:
    """FIN between two chunks: the last chunk is missing."""
    raise CutOff


@on_body(cuts=True)
async def fin_mid_event(wire: Wire, event: bytes) -> None:
    """A whole chunk with half an event in it, then FIN."""
    half = wire.half(event)
    await wire.chunk(half)
    raise CutOff


@on_body(cuts=True)
async def fin_mid_chunk(wire: Wire, event: bytes) -> None:
    """Half of the bytes that the chunk's size announced, then FIN."""
    half = wire.half(event)
    await wire.raw(b"%x\r\n%b" % (len(event), half))
    raise CutOff


@on_body(at_once=True)
async def rst(wire: Wire, event: bytes) -> None:
    """RST between two chunks."""
    raise CutOff(reset=True)


@on_body(cuts=True)
async def rst_mid_event(wire: Wire, event: bytes) -> None:
    """A whole chunk with half an event in it, then RST."""
    half = wire.half(event)
    await wire.chunk(half)
    raise CutOff(reset=True)


@on_body(cuts=True)
async def rst_mid_chunk(wire: Wire, event: bytes) -> None:
    """Half of the bytes that the chunk's size announced, then RST."""
    half = wire.half(event)
    await wire.raw(b"%x\r\n%b" % (len(event), half))
    raise CutOff(reset=True)


@on_body(at=LAST)
async def no_last_chunk(wire: Wire, event: bytes) -> None:
    """The whole answer with its [DONE], then FIN without `0\\r\\n\\r\\n`."""
    await wire.chunk(event)
    raise CutOff


# ---- The body ends, but the answer has not


@on_events(at=LAST)
async def no_done(wire: Wire, event: bytes) -> None:
    """A clean end without the last event: no [DONE]."""


@on_events()
async def clean_cut(wire: Wire, event: bytes) -> None:
    """A clean end in the middle: no finish_reason, no [DONE]. It looks like success."""
    await wire.end()


@on_events()
async def bare_json(wire: Wire, event: bytes) -> None:
    """An error as a line of JSON without `data:`, then a clean end."""
    await wire.chunk(_json({"error": ERROR}) + b"\n\n")
    await wire.end()


# ---- Chunks


@on_body(cuts=True)
async def half_chunk(wire: Wire, event: bytes) -> None:
    """Half of the bytes that the chunk's size announced, then silence: the connection is open."""
    half = wire.half(event)
    await wire.raw(b"%x\r\n%b" % (len(event), half))
    await wire.silence()


@on_body()
async def bad_chunk_size(wire: Wire, event: bytes) -> None:
    """A chunk-size that is no number: `xyz`."""
    await wire.raw(b"xyz\r\n%b\r\n" % event)


@on_body(at=LAST)
async def after_end(wire: Wire, event: bytes) -> None:
    """Bytes after the end of the body, on a connection that stays open."""
    await wire.end_raw(encode_chunk(event) + encode_last_chunk() + b"data: too late\n\n")


# ---- Errors after the head: an event, then FIN without the last chunk


@on_events()
async def error_nested(wire: Wire, event: bytes) -> None:
    """An error event, {"error":{…}}, on /v1/responses that of Open Responses, then FIN."""
    await wire.last_words(_error_event(wire, event, {"error": ERROR}))


@on_events()
async def error_flat(wire: Wire, event: bytes) -> None:
    """An error event, {"code":…,"message":…}, on /v1/responses that of OpenAI, then FIN."""
    fields = dict[str, object](code=ERROR.code, message=ERROR.message, param=ERROR.param)
    await wire.last_words(_error_event(wire, event, fields, named=True))


@on_events()
async def error_string(wire: Wire, event: bytes) -> None:
    """An error event that is only a text, {"error":"…"}, then FIN."""
    await wire.last_words(_error_event(wire, event, {"error": ERROR.message}))


ERROR = ErrorBody("The model failed: a simulated fault.", "server_error", None, "simulated")


def _error_event(wire: Wire, event: bytes, fields: dict[str, object], named: bool = False) -> bytes:
    """An error in the manner of the stream it is in: that of the Responses API has its type in
    an `event` line and again in its data, with a number."""
    if event.startswith(b"event:"):
        fields = {"type": "error", "sequence_number": wire.number - 1, **fields}
        named = True
    return (b"event: error\n" if named else b"") + b"data: %b\n\n" % _json(fields)


# ---- Bytes of events


@on_events()
async def broken_json(wire: Wire, event: bytes) -> None:
    """The event's JSON without its last character."""
    await wire.chunk(event.rstrip(b"\n")[:-1] + b"\n\n")


@on_events()
async def invalid_utf8(wire: Wire, event: bytes) -> None:
    """A byte FF, which UTF-8 never has, in the event's text."""
    before, quote, text = event.rpartition(b'":"')  # of "content":"Hi", before Hi
    await wire.chunk(before + quote + b"\xff" + text)


@on_events()
async def giant_line(wire: Wire, event: bytes) -> None:
    """The event in a line of 4 MiB: spaces in its JSON, which mean nothing."""
    before, brace, after = event.partition(b"{")
    await wire.chunk(before + brace + b" " * (4 << 20) + after)


@on_events(lasting=True)
async def split_utf8_chunks(wire: Wire, event: bytes) -> None:
    """From there on, each character of several bytes split over two chunks."""
    for piece in INSIDE_CHARACTER.split(event):
        await wire.chunk(piece)


# Between the first byte of a character and the second: a lead byte (110xxxxx, 1110xxxx or
# 11110xxx) and a continuation byte (10xxxxxx).
INSIDE_CHARACTER = re.compile(rb"(?<=[\xc0-\xff])(?=[\x80-\xbf])")


@on_body(lasting=True)
async def split_utf8_segments(wire: Wire, event: bytes) -> None:
    """From there on, one byte a write: characters, lines and chunks split over TCP segments."""
    frame = encode_chunk(event)
    for place in range(len(frame)):
        await wire.raw(frame[place : place + 1])


@on_events(lasting=True)
async def cr(wire: Wire, event: bytes) -> None:
    """From there on, lines that end in CR."""
    await wire.chunk(event.replace(b"\n", b"\r"))


@on_events(lasting=True)
async def crlf(wire: Wire, event: bytes) -> None:
    """From there on, lines that end in CRLF."""
    await wire.chunk(event.replace(b"\n", b"\r\n"))


@on_events(at=FIRST)
async def bom(wire: Wire, event: bytes) -> None:
    """A byte order mark before the first event."""
    await wire.chunk(b"\xef\xbb\xbf" + event)


# ---- Lines that the format allows, and some clients do not


@on_events()
async def id_comment(wire: Wire, event: bytes) -> None:
    """An event with an `id:`, then a comment with a blank line: a trap for careless parsers."""
    await wire.chunk(b"id: 1\n" + event)
    await wire.chunk(encode_comment("keep-alive") + b"\n")


@on_events()
async def retry(wire: Wire, event: bytes) -> None:
    """A `retry:` line in a block of its own, before the event."""
    await wire.chunk(b"retry: 3000\n\n")
    await wire.chunk(event)


@on_events()
async def empty_data(wire: Wire, event: bytes) -> None:
    """An event with empty data, before the event."""
    await wire.chunk(b"data:\n\n")
    await wire.chunk(event)


@on_events()
async def duplicate(wire: Wire, event: bytes) -> None:
    """The event, twice."""
    await wire.chunk(event)
    await wire.chunk(event)


# ---- Time


@on_body(at_once=True)
async def stall(wire: Wire, event: bytes) -> None:
    """Silence, without heartbeats: the connection is open."""
    await wire.silence()


@on_events()
async def stall_heartbeat(wire: Wire, event: bytes) -> None:
    """Silence, but for a comment every second: the connection looks alive."""
    for _ in range(int(HOLD_SECONDS)):
        await trio.sleep(1)
        await wire.chunk(encode_comment("keep-alive"))
    raise CutOff


@on_body(lasting=True)
async def drip(wire: Wire, event: bytes) -> None:
    """From there on, one byte a second."""
    for place in range(len(event)):
        await trio.sleep(1)
        await wire.chunk(event[place : place + 1])


# ---- The head


@without_head
async def no_head(wire: Wire, event: bytes) -> None:
    """FIN before any byte of a reply."""
    raise CutOff


@without_head
async def hang(wire: Wire, event: bytes) -> None:
    """No byte of a reply: the connection is open."""
    await wire.silence()


@on_head
def early_hints(head: bytes) -> bytes:
    """`103 Early Hints` before the reply."""
    return b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n" + head


@on_head
def length_and_chunked(head: bytes) -> bytes:
    """`Content-Length: 5` together with `Transfer-Encoding: chunked`."""
    return head.removesuffix(b"\r\n") + b"Content-Length: 5\r\n\r\n"


@in_place_of
def json_200(reply: AnyReply) -> Reply:
    """Status 200 with an error in JSON, in place of the answer."""
    return Reply(_json({"error": ERROR}), 200, "application/json", reply.headers)


@in_place_of
def html_200(reply: AnyReply) -> Reply:
    """Status 200 with a page of HTML, in place of the answer: a proxy's, that wants a login."""
    page = "<!doctype html>\n<title>Sign in</title>\n<p>Please sign in to use this network.\n"
    return Reply(page, 200, "text/html; charset=utf-8", reply.headers)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
