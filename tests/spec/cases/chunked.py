"""chunked.*: the framing of a streamed body (RFC 9112 §7.1), as the server writes and reads it.

    1a CRLF          size-is-hex, lines-end-in-crlf
    data: … LF LF    size-is-bytes
    CRLF
    0 CRLF CRLF      ends-with-last-chunk, nothing-after-the-end

The first cases judge the shared answer. The others send a chunked body to the path that streams,
because a server that never reads a body cannot refuse one.
"""

from typing import NamedTuple

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError

from ..answer import Answer
from ..case import CUSTOM, MUST, SHOULD, Failed, Skipped, case
from ..reaction import REFUSALS, Reaction, react
from ..target import Target

GRAMMAR = (
    "When a server … receives a sequence of octets that does not match the HTTP-message grammar …,"
    " the server SHOULD respond with a 400 (Bad Request) response and close the connection."
)


class Fault(NamedTuple):
    """Where a chunked body breaks its grammar.

    Args:
        kind: "data" (after the data of a chunk), "line-end", "size", "unfinished" or "".
        at: Offset of the byte in the response.
    """

    kind: str
    at: int


async def chunked_answer(target: Target) -> Answer:
    answer = await target.success()
    if not answer.chunked:
        raise Skipped("the answer is not chunked")
    return answer


def fault_of(answer: Answer) -> Fault:
    """Find the first fault of a chunked body."""
    if not answer.error:  # a stream that has not ended yet has no fault so far
        return Fault("unfinished" if answer.end else "", len(answer.raw))
    labels = [""]
    decoder = ChunkedDecoder(observer=lambda label, start, end: labels.append(label))
    body = bytes(answer.raw[len(answer.raw_head) :])
    try:
        decoder.receive_data(body)
    except DecodeError as error:
        at = len(answer.raw_head) + error.offset
        if labels[-1] == "chunk-data":
            return Fault("data", at)
        return Fault("line-end" if bytes(answer.raw[at : at + 1]) in (b"\n", b"\r") else "size", at)
    return Fault("unfinished", len(answer.raw))


# ---- What the server writes


@case(
    "chunked.ends-with-last-chunk",
    MUST,
    "RFC 9112 §8",
    "A message body that uses the chunked transfer coding is incomplete if the zero-sized chunk"
    " that terminates the encoding has not been received.",
    code="protocol/chunked.py: def encode_last_chunk",
    lesson=3,
    cause="An exception in the generator of the stream ended it: look into the log of the server,"
    " catch it, and send it as an event. If your code writes the chunks: send the last one,"
    " 0 CRLF CRLF, when the generator ends.",
)
async def ends_with_last_chunk(target: Target) -> None:
    answer = await chunked_answer(target)
    fault = fault_of(answer)
    if fault.kind == "unfinished":
        raise Failed("The body ends without the last chunk.", answer, at=fault.at)


@case(
    "chunked.size-is-bytes",
    MUST,
    "RFC 9112 §7.1",
    "The chunk-size field is a string of hex digits indicating the size of the chunk-data in"
    " octets.",
    code="protocol/chunked.py: def encode_chunk",
    lesson=3,
    cause="Encode the text first, and count its bytes: 你 is one character and three bytes. Write"
    " the size in hexadecimal.",
)
async def size_is_bytes(target: Target) -> None:
    answer = await chunked_answer(target)
    fault = fault_of(answer)
    if fault.kind == "data":
        raise Failed("A chunk does not end where its size says.", answer, at=fault.at)


@case(
    "chunked.size-is-hex",
    MUST,
    "RFC 9112 §7.1",
    "chunk-size = 1*HEXDIG",
    code="protocol/chunked.py: PLAIN_SIZE_LINE",
    lesson=3,
    cause="Write the size with hexadecimal digits only: no 0x, no space, no sign.",
)
async def size_is_hex(target: Target) -> None:
    answer = await chunked_answer(target)
    fault = fault_of(answer)
    if fault.kind == "size":
        raise Failed("A chunk-size line is not hexadecimal digits.", answer, at=fault.at)


@case(
    "chunked.lines-end-in-crlf",
    MUST,
    "RFC 9112 §7.1",
    "chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF",
    code="protocol/chunked.py: class ChunkedDecoder",
    lesson=3,
    cause="End each line of the framing with CRLF, not with LF alone.",
)
async def lines_end_in_crlf(target: Target) -> None:
    answer = await chunked_answer(target)
    fault = fault_of(answer)
    if fault.kind == "line-end":
        raise Failed("A line of the framing does not end in CRLF.", answer, at=fault.at)


@case(
    "chunked.nothing-after-the-end",
    MUST,
    "RFC 9112 §7.1",
    "chunked-body = *chunk last-chunk trailer-section CRLF",
    code="protocol/chunked.py: if not data:",
    lesson=3,
    cause="An empty piece was encoded as a chunk: 0 CRLF CRLF ends the body. Do not send it.",
)
async def nothing_after_the_end(target: Target) -> None:
    await chunked_answer(target)
    await target.whole()
    async with target.wire() as wire:
        await wire.send(target.request())
        again = await wire.answer(seconds=10, method=target.method)
        if not again.complete:
            raise Skipped("the body does not end")
        pace = target.pace_of(again)
        await wire.ends(seconds=max(0.3, 3 * pace.longest))
        if wire.unread:
            end = len(again.raw)
            again.raw += wire.unread
            again.reads.append(again.read_of(wire.unread))
            raise Failed("Bytes follow the end of the body.", again, at=end)


@case(
    "chunked.without-content-length",
    MUST,
    "RFC 9112 §6.2",
    "A sender MUST NOT send a Content-Length header field in any message that contains a"
    " Transfer-Encoding header field.",
    code="protocol/http1.py: both Transfer-Encoding and Content-Length",
    lesson=3,
)
async def without_content_length(target: Target) -> None:
    answer = await target.success()
    if answer.field("transfer-encoding") and answer.field("content-length"):
        at = answer.raw.lower().find(b"content-length")
        raise Failed("The head has Transfer-Encoding and Content-Length.", answer, at=at)


@case(
    "chunked.applied-once",
    MUST,
    "RFC 9112 §6.1",
    "A sender MUST NOT apply the chunked transfer coding more than once to a message body.",
    code="protocol/http1.py: the chunked coding applied twice",
    lesson=3,
    cause="A framework and its server, or a proxy, both add Transfer-Encoding: leave it to one.",
)
async def applied_once(target: Target) -> None:
    answer = await target.success()
    codings = answer.field("transfer-encoding").lower().replace(" ", "").split(",")
    if codings.count("chunked") > 1:
        at = answer.raw.lower().find(b"transfer-encoding")
        raise Failed("The head names the chunked coding more than once.", answer, at=at)


@case(
    "chunked.trailers-without-framing",
    MUST,
    "RFC 9110 §6.5.1",
    "A sender MUST NOT generate a trailer field unless the sender knows the corresponding header"
    " field name's definition permits sending that field in trailers.",
    code="protocol/chunked.py: def encode_last_chunk",
    lesson=3,
)
async def trailers_without_framing(target: Target) -> None:
    answer = await chunked_answer(target)
    names = {name.lower() for name, _ in answer.trailers}
    if not names:
        raise Skipped("the answer has no trailer section")
    forbidden = names & {b"content-length", b"transfer-encoding", b"host", b"content-type"}
    if forbidden:
        found = sorted(name.decode() for name in forbidden)
        raise Failed(f"The trailer section has {', '.join(found)}.", answer, at=len(answer.raw) - 2)


# ---- What the server reads


def chunks(target: Target, framing: bytes = b"") -> bytes:
    """The request that streams with a chunked body; `framing` in place of the usual chunks."""
    body = target.body
    size = b"%x\r\n" % len(body)
    usual = size + body + b"\r\n0\r\n\r\n" if body else b"5\r\nhello\r\n0\r\n\r\n"
    fields = [("Transfer-Encoding", "chunked")]
    head = target.request(headers=fields, body=b"")
    if body and b"content-type:" not in head.lower():
        head = head[:-2] + b"Content-Type: application/json\r\n\r\n"
    return head + (framing or usual)


async def refuses(target: Target, framing: bytes, what: str) -> Reaction:
    """Send this framing. It must be refused, or at least nothing that follows may be answered."""
    usual = await target.success()
    pace = target.pace_of(usual)
    seconds = max(4.0, 2 * pace.first + 4 * pace.longest)
    data = chunks(target, framing)
    reaction = await react(target, data, seconds=seconds, whole=usual.complete)
    if reaction.is_refused or not reaction.statuses:
        return reaction
    if len(reaction.statuses) > 1 or (target.body and reaction.statuses[0] < 400):
        raise Failed(f"The server accepted {what}.", reaction.first, came=reaction.words)
    return reaction


async def reads(target: Target, request: bytes, what: str, *, torn: bool = False) -> None:
    """Send a chunked request. It must be answered as the usual one is."""
    usual = await target.success()
    pace = await target.pace()
    async with target.wire() as wire:
        head, _, body = request.partition(b"\r\n\r\n")
        pieces = [head + b"\r\n\r\n"] + [body[i : i + 1] for i in range(len(body))]
        if torn and len(pieces) > 400:
            pieces = [*pieces[:400], b"".join(pieces[400:])]
        for piece in pieces if torn else [request]:
            await wire.send(piece)
        answer = Answer(request, target.method)
        await wire.read(answer, seconds=10 + 2 * pace.first, pieces=1)
    if answer.status in (411, 501) and not torn:
        raise Skipped(f"the server does not take chunked requests here (status {answer.status})")
    if answer.status != usual.status:
        shown = f"answered with {answer.status}" if answer.status else "not answered"
        raise Failed(f"{what} was {shown}; with a length, {usual.status}.", answer, at=0)


@case(
    "chunked.request-is-read",
    MUST,
    "RFC 9112 §7.1",
    "A recipient MUST be able to parse and decode the chunked transfer coding.",
    code="protocol/http1.py: def body_decoder",
    lesson=3,
)
async def request_is_read(target: Target) -> None:
    await reads(target, chunks(target), "A request with a chunked body")


@case(
    "chunked.request-may-be-torn",
    CUSTOM,
    "RFC 9293 §3.8",
    "TCP carries bytes, not messages: a chunk may come byte by byte, in any number of reads.",
    code="protocol/chunked.py: cut anywhere",
    lesson=3,
)
async def request_may_be_torn(target: Target) -> None:
    await request_is_read(target)
    await reads(target, chunks(target), "The same chunks, byte by byte,", torn=True)


@case(
    "chunked.request-extensions-ignored",
    MUST,
    "RFC 9112 §7.1.1",
    "A recipient MUST ignore unrecognized chunk extensions.",
    code="protocol/chunked.py: chunk-ext",
    lesson=3,
)
async def request_extensions_ignored(target: Target) -> None:
    body = target.body or b"hello"
    framing = b'%x;spec=1;name="a b"\r\n%b\r\n0\r\n\r\n' % (len(body), body)
    await request_is_read(target)
    await reads(target, chunks(target, framing), "A chunk with extensions")


@case(
    "chunked.request-trailers-read",
    MUST,
    "RFC 9112 §7.1.2",
    "A recipient that removes the chunked coding from a message MAY selectively retain or discard"
    " the received trailer fields.",
    code="protocol/chunked.py: TRAILER_START",
    lesson=3,
)
async def request_trailers_read(target: Target) -> None:
    body = target.body or b"hello"
    framing = b"%x\r\n%b\r\n0\r\nX-Spec: 1\r\n\r\n" % (len(body), body)
    await request_is_read(target)
    await reads(target, chunks(target, framing), "A body with a trailer field")


@case(
    "chunked.request-size-not-hex",
    SHOULD,
    "RFC 9112 §2.2",
    GRAMMAR,
    code="protocol/chunked.py: expected {self._state.value}",
    lesson=3,
    cause="The size was read by a lenient function: int() accepts 0x5, +5, 0_5 and spaces.",
)
async def request_size_not_hex(target: Target) -> None:
    for size in (b"0x5", b"+5", b"0_5"):
        text = size.decode()
        await refuses(target, size + b"\r\nhello\r\n0\r\n\r\n", f"the chunk-size {text!r}")


@case(
    "chunked.request-size-huge",
    MUST,
    "RFC 9112 §7.1",
    "Recipients MUST anticipate potentially large hexadecimal numerals and prevent parsing errors"
    " due to integer conversion overflows or precision loss due to integer representation.",
    code="protocol/chunked.py: the chunk-size is larger than the limit",
    lesson=3,
    cause="The size was cut to 32 or 64 bits: compare its length before you convert it.",
)
async def request_size_huge(target: Target) -> None:
    for size in (b"100000005", b"10000000000000005"):
        text = size.decode()
        await refuses(target, size + b"\r\nhello\r\n0\r\n\r\n", f"{text} for the size 5")


@case(
    "chunked.request-data-too-long",
    SHOULD,
    "RFC 9112 §2.2",
    GRAMMAR,
    code="protocol/chunked.py: DATA_CR",
    lesson=3,
    cause="The two bytes after the data were skipped without a look. They must be CRLF.",
)
async def request_data_too_long(target: Target) -> None:
    await refuses(target, b"5\r\nhelloXX\r\n0\r\n\r\n", "data that is longer than its chunk-size")
    await refuses(target, b"5\r\nhelloXX0\r\n\r\n", "two other bytes where CRLF must be")


@case(
    "chunked.request-bare-lf",
    SHOULD,
    "RFC 9112 §2.2",
    GRAMMAR,
    code="protocol/chunked.py: class ChunkedDecoder",
    lesson=3,
    cause="A chunk line ended in LF alone (errata 7633: only CRLF ends it). Two hops that disagree"
    " about it can be made to see two requests.",
)
async def request_bare_lf(target: Target) -> None:
    await refuses(target, b"5\nhello\r\n0\r\n\r\n", "a chunk-size line that ends in LF")
    await refuses(target, b"5;a\nhello\r\n0\r\n\r\n", "a chunk extension that ends in LF")


@case(
    "chunked.request-unfinished",
    MUST,
    "RFC 9112 §8",
    "A message body that uses the chunked transfer coding is incomplete if the zero-sized chunk"
    " that terminates the encoding has not been received.",
    code="protocol/chunked.py: def receive_eof",
    lesson=3,
    cause="The end of the connection was taken for the end of the body.",
)
async def request_unfinished(target: Target) -> None:
    if not target.body:
        raise Skipped("the request that streams has no body, so it may be answered before it ends")
    await target.success()
    framing = b"%x\r\n%b\r\n" % (len(target.body), target.body)
    async with target.wire() as wire:
        await wire.send(chunks(target, framing))
        await wire.send_eof()
        answer = await wire.answer(seconds=5, method=target.method)
    if answer.head and answer.status < 400 and answer.status not in REFUSALS:
        raise Failed("A body without its last chunk was taken for complete.", answer, at=0)
