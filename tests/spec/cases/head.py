r"""head.*: what the server refuses in a request's head, and what its own heads look like.

    GET / HTTP/1.1\r\nHost: a\r\nHost: b          host-twice: 400
    Content-Length: 5\r\nTransfer-Encoding: …     cl-te: at most one answer, then closed
    X-A: 1\r\n  Transfer-Encoding: …              a line that two hops could read differently

A request that two hops read differently is how requests are smuggled past the first of them. These
cases ask for a path that does not exist, so they cost the server nothing. A second, proper request
follows in the same write: if it is answered too, the server has agreed on where the first one ends.
"""

from ..case import CUSTOM, MUST, SHOULD, Failed, Skipped, case
from ..reaction import PLAIN, plain_request, plain_status, react
from ..target import Target

SMUGGLING = "Request smuggling: a hop in between may see another request than this server."
CHUNKED = "Transfer-Encoding: chunked"
LAST = b"0\r\n\r\n"


async def refused(target: Target, data: bytes, what: str) -> None:
    """Require that the server refuses these bytes."""
    accepted = await plain_status(target)
    (await react(target, data)).must_refuse(accepted, what)


# ---- Host


@case(
    "head.host-missing",
    MUST,
    "RFC 9112 §3.2",
    "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message"
    " that lacks a Host header field.",
    code="protocol/target.py: no Host, which HTTP/1.1 requires",
    lesson=3,
)
async def host_missing(target: Target) -> None:
    await refused(target, f"GET {PLAIN} HTTP/1.1\r\n\r\n".encode(), "a request without Host")


@case(
    "head.host-twice",
    MUST,
    "RFC 9112 §3.2",
    "A server MUST respond with a 400 (Bad Request) status code … to any request message that"
    " contains more than one Host header field line.",
    code="protocol/target.py: more than one Host",
    lesson=3,
    cause=SMUGGLING,
)
async def host_twice(target: Target) -> None:
    await refused(target, plain_request(target, "Host: example.com"), "a request with two Hosts")


@case(
    "head.host-invalid",
    MUST,
    "RFC 9112 §3.2",
    "A server MUST respond with a 400 (Bad Request) status code … to any request message that"
    " contains … a Host header field with an invalid field value.",
    code="protocol/target.py: not a host",
    lesson=3,
    cause="The value of Host is a host and a port. A server that builds URLs of it must check it.",
)
async def host_invalid(target: Target) -> None:
    for host in ("a/b", "a b", "user@a"):
        data = f"GET {PLAIN} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        await refused(target, data, f"the Host {host!r}")


@case(
    "head.absolute-form",
    MUST,
    "RFC 9112 §3.2.2",
    "A server MUST accept the absolute-form in requests even though most HTTP/1.1 clients will"
    " only send the absolute-form to a proxy.",
    code="protocol/target.py: def read_target",
    lesson=3,
)
async def absolute_form(target: Target) -> None:
    usual = await plain_status(target)
    host = target.parts.authority
    url = f"{target.parts.scheme}://{host}{PLAIN}"
    data = f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    reaction = await react(target, data, follow=False)
    if reaction.is_refused:
        raise Failed(
            f"A request with a whole URL was refused; the same path alone is {usual}.",
            reaction.first,
            came=reaction.words,
        )


# ---- Lines


@case(
    "head.space-before-colon",
    MUST,
    "RFC 9112 §5.1",
    "A server MUST reject, with a response status code of 400 (Bad Request), any received request"
    " message that contains whitespace between a header field name and colon.",
    code="protocol/head.py: def _check_field_line",
    lesson=3,
    cause=SMUGGLING,
)
async def space_before_colon(target: Target) -> None:
    await refused(target, plain_request(target, "X-Spec : 1"), "a space before the colon")


@case(
    "head.name-is-token",
    SHOULD,
    "RFC 9112 §2.2",
    "When a server … receives a sequence of octets that does not match the HTTP-message grammar …,"
    " the server SHOULD respond with a 400 (Bad Request) response and close the connection.",
    code="protocol/head.py: def _check_field_line",
    lesson=3,
)
async def name_is_token(target: Target) -> None:
    await refused(target, plain_request(target, "X Spec: 1"), "a field name with a space in it")
    await refused(target, plain_request(target, "no colon here"), "a field line without a colon")


@case(
    "head.request-line-garbage",
    SHOULD,
    "RFC 9112 §3",
    "Recipients of an invalid request-line SHOULD respond with either a 400 (Bad Request) error or"
    " a 301 (Moved Permanently) redirect with the request-target properly encoded.",
    code="protocol/head.py: def _check_request_line",
    lesson=3,
)
async def request_line_garbage(target: Target) -> None:
    host = target.parts.authority
    for line in (f"GET {PLAIN} spec HTTP/1.1", f"GET {PLAIN}", "\x16\x03\x01 spec"):
        data = f"{line}\r\nHost: {host}\r\n\r\n".encode()
        await refused(target, data, f"the request-line {line!r}")


@case(
    "head.obs-fold",
    MUST,
    "RFC 9112 §5.2",
    "A server that receives an obs-fold in a request message … MUST either reject the message by"
    " sending a 400 (Bad Request) … or replace each received obs-fold with one or more SP octets.",
    code="protocol/head.py: def _check_field_line",
    lesson=3,
    cause="The folded line was dropped or read as a line of its own. " + SMUGGLING,
)
async def obs_fold(target: Target) -> None:
    accepted = await plain_status(target)
    data = plain_request(target, "Transfer-Encoding:\r\n chunked", body=LAST)
    reaction = await react(target, data)
    if reaction.is_refused or not reaction.statuses:
        return
    if reaction.statuses[1:] and reaction.statuses[1] != accepted:
        raise Failed("The value on the folded line was lost.", reaction.first, came=reaction.words)


@case(
    "head.bare-cr",
    MUST,
    "RFC 9112 §2.2",
    "A recipient of such a bare CR MUST consider that element to be invalid or replace each bare CR"
    " with SP before processing the element or forwarding the message.",
    code="protocol/head.py: BAD_BYTE",
    lesson=3,
    cause="A CR alone was taken for the end of a line. " + SMUGGLING,
)
async def bare_cr(target: Target) -> None:
    accepted = await plain_status(target)
    # A server that ends the line at the CR waits for five bytes of body, and eats "GET /".
    reaction = await react(target, plain_request(target, "X-Spec: 1\rContent-Length: 5"))
    if reaction.is_refused or not reaction.statuses:
        return
    if reaction.statuses[1:] and reaction.statuses[1] != accepted:
        raise Failed("A bare CR ended a line.", reaction.first, came=reaction.words)


@case(
    "head.bare-lf",
    CUSTOM,
    "RFC 9112 §2.2",
    "A recipient MAY recognize a single LF as a line terminator. Hops that do and hops that do not"
    " can be made to see different requests, so a strict server refuses it.",
    code="protocol/head.py: BAD_BYTE",
    lesson=3,
    warns=True,
)
async def bare_lf(target: Target) -> None:
    host = target.parts.authority
    data = f"GET {PLAIN} HTTP/1.1\nHost: {host}\n\n".encode()
    await refused(target, data, "lines that end in LF alone")


@case(
    "head.empty-line-before",
    SHOULD,
    "RFC 9112 §2.2",
    "A server that is expecting to receive and parse a request-line SHOULD ignore at least one"
    " empty line (CRLF) received prior to the request-line.",
    code="protocol/head.py: One empty line before the request-line",
    lesson=3,
)
async def empty_line_before(target: Target) -> None:
    await plain_status(target)
    reaction = await react(
        target, b"\r\n" + plain_request(target, "Connection: close"), follow=False
    )
    if reaction.is_refused:
        raise Failed("An empty line before the request was refused.", reaction.first)


# ---- Where the body ends


@case(
    "head.cl-te",
    MUST,
    "RFC 9112 §6.1",
    "A server MAY reject a request that contains both Content-Length and Transfer-Encoding or"
    " process such a request in accordance with the Transfer-Encoding alone. Regardless, the server"
    " MUST close the connection after responding to such a request.",
    code="protocol/http1.py: both Transfer-Encoding and Content-Length",
    lesson=3,
    cause=SMUGGLING,
)
async def cl_te(target: Target) -> None:
    await plain_status(target)
    data = plain_request(target, "Content-Length: 5", CHUNKED, body=LAST)
    reaction = await react(target, data)
    reaction.must_close("a request with Content-Length and Transfer-Encoding")


@case(
    "head.te-http10",
    MUST,
    "RFC 9112 §6.1",
    "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header"
    " field MUST treat the message as if the framing is faulty, even if a Content-Length is"
    " present, and close the connection after processing the message.",
    code="protocol/http1.py: Transfer-Encoding in HTTP/1.0",
    lesson=3,
    cause=SMUGGLING,
)
async def te_http10(target: Target) -> None:
    await plain_status(target)
    data = plain_request(target, "Connection: keep-alive", CHUNKED, body=LAST)
    reaction = await react(target, data.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    reaction.must_close("an HTTP/1.0 request with Transfer-Encoding")


@case(
    "head.te-not-chunked",
    MUST,
    "RFC 9112 §6.3",
    "If a Transfer-Encoding header field is present in a request and the chunked transfer coding"
    " is not the final encoding, … the server MUST respond with the 400 (Bad Request) status code"
    " and then close the connection.",
    code="protocol/http1.py: a final transfer coding that is not chunked",
    lesson=3,
    cause=SMUGGLING,
)
async def te_not_chunked(target: Target) -> None:
    for value in ("chunked, identity", "xchunked"):
        data = plain_request(target, f"Transfer-Encoding: {value}", body=LAST)
        await refused(target, data, f"the final transfer coding of {value!r}")


@case(
    "head.cl-not-digits",
    MUST,
    "RFC 9112 §6.3",
    "If a message is received without Transfer-Encoding and with an invalid Content-Length header"
    " field, then the message framing is invalid …: the server MUST respond with a 400 (Bad"
    " Request) status code and then close the connection.",
    code="protocol/http1.py: CONTENT_LENGTH",
    lesson=3,
    cause="Content-Length is digits only. int() accepts more: +5, 0_5, spaces.",
)
async def cl_not_digits(target: Target) -> None:
    for value in ("+5", "0_5", "-1", "5a"):
        data = plain_request(target, f"Content-Length: {value}", method="POST", body=b"hello")
        await refused(target, data, f"the Content-Length {value!r}")


@case(
    "head.cl-different",
    MUST,
    "RFC 9112 §6.3",
    "… unless the field value can be successfully parsed as a comma-separated list, all values in"
    " the list are valid, and all values in the list are the same.",
    code="protocol/http1.py: def _content_length",
    lesson=3,
    cause=SMUGGLING,
)
async def cl_different(target: Target) -> None:
    for lines in (["Content-Length: 5", "Content-Length: 6"], ["Content-Length: 5, 6"]):
        data = plain_request(target, *lines, method="POST", body=b"hello!")
        await refused(target, data, f"two lengths ({'; '.join(lines)})")


@case(
    "head.too-large",
    MUST,
    "RFC 9110 §5.4",
    "A server that receives a request header field line, field value, or set of fields larger than"
    " it wishes to process MUST respond with an appropriate 4xx (Client Error) status code.",
    code="protocol/head.py: max_size",
    lesson=3,
    cause="The server closed without a word. Send 431, and close in stages (RFC 9112 §9.6).",
)
async def too_large(target: Target) -> None:
    await plain_status(target)
    data = plain_request(target, "X-Spec: " + "a" * 200_000, "Connection: close")
    reaction = await react(target, data, follow=False)
    if not reaction.statuses and reaction.end == "fin":
        raise Failed("200,000 bytes of head were not answered.", reaction.first)
    if not reaction.statuses:
        raise Skipped(f"no answer, {reaction.words}: a reset may have discarded it")
