"""Lesson 11: the reader cuts the wire at a byte, and sees the seam.

    connection 1   one two th ✂                  the event that was cut is dropped
    connection 2   Last-Event-ID: 0-2            three four

The first connection goes through a hop, which closes it at the chosen byte of the body. The second
connection asks the server for the events that follow.
"""

import base64
from html import escape
from itertools import accumulate
from typing import Annotated

import msgspec

from clients.http.client import request
from clients.http.errors import RequestError
from protocol.sse import EventStreamParser, ServerSentEvent
from servers import badproxy, chat
from servers.llm.pace import Pace

from ..words import Words
from .kit import Figure, Tell
from .lab import LOOPBACK, serving
from .wire import lines

__all__ = ["BODY", "SEAM"]

PATH = "/chat/one%20two%20three%20four?model=echo"
EVENTS = [
    b'id: 0-1\nretry: 1000\ndata: {"text":"one"}\n\n',
    b'id: 0-2\ndata: {"text":" two"}\n\n',
    b'id: 0-3\ndata: {"text":" three"}\n\n',
    b'id: 0-4\ndata: {"text":" four"}\n\n',
    b'event: done\nid: 0-end\ndata: {"finish_reason":"stop"}\n\n',
]
BODY = b"".join(EVENTS)
"""The body of the answer, which the reader cuts. A real server sends exactly these bytes."""

IDS = ["none", "0-1", "0-2", "0-3", "0-4"]
AT = sum(map(len, EVENTS[:2])) + 17  # inside the third event, after its id


class Options(msgspec.Struct):
    at: Annotated[int, msgspec.Meta(ge=1, lt=len(BODY))]


class Text(msgspec.Struct):
    text: str = ""


def form(say: Words) -> str:
    options = "".join(
        f'<option value="{each}">{escape(say("figure.seam.none") if each == "none" else each)}'
        "</option>"
        for each in IDS
    )
    return (
        f'<label class="slider">{escape(say("figure.seam.at"))} <input type="range" name="at" '
        f'min="1" max="{len(BODY) - 1}" value="{AT}" data-type="number"></label>\n'
        f"{_bytes(AT)}"
        f'<label>{escape(say("figure.seam.guess"))} <select name="guess" required>'
        f'<option value="">?</option>{options}</select></label>\n'
    )


def still(say: Words) -> str:
    rows = [("", "one two ✂"), ("0-2", " three four")]
    html = "".join(
        f"<li><span>{escape(say('figure.seam.connection', number=number))}</span> "
        f"<code>{escape(asked and f'Last-Event-ID: {asked}')}</code> <b>{escape(text)}</b></li>"
        for number, (asked, text) in enumerate(rows, 1)
    )
    return f'{_bytes(AT)}<ol class="connections">{html}</ol>\n'


def _bytes(at: int) -> str:
    encoded = base64.b64encode(BODY).decode()
    return (
        f'<pre class="bytes" data-bytes="{encoded}">'
        f'<span class="piece">{escape(lines(BODY[:at]))}</span>'
        f'<span class="rest">{escape(lines(BODY[at:]))}</span></pre>\n'
    )


async def run(options: Options, tell: Tell) -> None:
    mode = badproxy.modes(f"truncate={options.at}")
    async with serving(chat.routes(Pace(0, 0))) as server:
        to = f"http://{LOOPBACK}:{server}"
        async with serving(badproxy.routes(to, mode)) as hop:
            last = await ask(1, hop, "", tell)
        await ask(2, server, last, tell)


async def ask(number: int, port: int, last_event_id: str, tell: Tell) -> str:
    """Ask once, and report what arrived. Returns the id of the last event that was complete."""
    fields = (("Last-Event-ID", last_event_id),) if last_event_id else ()
    parser = EventStreamParser(last_event_id)
    events: list[ServerSentEvent] = []
    cut = False
    try:
        async with request("GET", f"http://{LOOPBACK}:{port}{PATH}", fields) as response:
            async for piece in response:
                events += parser.receive_data(piece)
    except RequestError:
        cut = True  # the parser drops an event that is not complete
    words = [msgspec.json.decode(event.data, type=Text).text for event in events]
    await tell({"number": number, "asked": last_event_id, "text": "".join(words), "cut": cut})
    return parser.last_event_id


def boundaries() -> list[int]:
    """Return the offset at which each event is complete."""
    return list(accumulate(map(len, EVENTS)))


SEAM = Figure("seam", Options, form, still, run)
