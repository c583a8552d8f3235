"""Faults of streams: each is a function of a few lines, with its bytes.

    healthy                                  rst-mid-chunk@2

    f\\r\\ndata: {"n":1}\\n\\n\\r\\n         f\\r\\ndata: {"n":1}\\n\\n\\r\\n
    f\\r\\ndata: {"n":2}\\n\\n\\r\\n         f\\r\\ndata: {                       and then RST
    0\\r\\n\\r\\n

`event` is the event at the fault's position. Bytes of it that the fault does not send are lost. The
rest of the answer follows unchanged, unless the fault ends it: `CutOff` closes or resets the
connection inside the body, `connection.end` ends the body too early.
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
    STREAM_FAULTS,
    AnyReply,
    in_place_of,
    on_body,
    on_events,
    on_head,
    without_head,
)
from .injection import HOLD_SECONDS, FaultyConnection

__all__ = ["STREAM_FAULTS"]

# ---- The connection ends inside the body


@on_body(at_once=True)
async def fin(connection: FaultyConnection, event: bytes) -> None:
    """The server sends FIN between two chunks, and the last chunk is missing."""
    raise CutOff


@on_body(cuts=True)
async def fin_mid_event(connection: FaultyConnection, event: bytes) -> None:
    """The server sends a complete chunk with half an event in it, then FIN."""
    half = connection.half(event)
    await connection.chunk(half)
    raise CutOff


@on_body(cuts=True)
async def fin_mid_chunk(connection: FaultyConnection, event: bytes) -> None:
    """The server sends half of the bytes that the chunk-size announced, then FIN."""
    half = connection.half(event)
    await connection.raw(b"%x\r\n%b" % (len(event), half))
    raise CutOff


@on_body(at_once=True)
async def rst(connection: FaultyConnection, event: bytes) -> None:
    """The server sends RST between two chunks."""
    raise CutOff(reset=True)


@on_body(cuts=True)
async def rst_mid_event(connection: FaultyConnection, event: bytes) -> None:
    """The server sends a complete chunk with half an event in it, then RST."""
    half = connection.half(event)
    await connection.chunk(half)
    raise CutOff(reset=True)


@on_body(cuts=True)
async def rst_mid_chunk(connection: FaultyConnection, event: bytes) -> None:
    """The server sends half of the bytes that the chunk-size announced, then RST."""
    half = connection.half(event)
    await connection.raw(b"%x\r\n%b" % (len(event), half))
    raise CutOff(reset=True)


@on_body(at=LAST)
async def no_last_chunk(connection: FaultyConnection, event: bytes) -> None:
    """The server sends the whole answer with its [DONE], then FIN without `0\\r\\n\\r\\n`."""
    await connection.chunk(event)
    raise CutOff


# ---- The body ends, but the answer has not


@on_events(at=LAST)
async def no_done(connection: FaultyConnection, event: bytes) -> None:
    """The response ends cleanly, but without its last event, [DONE]."""


@on_events()
async def clean_cut(connection: FaultyConnection, event: bytes) -> None:
    """The response ends cleanly in the middle, without finish_reason and [DONE]. This looks like
    success."""
    await connection.end()


@on_events()
async def bare_json(connection: FaultyConnection, event: bytes) -> None:
    """The server sends an error as a line of JSON without `data:`, then a clean end."""
    await connection.chunk(_json({"error": ERROR}) + b"\n\n")
    await connection.end()


# ---- Chunks


@on_body(cuts=True)
async def half_chunk(connection: FaultyConnection, event: bytes) -> None:
    """The server sends half of the bytes that the chunk-size announced. The connection stays
    open."""
    half = connection.half(event)
    await connection.raw(b"%x\r\n%b" % (len(event), half))
    await connection.silence()


@on_body()
async def bad_chunk_size(connection: FaultyConnection, event: bytes) -> None:
    """A chunk-size is not a number but `xyz`."""
    await connection.raw(b"xyz\r\n%b\r\n" % event)


@on_body(at=LAST)
async def after_end(connection: FaultyConnection, event: bytes) -> None:
    """The server sends bytes after the end of the body. The connection stays open."""
    await connection.end_raw(encode_chunk(event) + encode_last_chunk() + b"data: too late\n\n")


# ---- Errors after the head: an event, then FIN without the last chunk


@on_events()
async def error_nested(connection: FaultyConnection, event: bytes) -> None:
    """The server sends an error event, {"error":{…}} (on /v1/responses as in Open Responses), then
    FIN."""
    await connection.chunk_then_close(_error_event(connection, event, {"error": ERROR}))


@on_events()
async def error_flat(connection: FaultyConnection, event: bytes) -> None:
    """The server sends an error event {"code":…,"message":…} (on /v1/responses as OpenAI), then
    FIN."""
    fields = dict[str, object](code=ERROR.code, message=ERROR.message, param=ERROR.param)
    await connection.chunk_then_close(_error_event(connection, event, fields, named=True))


@on_events()
async def error_string(connection: FaultyConnection, event: bytes) -> None:
    """The server sends an error event with only a string, {"error":"…"}, then FIN."""
    await connection.chunk_then_close(_error_event(connection, event, {"error": ERROR.message}))


@on_events()
async def error_open(connection: FaultyConnection, event: bytes) -> None:
    """An error event, {"error":{…}}, then silence: the connection stays open."""
    await connection.chunk(_error_event(connection, event, {"error": ERROR}))
    await connection.silence()


ERROR = ErrorBody("The model failed: a simulated fault.", "server_error", None, "simulated")


def _error_event(
    connection: FaultyConnection, event: bytes, fields: dict[str, object], named: bool = False
) -> bytes:
    """An error event as the API of this stream writes it. The Responses API repeats the type of
    the `event` line in the data, and adds a sequence number."""
    if event.startswith(b"event:"):
        fields = {"type": "error", "sequence_number": connection.number - 1, **fields}
        named = True
    return (b"event: error\n" if named else b"") + b"data: %b\n\n" % _json(fields)


# ---- Bytes of events


@on_events()
async def broken_json(connection: FaultyConnection, event: bytes) -> None:
    """The event's JSON lacks its last character."""
    await connection.chunk(event.rstrip(b"\n")[:-1] + b"\n\n")


@on_events()
async def invalid_utf8(connection: FaultyConnection, event: bytes) -> None:
    """The event's text has a byte FF, which never occurs in UTF-8."""
    before, quote, text = event.rpartition(b'":"')  # of "content":"Hi", before Hi
    await connection.chunk(before + quote + b"\xff" + text)


@on_events()
async def giant_line(connection: FaultyConnection, event: bytes) -> None:
    """The event has a line of 4 MiB, mostly spaces between JSON tokens."""
    before, brace, after = event.partition(b"{")
    await connection.chunk(before + brace + b" " * (4 << 20) + after)


@on_events(lasting=True)
async def split_utf8_chunks(connection: FaultyConnection, event: bytes) -> None:
    """From this event on, each character of several bytes is split over two chunks."""
    for piece in INSIDE_CHARACTER.split(event):
        await connection.chunk(piece)


# Between the first byte of a character and the second: a lead byte (110xxxxx, 1110xxxx or
# 11110xxx) and a continuation byte (10xxxxxx).
INSIDE_CHARACTER = re.compile(rb"(?<=[\xc0-\xff])(?=[\x80-\xbf])")


@on_body(lasting=True)
async def split_utf8_segments(connection: FaultyConnection, event: bytes) -> None:
    """From this event on, each write has one byte, so characters and lines are split over TCP
    segments."""
    frame = encode_chunk(event)
    for index in range(len(frame)):
        await connection.raw(frame[index : index + 1])


@on_events(lasting=True)
async def cr(connection: FaultyConnection, event: bytes) -> None:
    """From this event on, lines end in CR."""
    await connection.chunk(event.replace(b"\n", b"\r"))


@on_events(lasting=True)
async def crlf(connection: FaultyConnection, event: bytes) -> None:
    """From this event on, lines end in CRLF."""
    await connection.chunk(event.replace(b"\n", b"\r\n"))


@on_events(at=FIRST)
async def bom(connection: FaultyConnection, event: bytes) -> None:
    """There is a byte order mark before the first event."""
    await connection.chunk(b"\xef\xbb\xbf" + event)


# ---- Lines that the format allows, but some clients do not accept


@on_events()
async def id_comment(connection: FaultyConnection, event: bytes) -> None:
    """An event with an `id:` is followed by a comment and a blank line, which confuses some
    parsers."""
    await connection.chunk(b"id: 1\n" + event)
    await connection.chunk(encode_comment("keep-alive") + b"\n")


@on_events(lasting=True)
async def comments(connection: FaultyConnection, event: bytes) -> None:
    """From there on, a comment before each event, as heartbeats are."""
    await connection.chunk(encode_comment("keep-alive"))
    await connection.chunk(event)


@on_events()
async def retry(connection: FaultyConnection, event: bytes) -> None:
    """Before the event, there is a block with only a `retry:` line."""
    await connection.chunk(b"retry: 3000\n\n")
    await connection.chunk(event)


@on_events()
async def empty_data(connection: FaultyConnection, event: bytes) -> None:
    """Before the event, there is another one with empty data."""
    await connection.chunk(b"data:\n\n")
    await connection.chunk(event)


@on_events()
async def duplicate(connection: FaultyConnection, event: bytes) -> None:
    """The event is sent twice."""
    await connection.chunk(event)
    await connection.chunk(event)


SEQUENCE_NUMBER = re.compile(rb'(?<="sequence_number":)[0-9]+')


@on_events(lasting=True)
async def keepalive_event(connection: FaultyConnection, event: bytes) -> None:
    """The server sends an event of the type `keepalive`, as /v1/responses does in a long
    silence."""
    if connection.number == connection.began:
        fields = {"type": "keepalive", "sequence_number": connection.number - 1}
        name = b"event: keepalive\n" if event.startswith(b"event:") else b""
        await connection.chunk(name + b"data: %b\n\n" % _json(fields))
    # It has taken a number, so the number of each later event is larger by one.
    await connection.chunk(SEQUENCE_NUMBER.sub(lambda found: b"%d" % (int(found[0]) + 1), event))


# ---- Time


@on_body(at_once=True)
async def stall(connection: FaultyConnection, event: bytes) -> None:
    """The server sends nothing more, not even heartbeats. The connection stays open."""
    await connection.silence()


@on_events()
async def stall_heartbeat(connection: FaultyConnection, event: bytes) -> None:
    """The server sends only a comment every second, so the connection looks alive."""
    for _ in range(int(HOLD_SECONDS)):
        await trio.sleep(1)
        await connection.chunk(encode_comment("keep-alive"))
    raise CutOff


@on_events(at=LAST)
async def open_after_finish(connection: FaultyConnection, event: bytes) -> None:
    """The server sends the whole answer with its finish_reason, but no [DONE]. The connection stays
    open."""
    if not event.startswith(b"data: [DONE]"):  # /v1/responses ends with an event of its own
        await connection.chunk(event)
    await connection.silence()


@on_events(at=LAST)
async def open_after_done(connection: FaultyConnection, event: bytes) -> None:
    """The whole answer with its [DONE], but no last chunk: the connection stays open."""
    await connection.chunk(event)
    await connection.silence()


@on_body(lasting=True)
async def drip(connection: FaultyConnection, event: bytes) -> None:
    """From this event on, the server sends one byte a second."""
    for index in range(len(event)):
        await trio.sleep(1)
        await connection.chunk(event[index : index + 1])


# ---- The head


@without_head
async def no_head(connection: FaultyConnection, event: bytes) -> None:
    """The server sends FIN before any byte of a reply."""
    raise CutOff


@without_head
async def hang(connection: FaultyConnection, event: bytes) -> None:
    """The server sends no byte of a reply. The connection stays open."""
    await connection.silence()


@on_head
def early_hints(head: bytes) -> bytes:
    """The server sends `103 Early Hints` before the reply."""
    return b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n" + head


@on_head
def length_and_chunked(head: bytes) -> bytes:
    """The head has both `Content-Length: 5` and `Transfer-Encoding: chunked`."""
    return head.removesuffix(b"\r\n") + b"Content-Length: 5\r\n\r\n"


@in_place_of
def json_200(reply: AnyReply) -> Reply:
    """The server sends status 200 with an error in JSON, in place of the answer."""
    return Reply(_json({"error": ERROR}), 200, "application/json", reply.headers)


@in_place_of
def html_200(reply: AnyReply) -> Reply:
    """The server sends status 200 with an HTML page in place of the answer, as a login page
    does."""
    page = "<!doctype html>\n<title>Sign in</title>\n<p>Please sign in to use this network.\n"
    return Reply(page, 200, "text/html; charset=utf-8", reply.headers)


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
