r"""conn.*: the life of a connection around a stream: before it, after it, and from one side only.

GET /stream …          -> the stream -> the end      keep-alive-after-stream
GET /stream … FIN      -> the stream -> the end      half-close-at-once: printf … | nc -N
GET /a … GET /b …      -> a, then b                  pipelined-in-order
Expect: 100-continue   -> 100, or the final answer   expect-continue
"""

import trio

from ..answer import Answer
from ..case import CUSTOM, MUST, SHOULD, Failed, Skipped, case
from ..reaction import PLAIN, plain_request, plain_status, react
from ..target import Target
from ..wire import Wire

HALF_CLOSE = (
    "A FIN says that the peer will send no more, not that it has stopped reading (RFC 9293 §3.6):"
    " only a failed write tells. Many servers treat it as a disconnect, and cut off every client"
    " that half-closes, such as printf … | nc -N."
)


def announces_close(answer: Answer) -> bool:
    return "close" in answer.field("connection").lower()


async def whole(target: Target, wire: Wire) -> Answer:
    """Read the rest of a stream with a wait that fits the measured pace."""
    pace = await target.pace()
    return await wire.answer(seconds=5 + 3 * max(pace.first, pace.longest), method=target.method)


@case(
    "conn.keep-alive-after-stream",
    MUST,
    "RFC 9112 §9.3",
    'A server that does not support persistent connections MUST send the "close" connection'
    " option in every response message that does not have a 1xx (Informational) status code.",
    code="protocol/http1.py: def keeps_alive",
    lesson=3,
    cause="The server closes after a stream, and did not announce it with Connection: close.",
)
async def keep_alive_after_stream(target: Target) -> None:
    await target.whole()
    async with target.wire() as wire:
        await wire.send(target.request())
        stream = await whole(target, wire)
        if not stream.complete:
            raise Skipped("the stream does not end as its framing says")
        if announces_close(stream) or stream.end:
            if stream.chunked and not announces_close(stream):
                raise Failed("The connection was closed without Connection: close.", stream)
            raise Skipped("the response announces the close of the connection")
        await wire.send(plain_request(target, "Connection: close"))
        answer = await wire.answer(seconds=5)
    if not answer.status:
        raise Failed(
            "After the stream the connection does not answer a second request.",
            stream,
            came=f"second request: {answer.end or answer.error or 'nothing'}",
        )


@case(
    "conn.persists",
    SHOULD,
    "RFC 9112 §9.3",
    "HTTP implementations SHOULD support persistent connections.",
    code="protocol/http1.py: def keeps_alive",
    lesson=3,
    cause="Every stream costs a new connection, with TLS two or three round trips more.",
)
async def persists(target: Target) -> None:
    answer = await target.success()
    if answer.chunked and announces_close(answer):
        raise Failed("A chunked stream closes its connection.", answer, at=0)
    if not answer.chunked:
        raise Skipped("the stream has no end but the end of the connection")


@case(
    "conn.close-is-honoured",
    MUST,
    "RFC 9112 §9.6",
    'A server that receives a "close" connection option MUST initiate closure of the connection'
    ' … after it sends the final response to the request that contained the "close" connection'
    " option.",
    code="servers/http/connection.py: self._keep_alive &= head.keeps_alive",
    lesson=3,
)
async def close_is_honoured(target: Target) -> None:
    await plain_status(target)
    reaction = await react(target, plain_request(target, "Connection: close"), follow=False)
    if reaction.statuses and not reaction.end:
        raise Failed("After Connection: close the connection stays open.", reaction.first)


@case(
    "conn.close-is-announced",
    SHOULD,
    "RFC 9112 §9.6",
    'The server SHOULD send a "close" connection option in its final response on that connection.',
    code="servers/http/reply_head.py: Connection: close",
    lesson=3,
)
async def close_is_announced(target: Target) -> None:
    await plain_status(target)
    request = plain_request(target, "Connection: close")
    answer = await target.once("plain", request)
    if answer.status and not announces_close(answer):
        raise Failed("The response to Connection: close does not say so.", answer, at=0)


# ---- Half-close


@case(
    "conn.half-close-at-once",
    CUSTOM,
    "RFC 9293 §3.6",
    "The user who CLOSEs may continue to RECEIVE until the TCP receives that the remote peer has"
    " CLOSED also.",
    code="servers/http/connection.py: A FIN from the client may be a half-close",
    lesson=7,
    cause=HALF_CLOSE,
    warns=True,
)
async def half_close_at_once(target: Target) -> None:
    await target.whole()
    async with target.wire() as wire:
        await wire.send(target.request(close=True))
        await wire.send_eof()
        answer = await whole(target, wire)
    answer.half_closed = True
    if not answer.complete:
        raise Failed(
            f"After a request and a FIN only {len(answer.body)} bytes of the stream came.",
            answer,
            at=len(answer.raw),
        )


@case(
    "conn.half-close-keeps-streaming",
    CUSTOM,
    "RFC 9293 §3.6",
    "The user who CLOSEs may continue to RECEIVE until the TCP receives that the remote peer has"
    " CLOSED also.",
    code="servers/http/watch.py: How a server learns that a client has disconnected",
    lesson=7,
    cause=HALF_CLOSE,
    warns=True,
)
async def half_close_keeps_streaming(target: Target) -> None:
    await target.whole_stream()
    pace = await target.pace()
    seconds = 5 + 3 * max(pace.first, pace.longest)
    async with target.wire() as wire:
        sent = target.request(close=True)
        await wire.send(sent)
        answer = Answer(sent, target.method)
        await wire.read(answer, seconds=seconds, pieces=2)
        before = len(answer.pieces)
        await wire.send_eof()
        await wire.read(answer, seconds=seconds)
    answer.half_closed = True
    if not answer.complete:
        raise Failed(
            f"The stream stopped when the client sent its FIN, after {before} reads of it.",
            answer,
            at=len(answer.raw),
        )


# ---- Several requests, and torn ones


@case(
    "conn.pipelined-in-order",
    MUST,
    "RFC 9112 §9.3.2",
    "A server MAY process a sequence of pipelined requests in parallel if they all have safe"
    " methods, but it MUST send the corresponding responses in the same order that the requests"
    " were received.",
    code="servers/http/incoming.py: a pipelined request does not wait for bytes",
    lesson=3,
    cause="Bytes that came with the first request were lost, or its answer was not awaited.",
)
async def pipelined_in_order(target: Target) -> None:
    usual = await target.whole()
    other = await plain_status(target)
    if usual.chunked and announces_close(usual):
        raise Skipped("the server closes the connection after a stream")
    request = target.request()
    async with target.wire() as wire:
        await wire.send(request + plain_request(target, "Connection: close"))
        first = await whole(target, wire)
        if not first.complete:
            if first.status == usual.status and first.end:
                raise Skipped("the stream was cut: this server takes what follows for an abort")
            raise Failed("The first of two pipelined requests was not answered.", first)
        if first.end or announces_close(first):
            raise Skipped("the server closes the connection after a stream")
        second = await wire.answer(seconds=5)
    if (first.status, second.status) != (usual.status, other):
        came = f"{first.status}, then {second.status or 'nothing'}, not {usual.status}, {other}"
        raise Failed("Two pipelined requests were not answered in order.", first, came=came)


@case(
    "conn.request-may-be-torn",
    CUSTOM,
    "RFC 9293 §3.8",
    "TCP carries bytes, not messages: a request may come byte by byte, in any number of reads.",
    code="protocol/head.py: The result never depends on how the bytes were cut",
    lesson=3,
    cause="The server takes one read for one request.",
)
async def request_may_be_torn(target: Target) -> None:
    usual = await plain_status(target)
    data = plain_request(target, "Connection: close")
    async with target.wire() as wire:
        for index in range(len(data)):
            await wire.send(data[index : index + 1])
        answer = await wire.answer(seconds=5)
    if answer.status != usual:
        raise Failed(f"The request, byte by byte, got {answer.status or 'no answer'}.", answer)


@case(
    "conn.body-may-come-later",
    CUSTOM,
    "RFC 9293 §3.8",
    "TCP carries bytes, not messages: a body may come in a read of its own, after its head.",
    code="servers/http/incoming.py: async def read_body",
    lesson=3,
    cause="The server takes one read for one request, and finds no body in it.",
)
async def body_may_come_later(target: Target) -> None:
    usual = await target.success()
    if not target.body:
        raise Skipped("the request that streams has no body")
    head = target.request(close=True)[: -len(target.body)]
    async with target.wire() as wire:
        await wire.send(head)
        await trio.sleep(0.2)
        await wire.send(target.body)
        answer = Answer(wire.sent, target.method)
        await wire.read(answer, seconds=15, pieces=1)
    if answer.status != usual.status:
        raise Failed(f"The request got {answer.status or 'no answer'}.", answer, at=0)


# ---- Expect, and refusals


@case(
    "conn.expect-continue",
    MUST,
    "RFC 9110 §10.1.1",
    "Upon receiving an HTTP/1.1 (or later) request that has a method, target URI, and complete"
    " header section that contains a 100-continue expectation and indicates that request content"
    " will follow, an origin server MUST send either: an immediate response with a final status"
    " code, … or an immediate 100 (Continue) response.",
    code="servers/http/incoming.py: 100 Continue",
    lesson=3,
    cause="The server waits for the body, and the client for the 100. curl gives up after 1 s.",
)
async def expect_continue(target: Target) -> None:
    usual = await target.success()
    body = target.body or b"hello"
    method = target.method if target.body else "POST"
    fields = [("Expect", "100-continue"), ("Content-Length", str(len(body)))]
    head = target.request(method=method, headers=fields, close=True, body=b"")
    if b"content-type:" not in head.lower():
        head = head[:-2] + b"Content-Type: application/json\r\n\r\n"
    pace = target.pace_of(usual)
    async with target.wire() as wire:
        await wire.send(head)
        answer = Answer(head, method)
        with trio.move_on_after(5 + 2 * pace.first):
            while not (answer.interim or answer.head or answer.end):
                await wire.read_some(answer)
        if not answer.raw and not answer.end:
            raise Failed("Neither 100 nor a final answer came.", answer)
        if not answer.interim:
            if answer.status:
                return
            raise Failed("The connection ended without an answer.", answer)
        await wire.send(body)
        await wire.read(answer, seconds=5 + 2 * pace.first, pieces=1)
    if not answer.head:
        raise Failed("After 100 and the body no final answer came.", answer)


@case(
    "conn.refusal-can-be-read",
    CUSTOM,
    "RFC 9112 §9.6",
    "If a server performs an immediate close of a TCP connection, there is a significant risk that"
    " the client will not be able to read the last HTTP response.",
    code="clients/streams/tcp.py: async def aclose",
    lesson=7,
    cause="The server closed while bytes of the request were unread. Send FIN, read on for a"
    " moment, and close then.",
    warns=True,
)
async def refusal_can_be_read(target: Target) -> None:
    await plain_status(target)
    size = 2 << 20
    head = plain_request(target, f"Content-Length: {size}", "Connection: close", method="POST")
    async with target.wire() as wire:
        await wire.send(head + bytes(size))
        await trio.sleep(0.3)  # a client that sends first, and reads then
        answer = Answer(head, "POST")
        await wire.read(answer, seconds=5)
    if not answer.head and (answer.end == "reset" or wire.broken):
        raise Failed(
            f"A POST of {size} bytes to {PLAIN} was reset, and its answer is lost.", answer
        )


@case(
    "conn.error-ends-the-connection",
    CUSTOM,
    "RFC 9112 §9.6",
    "After a framing error it is unknown where the next request begins, so nothing that follows"
    " may be taken for a request.",
    code="servers/http/connection.py: Bad input gets the right status",
    lesson=3,
)
async def error_ends_the_connection(target: Target) -> None:
    accepted = await plain_status(target)
    data = f"GET {PLAIN} spec HTTP/1.1\r\nHost: {target.parts.authority}\r\n\r\n".encode()
    reaction = await react(target, data)
    if reaction.statuses and reaction.statuses[0] == 400 and accepted in reaction.statuses[1:]:
        raise Failed(
            "After a 400 the server answered the bytes that followed.",
            reaction.first,
            came=reaction.words,
        )
