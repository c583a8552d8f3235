"""head.*, second part: methods, and the heads that the server writes.

SPEC /stream                  501 or 405
DELETE /stream                405, with Allow
HEAD /stream                  a head, and no body
HTTP/1.1 200 OK               a well-formed head, with Date and Content-Type
"""

from ..case import MUST, SHOULD, Failed, Skipped, case
from ..reaction import PLAIN, plain_status
from ..target import Target

# ---- Methods


@case(
    "head.method-unknown",
    SHOULD,
    "RFC 9110 §9.1",
    "An origin server that receives a request method that is unrecognized or not implemented"
    " SHOULD respond with the 501 (Not Implemented) status code. … recognized and implemented, but"
    " not allowed for the target resource, SHOULD … 405 (Method Not Allowed).",
    code="servers/http/routes.py: 405",
    lesson=3,
)
async def method_unknown(target: Target) -> None:
    await target.success()
    request = target.request(method="SPEC", close=True, body=b"")
    answer = await target.once("method", request)
    if answer.status and answer.status < 400:
        raise Failed("The method SPEC was answered with success.", answer, at=9)


@case(
    "head.405-has-allow",
    MUST,
    "RFC 9110 §15.5.6",
    "The origin server MUST generate an Allow header field in a 405 response containing a list of"
    " the target resource's currently supported methods.",
    code="servers/http/routes.py: Allow",
    lesson=3,
)
async def allow_of_405(target: Target) -> None:
    await target.success()
    request = target.request(method="DELETE", close=True, body=b"")
    answer = await target.once("delete", request)
    if answer.status != 405:
        raise Skipped(f"DELETE is answered with {answer.status or 'nothing'}, not with 405")
    if not answer.head or not answer.head.values(b"allow"):
        raise Failed("A 405 without Allow.", answer, at=9)


@case(
    "head.head-without-body",
    MUST,
    "RFC 9110 §9.3.2",
    "The HEAD method is identical to GET except that the server MUST NOT send content in the"
    " response.",
    code='protocol/http1.py: method == "HEAD"',
    lesson=3,
    cause="The handler streams for HEAD too. End the answer after its head.",
)
async def head_without_body(target: Target) -> None:
    await plain_status(target)
    path = target.parts.target if target.method == "GET" else PLAIN
    request = target.request(method="HEAD", target=path, close=True, body=b"")
    pace = await target.pace()
    async with target.wire() as wire:
        await wire.send(request)
        answer = await wire.answer(seconds=5, method="HEAD")
        if not answer.head:
            raise Skipped("HEAD is not answered")
        await wire.ends(seconds=min(5.0, max(1.0, 2 * pace.first + 2 * pace.longest)))
        if wire.unread:
            end = len(answer.raw)
            answer.raw += wire.unread
            answer.reads.append(answer.read_of(wire.unread))
            raise Failed("The response to HEAD has a body.", answer, at=end)


# ---- The server's heads


@case(
    "head.response-grammar",
    MUST,
    "RFC 9112 §2.1",
    "HTTP-message = start-line CRLF *( field-line CRLF ) CRLF [ message-body ]",
    code="protocol/head.py: class HeadReader",
    lesson=3,
    cause="A line of the head ends in LF alone, a value holds CR or LF, or a name has a space.",
)
async def response_grammar(target: Target) -> None:
    answer = await target.answer()
    if not answer.head and answer.error:
        raise Failed(f"The head is malformed: {answer.error}.", answer, at=answer.error_at)


@case(
    "head.content-type",
    SHOULD,
    "RFC 9110 §8.3",
    "A sender that generates a message containing content SHOULD generate a Content-Type header"
    " field in that message.",
    code="servers/http/reply_head.py: content_type",
    lesson=4,
)
async def content_type(target: Target) -> None:
    answer = await target.success()
    if not answer.field("content-type"):
        raise Failed("The stream has no Content-Type.", answer, at=0)


@case(
    "head.date",
    MUST,
    "RFC 9110 §6.6.1",
    "An origin server with a clock … MUST generate a Date header field in all 2xx (Successful), 3xx"
    " (Redirection), and 4xx (Client Error) responses.",
    code="servers/http/reply_head.py: Date",
    lesson=3,
)
async def date(target: Target) -> None:
    answer = await target.success()
    if not answer.field("date"):
        raise Failed("The head has no Date.", answer, at=0)
