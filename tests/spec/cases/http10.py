"""http10.*: a stream for a client that does not know chunks (nginx, by default, asks like that).

GET /stream HTTP/1.0          HTTP/1.1 200 OK           no Transfer-Encoding
                              the pieces as they are    each when it is made
                              FIN                       the end of the body
"""

from ..answer import Answer
from ..case import CUSTOM, MUST, Failed, Skipped, case
from ..target import Target


async def old_answer(target: Target) -> Answer:
    """The answer to the request that streams in HTTP/1.0; all cases share it."""
    usual = await target.success()
    pace = target.pace_of(usual)
    seconds = 3 + (pace.total if usual.complete else 3 * pace.longest)
    total = target.longest + seconds if usual.complete else 3.0
    request = target.request(version="HTTP/1.0")
    answer = await target.once("http10", request, seconds=seconds, total=total)
    if answer.status != usual.status:
        raise Skipped(f"HTTP/1.0 is answered with {answer.status or 'nothing'}")
    return answer


@case(
    "http10.without-chunks",
    MUST,
    "RFC 9112 §6.1",
    "A server MUST NOT send a response containing Transfer-Encoding unless the corresponding"
    " request indicates HTTP/1.1 (or later minor revisions).",
    code="servers/http/connection.py: head.is_http10 or reply.until_close",
    lesson=3,
    cause="The client shows the chunk sizes as text. Send the pieces as they are, and close.",
)
async def without_chunks(target: Target) -> None:
    answer = await old_answer(target)
    if answer.field("transfer-encoding"):
        at = answer.raw.lower().find(b"transfer-encoding")
        raise Failed("An HTTP/1.0 request got Transfer-Encoding.", answer, at=at)


@case(
    "http10.closes",
    MUST,
    "RFC 9112 §9.3",
    'If the received protocol is HTTP/1.0, the "keep-alive" connection option is present, … the'
    " connection will persist …; otherwise, the connection will close after the current response.",
    code="protocol/http1.py: def keeps_alive",
    lesson=3,
)
async def closes(target: Target) -> None:
    answer = await old_answer(target)
    if answer.complete and not answer.end and answer.chunked:
        raise Skipped("the answer is chunked")
    if answer.end == "silent":
        raise Failed("The body has ended, but the connection stays open.", answer)


@case(
    "http10.ends-with-fin",
    MUST,
    "RFC 9112 §6.3",
    "The message body length is determined by the number of octets received prior to the server"
    " closing the connection.",
    code="servers/http/body.py: the end of the connection",
    lesson=3,
    cause="A reset says that the body is incomplete, and it discards what was not read yet.",
)
async def ends_with_fin(target: Target) -> None:
    answer = await old_answer(target)
    if answer.end == "reset":
        raise Failed("The body ended with a reset.", answer, at=len(answer.raw))


@case(
    "http10.is-live",
    CUSTOM,
    "lesson 9",
    "A stream without chunks is a stream: each piece is sent when it is made.",
    code="servers/http/body.py: the bytes as they are",
    lesson=9,
    cause="The server collects the body to announce its length. End it with the connection.",
    warns=True,
)
async def is_live(target: Target) -> None:
    await target.whole_stream()
    answer = await old_answer(target)
    new, old = await target.pace(), target.pace_of(answer)
    if len(answer.pieces) <= 2 and old.total > 0.7 * new.total:
        raise Failed("All of the body came at its end.", answer)


@case(
    "http10.without-1xx",
    MUST,
    "RFC 9110 §15.2",
    "A server MUST NOT send a 1xx response to an HTTP/1.0 client.",
    code="protocol/http1.py: def expects_continue",
    lesson=3,
)
async def without_1xx(target: Target) -> None:
    await old_answer(target)
    body = target.body or b"hello"
    fields = [("Expect", "100-continue"), ("Content-Length", str(len(body)))]
    method = target.method if target.body else "POST"
    head = target.request(method=method, version="HTTP/1.0", headers=fields, body=b"")
    async with target.wire() as wire:
        await wire.send(head + body)
        answer = Answer(head + body, method)
        await wire.read(answer, seconds=5, pieces=1)
    if answer.interim:
        raise Failed("An HTTP/1.0 request got a 1xx response.", answer, at=0)


@case(
    "http10.without-host",
    CUSTOM,
    "RFC 9112 §3.2",
    "Only HTTP/1.1 requires Host: an HTTP/1.0 request without it is well-formed.",
    code="protocol/target.py: no Host, which HTTP/1.1 requires",
    lesson=3,
    warns=True,
)
async def without_host(target: Target) -> None:
    await old_answer(target)
    request = target.request(version="HTTP/1.0", host="")
    async with target.wire() as wire:
        await wire.send(request)
        answer = Answer(request, target.method)
        await wire.read(answer, seconds=10, pieces=1)
    if answer.status == 400:
        raise Failed("An HTTP/1.0 request without Host was refused.", answer, at=9)
