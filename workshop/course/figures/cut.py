"""Lesson 4: the same bytes, cut anywhere: the reader moves the cut, and the events stay the same.

    the server of lesson 4, after its 19th word   id: 20 … id: 21 … event: done
    the page's own parser (servers/page/sse.js)   two pieces: the events of each

The bytes come from a real server. The browser decodes them, each time that the cut moves.
"""

from html import escape

import msgspec

from protocol.chunked import ChunkedDecoder
from protocol.sse import EventStreamParser
from servers import sse
from servers.llm.pace import Pace

from ..words import Words
from .kit import Figure, Tell, choices
from .lab import get, reads, serving
from .wire import lines

__all__ = ["CUT"]

# The last events of the stream of lesson 4, with the one whose token is 🌊.
REQUEST = get("/", "Last-Event-ID: 19")
STILL = (
    "retry: 2000\n\n"
    'event: word\nid: 20\ndata: {"text":" "}\n\n'
    'event: word\nid: 21\ndata: {"text":"🌊"}\n\n'
    'event: done\nid: end\ndata: {"words":21}\n\n'
).encode()
AT = 88
"""Where the still picture has its cut: inside the four bytes of 🌊."""


class Options(msgspec.Struct):
    pass


def form(say: Words) -> str:
    return choices(say, "figure.cut.guess", "guess", ["more", "same", "fewer"])


def still(say: Words) -> str:
    parser = EventStreamParser()
    first = parser.receive_data(STILL[:AT])
    second = parser.receive_data(STILL[AT:])
    counts = say("figure.cut.counts", first=len(first), second=len(second))
    return (
        f'<pre class="bytes"><span class="piece">{escape(lines(STILL[:AT]))}</span>'
        f'<span class="rest">{escape(lines(STILL[AT:]))}</span></pre>\n'
        f'<p class="counts">{escape(counts)}</p>\n'
    )


async def run(options: Options, tell: Tell) -> None:
    response = b""
    async with serving(sse.routes(Pace(0, 0))) as port:
        async for _, data in reads(port, REQUEST):
            response += data
    body = response.partition(b"\r\n\r\n")[2]
    await tell({"body": b"".join(ChunkedDecoder().receive_data(body))})


CUT = Figure("cut", Options, form, still, run)
