"""Family utf8: characters of several bytes, in answers and in requests.

data: {"text":"\\xe4\\xbd"}              utf8.valid: a character was cut and lost its last byte
data: {"text":"\\ufffd"}                utf8.no-replacement: it was decoded before it was whole
data: {"text":"\\\\ud83d"}               utf8.no-half-pairs: cut inside UTF-16
"""

import json
import re

import trio

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError

from ..answer import Answer
from ..case import CUSTOM, MUST, Failed, Skipped, case
from ..reading import CONTINUATION, read
from ..target import Target

HALF = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
PROMPT = "你好，stream! 👋"


@case(
    "utf8.valid",
    MUST,
    "HTML §9.2.5",
    "Event streams in this format must always be encoded as UTF-8.",
    code="protocol/sse.py: def encode_event",
    lesson=4,
    cause="A character was cut into bytes, and a part of it got lost; or the text is in another"
    " encoding. Encode each text whole.",
)
async def valid(target: Target) -> None:
    answer = await target.success()
    body = answer.body if answer.complete else answer.body[:-3]
    try:
        body.decode()
    except UnicodeDecodeError as error:
        at = read(answer).raw(error.start)
        raise Failed("The body has bytes that are not UTF-8.", answer, at=at) from None


@case(
    "utf8.charset",
    MUST,
    "HTML §17.7",
    "The charset parameter may be provided. The parameter's value must be `utf-8`.",
    code='servers/http/reply.py: content_type="text/event-stream; charset=utf-8"',
    lesson=4,
    cause="Event streams are always UTF-8. Send charset=utf-8, or leave the parameter out.",
)
async def charset(target: Target) -> None:
    answer = await target.event_stream()
    match = re.search(r'charset\s*=\s*"?([^";\s]*)', answer.field("content-type"), re.IGNORECASE)
    if match and match[1].lower() not in ("utf-8", "utf8"):
        raise Failed(f"The charset is {match[1]}, not utf-8.", answer)


@case(
    "utf8.no-replacement",
    CUSTOM,
    "Unicode §3.9",
    "U+FFFD stands for bytes that are not UTF-8: at the end of one event and the start of the next"
    " it is a character that was cut in two.",
    code="servers/llm/model/tokens.py: def tokenize",
    lesson=5,
    cause="Bytes or tokens are decoded one by one. Decode incrementally: keep the bytes of an"
    " unfinished character for the next event.",
)
async def no_replacement(target: Target) -> None:
    answer = await target.event_stream()
    if pairs := answer.meter.answer.replaced:
        at = answer.raw.find("\ufffd".encode())
        at = at if at >= 0 else answer.raw.lower().find(rb"\ufffd")
        say = f"U+FFFD ends an event and begins the next one, {pairs} times."
        raise Failed(say, answer, at=at if at >= 0 else None)


@case(
    "utf8.no-half-pairs",
    CUSTOM,
    "RFC 8259 §8.2",
    "A JSON text with half of a UTF-16 surrogate pair leads to unpredictable behaviour of its"
    " readers.",
    code="protocol/openai/lenient.py: class SurrogateJoiner",
    lesson=5,
    cause="The text was cut between two UTF-16 units (JavaScript: at any index). Cut it between"
    " characters.",
)
async def no_half_pairs(target: Target) -> None:
    answer = await target.event_stream()
    reading = read(answer)
    for block in reading.blocks:
        if block.event and (half := HALF.search(block.event.data)):
            line = next(line for line in block.lines if line.name == "data")
            say = f"The data has half of a surrogate pair: {half[0]}."
            raise Failed(say, answer, at=reading.raw(line.at))


@case(
    "utf8.whole-in-chunks",
    CUSTOM,
    "RFC 9112 §7.1",
    "A chunk may end inside a character, but a client that decodes each chunk alone then shows"
    " U+FFFD.",
    code="servers/llm/model/tokens.py: def tokenize",
    lesson=3,
    cause="Flush whole events, not blocks of bytes.",
    warns=True,
)
async def whole_in_chunks(target: Target) -> None:
    answer = await target.success()
    if not answer.chunked or not answer.head:
        raise Skipped("the answer is not chunked")
    start = len(answer.raw) - len(_after_head(answer))
    borders: list[int] = []

    def observe(label: str, at: int, end: int) -> None:
        if label == "chunk-data":
            borders.append(start + at)

    try:
        ChunkedDecoder(observer=observe).receive_data(_after_head(answer))
    except DecodeError:
        pass
    for at in borders:
        if answer.raw[at : at + 1] and answer.raw[at] in CONTINUATION:
            raise Failed("A chunk begins inside a character.", answer, at=at)


def _after_head(answer: Answer) -> bytes:
    raw = bytes(answer.raw)
    for _ in range(len(answer.interim) + 1):
        raw = raw.partition(b"\r\n\r\n")[2]
    return raw


# ---- Requests


def _body_with(target: Target, prompt: str, *, ascii_only: bool) -> bytes:
    """The request's body with a prompt of several scripts.

    Raises:
        Skipped: The body has no prompt that we know.
    """
    try:
        body = json.loads(target.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Skipped("the request has no body in JSON")
    if isinstance(body.get("messages"), list):
        body["messages"] = [*body["messages"][:-1], {"role": "user", "content": prompt}]
    elif isinstance(body.get("input"), str):
        body["input"] = prompt
    else:
        raise Skipped("the request's body has neither messages nor an input")
    return json.dumps(body, ensure_ascii=ascii_only).encode()


def _accepted(answer: Answer, say: str) -> None:
    if answer.status in (0, 401, 403, 404, 408, 429, 503):  # 404: it knows only some prompts
        raise Skipped(f"the request got status {answer.status}")
    if answer.status >= 400:
        raise Failed(f"{say}: status {answer.status}.", answer)


@case(
    "utf8.request-torn",
    MUST,
    "RFC 9112 §6.2",
    "A valid Content-Length field value indicates the expected length in octets of the content: a"
    " read may end inside a character.",
    code="protocol/http1.py: def body_decoder",
    lesson=2,
    cause="Each read of the request is decoded alone. Collect the body's bytes, and decode once.",
)
async def request_torn(target: Target) -> None:
    await target.success()
    request = target.request(body=_body_with(target, PROMPT, ascii_only=False))
    whole = await target.shared(request)
    _accepted(whole, "The server refuses a prompt of several scripts")
    at = request.index("你".encode()) + 1
    async with target.wire() as wire:
        await wire.send(request[:at])
        await trio.sleep(0.1)  # long enough for a read of its own; too short costs only strictness
        await wire.send(request[at : at + 1])
        await trio.sleep(0.1)
        await wire.send(request[at + 1 :])
        answer = await wire.answer(seconds=15, method="POST")
    _accepted(answer, "The same request is refused if a read of it ends inside a character")


@case(
    "utf8.request-escapes",
    MUST,
    "RFC 8259 §7",
    "Any character may be escaped: `\\u4f60` and `你` are the same string, and a character outside"
    " the Basic Multilingual Plane is a pair of escapes.",
    code="protocol/openai/common.py: def read_json",
    lesson=5,
    cause="The body is not read by a JSON parser.",
)
async def request_escapes(target: Target) -> None:
    await target.success()
    body = _body_with(target, PROMPT, ascii_only=True)
    answer = await target.shared(target.request(body=body))
    _accepted(answer, "A prompt with JSON's escapes is refused")


@case(
    "utf8.bad-request",
    MUST,
    "RFC 8259 §8.1",
    "JSON text exchanged between systems that are not part of a closed ecosystem MUST be encoded"
    " using UTF-8. A body that is not is the client's error: 4xx.",
    code="protocol/openai/common.py: except (msgspec.DecodeError, UnicodeDecodeError)",
    lesson=5,
    cause="An exception of the decoder is not caught. Answer 400.",
)
async def bad_request(target: Target) -> None:
    await target.success()
    good = _body_with(target, PROMPT, ascii_only=False)
    bad = good.replace("你".encode(), b"\xe4\xbd", 1)
    answer = await target.shared(target.request(body=bad))
    if not answer.status and answer.end != "silent":
        raise Failed("The connection ends without a response to a body that is not UTF-8.", answer)
    if answer.status in (0, 503):
        raise Skipped(f"the request got status {answer.status}")
    if answer.status >= 500:
        raise Failed(f"A body that is not UTF-8 gets status {answer.status}.", answer)


# What this file does not do: judge the URL's percent-encoding (head.py).
