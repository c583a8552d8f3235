"""Makes recordings for the table of verdicts, with and without faults.

ROWS["coalesced"]      its reads, how the connection ended, and the codes of its verdicts
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from protocol.chunked import encode_chunk
from workshop.xray.meter.measure import Meter

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
    """The head comes at once, then each piece in a separate chunk, at an even pace."""
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
    """About five events each 300 ms, each still in a chunk of its own."""
    borders = [0, 5, 11, 15, 20, 26, 30]
    chunks = [b"".join(map(encode_chunk, TOKENS[start:end])) for start, end in pairwise(borders)]
    for number, piece in enumerate(chunks):
        yield 500.0 + 300 * number, piece if number else HEAD + piece
    yield 2050.0, encode_chunk(LAST) + END


def lumps(
    sizes: Sequence[int], seconds: float, *, one_write: bool = True, head: bytes = HEAD
) -> Iterator[tuple[float, bytes]]:
    """So many events at a time, the first after this time. Each lump is one chunk, or each event
    is. Without chunks, the head says so."""
    yield 0.0, head
    number = 0
    for lump, size in enumerate(sizes, 1):
        events = [text(f"word{n} ") for n in range(number, number + size)]
        events += [LAST] * (lump == len(sizes))
        number += size
        pieces = [b"".join(events)] if one_write else events
        coded = b"".join(map(encode_chunk, pieces)) + END * (lump == len(sizes))
        yield 1000 * seconds * lump, coded if b"chunked" in head else b"".join(pieces)


def tls_blocks(size: int = 16_384) -> Iterator[tuple[float, bytes]]:
    """nginx with TLS: it fills a record, and each event is still in a chunk of its own."""
    events = map(encode_chunk, [*(text(f"word{n} ") for n in range(600)), LAST])
    body = HEAD + b"".join(events) + END
    for number, block in enumerate(blocks(body, size), 1):
        yield 4800.0 * number, block


def late_ends() -> Reads:
    """The blank line of each event arrives with the next event."""
    yield 0.0, HEAD
    left = b""
    for number, event in enumerate(TOKENS):
        yield 500 + PACE * number, encode_chunk(left + event[:-1])
        left = b"\n"
    yield 2100.0, encode_chunk(left + LAST) + END


def lagging() -> Reads:
    """Each event is held until the next one exists. So the role arrives alone, and the last text
    with the end."""
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


GZIP_HEAD = HEAD[:-2] + b"Content-Encoding: gzip\r\n\r\n"


def gzip_flushed(body: bytes) -> bytes:
    coder = zlib.compressobj(wbits=31)
    return coder.compress(body) + coder.flush(zlib.Z_SYNC_FLUSH) + coder.flush()


def gzip_reads(flush: bool) -> Reads:
    yield 0.0, GZIP_HEAD
    coder = zlib.compressobj(wbits=31)
    for number, event in enumerate(WHOLE):
        coded = coder.compress(event) + (coder.flush(zlib.Z_SYNC_FLUSH) if flush else b"")
        if coded:
            yield 500 + PACE * number, encode_chunk(coded)
    yield 2100.0, encode_chunk(coder.flush()) + END


def gzip_lumps(flush: bool) -> Reads:
    """A long answer whose text becomes readable three times."""
    yield 0.0, GZIP_HEAD
    coder = zlib.compressobj(wbits=31)
    for number in range(3):
        coded = b"".join(map(coder.compress, TOKENS))
        if flush:
            coded += coder.flush(zlib.Z_SYNC_FLUSH)
        else:  # the compressor's buffer is full
            coded += coder.flush(zlib.Z_PARTIAL_FLUSH)
        yield 1000.0 + 1000 * number, encode_chunk(coded)
    yield 4000.0, encode_chunk(coder.compress(LAST) + coder.flush()) + END


def heartbeats() -> Reads:
    yield from paced(TOKENS[:5], end=b"")
    for number in range(10):
        yield 1000.0 + 1000 * number, encode_chunk(b": keep-alive\n")


def stalled() -> Reads:
    yield from paced(TOKENS[:5], end=b"")
    yield 6000.0, b"".join(map(encode_chunk, TOKENS[5:26]))
    for number, event in enumerate(TOKENS[26:]):
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
