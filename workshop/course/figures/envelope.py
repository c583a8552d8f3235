"""Lesson 5: the reader types a word, and sees all bytes of the event with its first token.

    data: {"id":… "content":" 你 "…} \\n\\n      about 250 bytes for 3

`POST /v1/chat/completions` sends the answer, and the model repeats the reader's word.
"""

from typing import Annotated

import msgspec

from protocol.anatomy import ResponseAnatomy
from protocol.chunked import encode_chunk
from protocol.sse import ServerSentEvent, encode_event
from servers import chat
from servers.llm.pace import Pace

from ..words import Words
from .kit import Figure, Tell, field
from .lab import reads, serving
from .wire import Chip, chips, visible

__all__ = ["ENVELOPE"]

STILL = (
    '{"id":"chatcmpl-…","object":"chat.completion.chunk","created":0,"model":"echo",'
    '"choices":[{"index":0,"delta":{"content":"你"},"logprobs":null,"finish_reason":null}]}'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Options(msgspec.Struct):
    word: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


def form(say: Words) -> str:
    return field(
        say, "figure.envelope.word", "word", 'value="你" required maxlength="200" size="14"'
    ) + field(
        say,
        "figure.envelope.guess",
        "guess",
        'type="number" min="1" max="100000" required autocomplete="off"',
    )


def still(say: Words) -> str:
    found, _ = first_token(HEAD + encode_chunk(encode_event(ServerSentEvent(data=STILL))))
    return chips(found)


def first_token(response: bytes) -> tuple[list[Chip], int]:
    """Return the chips of the event with the first token, and the size of that event in bytes."""
    spans = ResponseAnatomy("POST").receive_data(response)
    number = next((span.event for span in spans if span.label == "token"), 0)
    if not number:
        return [], 0
    own = sorted((span for span in spans if span.event == number), key=lambda span: span.start)
    found = []
    for span in own:
        data = response[span.start : span.end]
        found.append(Chip(span.label, visible(data), data.hex(" ")))
    return found, own[-1].end - own[0].start


async def run(options: Options, tell: Tell) -> None:
    body = msgspec.json.encode(
        {
            "model": "echo",
            "stream": True,
            "messages": [{"role": "user", "content": options.word}],
        }
    )
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    response = b""
    async with serving(chat.routes(Pace(0, 0))) as port:
        async for _, data in reads(port, head.encode() + body):
            response += data
    found, size = first_token(response)
    token = "".join(chip.text for chip in found if chip.label == "token")
    text = sum(len(chip.hex.split()) for chip in found if chip.label == "token")
    await tell({"chips": found, "token": token, "bytes": size, "text": text})


ENVELOPE = Figure("envelope", Options, form, still, run)
