"""Recordings for the table of verdicts: how each fault looks, and healthy streams beside it.

ROWS["coalesced"]      its reads, how the connection ended, and the codes of its verdicts
"""

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from protocol.chunked import encode_chunk
from workshop.xray.measure import Meter

from .healthy import HEAD

END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"
Reads = Iterable[tuple[float, bytes]]


def data(value: object) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(value)


def text(content: str, **more: object) -> bytes:
    """An event of a chat completion."""
    return data({"choices": [{"index": 0, "delta": {"content": content, **more}}]})


def finish(reason: str = "stop") -> bytes:
    return data({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})


def response(number: int, name: str, **more: object) -> bytes:
    """An event of the Responses API."""
    body = {"type": f"response.{name}", "sequence_number": number, **more}
    return b"event: response.%b\n" % name.encode() + data(body)


TOKENS = [text(f"word{number} ") for number in range(30)]
LAST = finish() + DONE
PACE = 50.0


def paced(
    pieces: Sequence[bytes], *, start: float = 500.0, end: bytes = END, head: bytes = HEAD
) -> list[tuple[float, bytes]]:
    """The head at once, then each piece in a chunk of its own, at an even pace."""
    reads = [(0.0, head)]
    reads += [(start + PACE * number, encode_chunk(piece)) for number, piece in enumerate(pieces)]
    at, last = reads.pop()
    return [*reads, (at, last + end)]


def meter_of(reads: Reads, end: str = "", wait: float = 0.0, **options: Any) -> Meter:
    meter = Meter(**options)
    at = 0.0
    for at, piece in reads:
        meter.receive_data(at, piece)
    if end:
        meter.receive_end(at + wait, end)  # type: ignore[arg-type]
    return meter


def plain_head(*fields: str, version: str = "1.1", status: str = "200 OK") -> bytes:
    lines = [f"HTTP/{version} {status}", *fields, "", ""]
    return "\r\n".join(lines).encode()


STREAM = "Content-Type: text/event-stream"
JSON = "Content-Type: application/json"
WHOLE = [*TOKENS, LAST]
BODY = b"".join(WHOLE)


def blocks(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def coalesced_reads() -> Reads:
    """Five events each 300 ms, each still in a chunk of its own."""
    chunks = [b"".join(map(encode_chunk, TOKENS[start : start + 5])) for start in range(0, 30, 5)]
    for number, piece in enumerate(chunks):
        yield 500.0 + 300 * number, piece if number else HEAD + piece
    yield 2050.0, encode_chunk(LAST) + END


def late_ends() -> Reads:
    """The blank line of each event comes with the next event."""
    yield 0.0, HEAD
    left = b""
    for number, event in enumerate(TOKENS):
        yield 500 + PACE * number, encode_chunk(left + event[:-1])
        left = b"\n"
    yield 2100.0, encode_chunk(left + LAST) + END


def lagging() -> Reads:
    """Each event comes with the next one: the role alone, and the last text with the end."""
    role = text("", role="assistant")
    pieces = [role, *TOKENS[:-1], TOKENS[-1] + LAST]
    return paced(pieces)


def in_two_writes() -> Reads:
    """The end of each chunk waits 40 ms for an acknowledgment."""
    yield 0.0, HEAD
    for number, event in enumerate(TOKENS):
        chunk = encode_chunk(event)
        yield 500.0 + 100 * number, chunk[:20]
        yield 541.0 + 100 * number, chunk[20:]
    yield 4000.0, encode_chunk(LAST) + END


def gzip_reads(flush: bool) -> Reads:
    yield 0.0, HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    coder = zlib.compressobj(wbits=31)
    for number, event in enumerate(WHOLE):
        coded = coder.compress(event) + (coder.flush(zlib.Z_SYNC_FLUSH) if flush else b"")
        if coded:
            yield 500 + PACE * number, encode_chunk(coded)
    yield 2100.0, encode_chunk(coder.flush()) + END


def heartbeats() -> Reads:
    yield from paced(TOKENS[:5], end=b"")
    for number in range(10):
        yield 1000.0 + 1000 * number, encode_chunk(b": keep-alive\n")


def stalled() -> Reads:
    yield from paced(TOKENS[:10], end=b"")
    yield 6000.0, b"".join(map(encode_chunk, TOKENS[10:22]))
    for number, event in enumerate(TOKENS[22:]):
        yield 6050 + PACE * number, encode_chunk(event)
    yield 7000.0, encode_chunk(LAST) + END


def message(name: str, **fields: object) -> bytes:
    """An event of Anthropic's API."""
    return b"event: %b\n" % name.encode() + data({"type": name, **fields})


MESSAGES = [
    message("message_start", message={"role": "assistant", "content": []}),
    message("ping"),
    *(
        message("content_block_delta", delta={"type": "text_delta", "text": f"w{number} "})
        for number in range(20)
    ),
    message("message_delta", delta={"stop_reason": "end_turn"}),
    message("message_stop"),
]
Row = tuple[Reads, str, list[str]]
RESPONSES = [
    response(0, "created"),
    response(1, "in_progress"),
    *(response(n, "output_text.delta", delta=f"w{n} ") for n in range(2, 30)),
    response(30, "completed"),
]
ROWS: dict[str, Row] = {
    "not-a-stream": ([(0, plain_head(JSON, "Content-Length: 2") + b"{}")], "", ["not-a-stream"]),
    "an error status": (
        [(0, plain_head(STREAM, "Content-Length: 0", status="429 Too Many"))],
        "",
        ["not-a-stream"],
    ),
    "framing-error": ([*paced(TOKENS[:5], end=b"xyz\r\n")], "", ["framing-error"]),
    "after the end": ([*paced(WHOLE), (3000, b"data: x\n\n")], "", ["framing-error"]),
    "cut-application": (
        paced([*TOKENS[:9], data({"error": {"message": "overloaded"}})], end=b""),
        "fin",
        ["cut-application"],
    ),
    "a lost data:": (
        paced([*TOKENS, finish()[6:], data({"choices": [], "usage": {}}), DONE]),
        "",
        ["rewritten"],
    ),
    "a lost event": (paced(RESPONSES[:9] + RESPONSES[10:]), "", ["rewritten"]),
    "a lost event line": (
        paced([event.partition(b"\n")[2] for event in RESPONSES]),
        "",
        ["rewritten"],
    ),
    "the role again": (
        paced([text("", role="assistant"), *TOKENS[:5], text("", role="assistant"), *WHOLE]),
        "",
        ["retried"],
    ),
    "an id again": (
        paced([b"id: %d\ndata: {}\n\n" % number for number in (1, 2, 3, 1, 2, 3, 4)]),
        "",
        ["retried"],
    ),
    "created again": (paced(RESPONSES[:5] + RESPONSES), "", ["retried"]),
    "an event twice": (paced(RESPONSES[:5] + RESPONSES[4:]), "", ["retried"]),
    "a bare error": (
        paced([*TOKENS[:5], b'{"error":{"message":"x"}}\n\n']),
        "",
        ["bad-events", "cut-clean"],
    ),
    "broken JSON": (paced([*TOKENS, b'data: {"a":\n\n', LAST]), "", ["bad-events"]),
    "data that is not JSON": (paced([*TOKENS, b"data: ok\n\n", LAST]), "", ["bad-events"]),
    "a stray text": (
        paced([*TOKENS[:5], b"Error occurred while trying to proxy: h\n\n"]),
        "",
        ["bad-events", "cut-clean"],
    ),
    "a BOM": (paced([b"\xef\xbb\xbf" + TOKENS[0], *TOKENS[1:], LAST]), "", ["bad-events"]),
    "CR": (paced([event.replace(b"\n", b"\r") for event in WHOLE]), "", ["bad-events"]),
    "id and comment": (
        paced([b"id: 1\n" + TOKENS[0], b": ping\n\n", *TOKENS[1:], LAST]),
        "",
        ["bad-events"],
    ),
    "empty data": (paced([*TOKENS, b"data:\n\n", LAST]), "", ["bad-events"]),
    "retry alone": (paced([b"retry: 9\n\n", *WHOLE]), "", ["bad-events"]),
    "cut-clean": (paced(TOKENS[:9]), "", ["cut-clean"]),
    "without [DONE]": (paced([*TOKENS, finish()]), "", ["cut-clean"]),
    "empty": ([(3.0, HEAD + END)], "", ["cut-clean"]),
    "cut-transport": (paced(TOKENS[:9], end=b""), "fin", ["cut-transport"]),
    "reset": (paced(TOKENS[:9], end=b"5\r\nda"), "reset", ["cut-transport"]),
    "after [DONE]": (paced(WHOLE, end=b""), "truncated", ["cut-transport"]),
    "no head": ([(5.0, b"HTTP/1.1 2")], "fin", ["cut-transport"]),
    "only a head": ([(5.0, HEAD)], "fin", ["cut-transport"]),
    "measured": (
        [(3500, plain_head(STREAM, f"Content-Length: {len(BODY)}") + BODY)],
        "",
        ["measured", "buffered-whole", "head-held"],
    ),
    "an ETag": (paced(WHOLE, head=HEAD[:-2] + b'ETag: "1"\r\n\r\n'), "", ["measured"]),
    "compressed-unflushed": (list(gzip_reads(flush=False)), "", ["compressed-unflushed"]),
    "buffered-whole": ([(0, HEAD), (3500, encode_chunk(BODY) + END)], "", ["buffered-whole"]),
    "whole, in many chunks": (
        [(3500, HEAD + b"".join(map(encode_chunk, WHOLE)) + END)],
        "",
        ["buffered-whole", "head-held"],
    ),
    "buffered-blocks": (paced(blocks(BODY, 500), start=800), "", ["buffered-blocks"]),
    "blocks, the first smaller": (
        [
            (2000, HEAD + encode_chunk(BODY[:930])),
            (4000, encode_chunk(BODY[930:1930])),
            (6000, encode_chunk(BODY[1930:]) + END),
        ],
        "",
        ["buffered-blocks"],
    ),
    "coalesced": (list(coalesced_reads()), "", ["coalesced"]),
    "ends come late": (list(late_ends()), "", ["one-behind"]),
    "one-behind": (lagging(), "", ["one-behind"]),
    "burst-after-stall": (list(stalled()), "", ["burst-after-stall"]),
    "head-held": (
        [(600, HEAD + encode_chunk(TOKENS[0])), *paced(WHOLE[1:], start=650)[1:]],
        "",
        ["head-held"],
    ),
    "invalid UTF-8": (
        paced([*TOKENS, text("é").replace(b"\xc3", b""), LAST]),
        "",
        ["torn-characters"],
    ),
    "U+FFFD at a border": (
        paced([*TOKENS, text("a\ufffd"), text("\ufffdb"), LAST]),
        "",
        ["torn-characters"],
    ),
    "chunks inside characters": (
        paced([*TOKENS, text("é")[:-8], text("é")[-8:], LAST]),
        "",
        ["torn-characters"],
    ),
    "nagle": (list(in_two_writes()), "", ["nagle"]),
    "length-limit": (paced([*TOKENS, finish("length") + DONE]), "", ["length-limit"]),
    "http10": (
        [
            (0.0, plain_head(STREAM, version="1.0")),
            *((500 + PACE * n, e) for n, e in enumerate(WHOLE)),
        ],
        "fin",
        ["http10"],
    ),
    "until-close": (
        [(0.0, plain_head(STREAM)), *((500 + PACE * n, e) for n, e in enumerate(WHOLE))],
        "fin",
        ["until-close"],
    ),
    "stall-behind-heartbeats": (list(heartbeats()), "", ["stall-behind-heartbeats"]),
    # Healthy.
    "live": (paced(WHOLE), "", ["live"]),
    "Responses": (paced(RESPONSES), "", ["live"]),
    "gzip, flushed": (list(gzip_reads(flush=True)), "", ["live"]),
    "comments and blank lines": (
        paced([TOKENS[0], b": ping\n\n", *TOKENS[1:], LAST]),
        "",
        ["live"],
    ),
    "CRLF": (paced([event.replace(b"\n", b"\r\n") for event in WHOLE]), "", ["live"]),
    "a text about U+FFFD": (paced([*TOKENS, text("\ufffd"), text(" is"), LAST]), "", ["live"]),
    "a refrain": (paced([*TOKENS[:12], *TOKENS[:12], *TOKENS[:12], LAST]), "", ["live"]),
    "the role in each delta": (
        paced([*(text(f"w{n}", role="assistant") for n in range(9)), LAST]),
        "",
        ["live"],
    ),
    "three tokens at once": (
        [(0, HEAD), (900, encode_chunk(b"".join(TOKENS[:3]) + LAST) + END)],
        "",
        ["live"],
    ),
    "instant": ([(2, HEAD + b"".join(map(encode_chunk, WHOLE)) + END)], "", ["live"]),
    "other events": (paced([b"data: %d\n\n" % number for number in range(9)]), "", ["live"]),
    "Anthropic": (paced(MESSAGES), "", ["live"]),
    "Anthropic, cut": (paced(MESSAGES[:9]), "", ["cut-clean"]),
    "a second message": (
        [
            *paced([text("", role="assistant"), *TOKENS[:9], finish("tool_calls")], end=b""),
            *paced([text("", role="assistant"), *TOKENS, LAST], start=1100)[1:],
        ],
        "",
        ["live"],
    ),
    "a file": (
        [(900, plain_head("Content-Type: text/plain", "Content-Length: 900") + b"x" * 900)],
        "",
        ["live"],
    ),
    "a plain text, held": (
        [(0, plain_head("Transfer-Encoding: chunked")), (3000, encode_chunk(b"word " * 90) + END)],
        "",
        ["buffered-whole"],
    ),
    "a plain text in blocks": (
        [
            (0, plain_head("Content-Type: text/plain", "Transfer-Encoding: chunked")),
            *paced([b"word wor"] * 9 + [b"d"])[1:],
        ],
        "",
        ["buffered-blocks"],
    ),
    "a plain text": (
        [
            (0, plain_head("Content-Type: text/plain", "Transfer-Encoding: chunked")),
            *paced([b"some ", b"words ", b"of ", b"a ", b"text"])[1:],
        ],
        "",
        ["live"],
    ),
    # Not enough to judge.
    "nothing yet": ([(0, HEAD)], "", ["unsure"]),
    "an event twice, without a number": (
        paced([*TOKENS[:5], *TOKENS[4:], LAST]),
        "",
        ["unsure", "retried"],
    ),
}
