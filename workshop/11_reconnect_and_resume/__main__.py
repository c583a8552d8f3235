"""Lesson 11: if each event has an id, a broken stream can resume.

When its connection breaks, a browser's EventSource asks again by itself. The server decides what
the client gets then. A model that does not know about the first connection starts a second answer.
If each event has an `id`, the client can tell the server which event it had last, and the server
continues with the next one:

    id: 0-6                     GET /chat/… HTTP/1.1
    data: {"text":" no"}        Last-Event-ID: 0-6

This lesson cuts connections with an RST, and shows which words arrived on which connection. The
lesson also serves a page for a browser, with a button that cuts the connection.

Run this file; then read it, and `servers/llm/writers/named_events.py`, which defines the meaning of
an id.
"""

import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import count
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import msgspec
    import trio
    from h11 import RemoteProtocolError

    from clients.http.client import request
    from protocol.sse import EventStreamParser, ServerSentEvent
    from servers.chat import CONTENT_TYPES, PAGE_HEADERS
    from servers.chat import PAGE as CHAT_PAGE
    from servers.http.body import BodyWriter
    from servers.http.reply import CutOff, Handler, Reply, Request, StreamingReply
    from servers.http.routes import Routes
    from servers.llm.api import API, Settings
    from servers.llm.engine import Engine
    from servers.llm.model.models import Model
    from servers.llm.pace import Pace
    from servers.llm.writers import named_events
    from servers.llm.writers.named_events import NamedEvents
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

PAGE = Path(__file__).parent / "page"
TEXT = "A broken stream is half an answer. 你好！ A stream that resumes where it broke is whole. 🌊"
# The model repeats the text. The server sends an RST in place of event 8: always, or only three
# times.
ALWAYS, THREE_TIMES = "?model=echo&fault=rst@8", "?model=echo&fault=rst*3@8"


# --- The server: an answer with ids, the same without, and a route that cuts both --------------


class Forgetful(NamedEvents):
    """Writes the same events without their ids."""

    def steps(self) -> Iterator[bytes]:
        for event in super().steps():
            yield re.sub(rb"^id: .*\n", b"", event, flags=re.MULTILINE)

    @property
    def last(self) -> bytes:
        return re.sub(rb"^id: .*\n", b"", super().last, flags=re.MULTILINE)


class Cuttable:
    """A source whose connection can be reset in the middle of the answer."""

    def __init__(self, reply: StreamingReply, running: set[trio.CancelScope]) -> None:
        self._whole = StreamingReply(reply.source)
        self._running = running

    async def send_to(self, body: BodyWriter) -> None:
        with trio.CancelScope() as scope:
            self._running.add(scope)
            try:
                await self._whole.send_to(body)
            finally:
                self._running.discard(scope)
        if scope.cancelled_caught:
            raise CutOff(reset=True)


def routes(pace: Pace) -> Routes:
    """Return the routes: the page, its files, the two models, and the route that cuts their
    connections."""
    engine, running = Engine(), set[trio.CancelScope]()
    api = API(Pace(pace.ttft, pace.itl / 4), engine, Model(), Settings())
    files = {path.name: path for path in (*PAGE.iterdir(), CHAT_PAGE / "icon.svg")}

    def file(name: str) -> Reply:
        path = files[name]
        return Reply(path.read_bytes(), 200, CONTENT_TYPES[path.suffix], PAGE_HEADERS)

    async def home(request: Request) -> Reply:
        return file("index.html")

    async def page(request: Request) -> Reply:
        name = request.params["name"]
        return file(name) if name in files else Reply("404 Not Found\n", 404)

    def cuttable(handler: Handler) -> Handler:
        async def handle(request: Request) -> Reply | StreamingReply:
            reply = await handler(request)
            if isinstance(reply, StreamingReply):
                reply.source = Cuttable(reply, running)
            return reply

        return handle

    async def cut(request: Request) -> Reply:
        for scope in list(running):
            scope.cancel()
        return Reply(status=204)

    table: dict[str, Handler] = {
        "GET /": home,
        "GET /page/{name}": page,
        "GET /chat/{text}": named_events.handler(api),
        "GET /resuming/{text}": cuttable(named_events.handler(api)),
        "GET /forgetful/{text}": cuttable(named_events.handler(api, Forgetful)),
        "POST /cut": cut,
    }
    return Routes(table, tasks=[engine.run])


# --- The client: what an EventSource does ------------------------------------------------------


class ConnectionRecord(msgspec.Struct):
    """One of the connections on which an answer arrives.

    Attributes:
        asked: The Last-Event-ID that the client sent, or "".
        status: The status of the response: 204 means that the client must not ask again.
        events: All events that arrived on this connection.
        cut: Whether the connection ended before the body was complete.
    """

    asked: str
    status: int = 0
    events: list[ServerSentEvent] = []
    cut: bool = False

    @property
    def text(self) -> str:
        words = [event.data for event in self.events if event.event == "message"]
        return "".join(msgspec.json.decode(word, type=named_events.TextData).text for word in words)


# region reconnect
async def connections(url: str, seconds_per_ms: float) -> AsyncGenerator[ConnectionRecord, None]:
    """Ask, and each time a connection ends, ask again with the last id, until the status is 204."""
    last_event_id, retry = "", 3000
    while True:
        connection = ConnectionRecord(last_event_id)
        headers = (("Last-Event-ID", last_event_id),) if last_event_id else ()
        async with request("GET", url, headers) as response:
            connection.status = response.status
            parser = EventStreamParser(last_event_id)
            try:
                async for piece in response:
                    connection.events += parser.receive_data(piece)
            except (RemoteProtocolError, trio.BrokenResourceError):
                connection.cut = True  # the parser drops an event that is not complete
        yield connection
        if connection.status == 204:
            return
        last_event_id = parser.last_event_id
        if parser.reconnection_time is not None:
            retry = parser.reconnection_time
        await trio.sleep(retry * seconds_per_ms)


# endregion


async def watch(port: int, seconds_per_ms: float) -> None:
    """Let the server cut the answers of both models, and show the words of each connection."""
    print("1. A model whose events have no id: every connection brings a new answer\n")
    url = f"http://localhost:{port}/forgetful/{quote(TEXT)}{ALWAYS}"
    async with aclosing(connections(url, seconds_per_ms)) as forgetful:
        for number in (1, 2, 3):
            show(number, await anext(forgetful))
    print("  …  for ever: the client asks again, and the model starts again")

    print("\n2. The same model, and each event has an id\n")
    url = f"http://localhost:{port}/resuming/{quote(TEXT)}{THREE_TIMES}"
    numbers, text, ids = count(1), "", list[str | None]()
    async with aclosing(connections(url, seconds_per_ms)) as resuming:
        async for connection in resuming:
            show(next(numbers), connection)
            text += connection.text
            ids += [event.id for event in connection.events]
    print(f"\n  {text}")
    print(f"  the whole text: {text == TEXT}   each event once: {len(set(ids)) == len(ids)}")


def show(number: int, connection: ConnectionRecord) -> None:
    asked = f"Last-Event-ID: {connection.asked}" if connection.asked else ""
    what = connection.text + (" ✂" if connection.cut else "")
    if connection.status == 204:
        what = "204 No Content: do not ask again"
    print(f"  connection {number}   {asked:20}   {what}", flush=True)


def main() -> int:
    seconds_per_ms = 0.001

    def make_routes(pace: Pace) -> Routes:
        nonlocal seconds_per_ms
        if not pace.itl:  # --fast
            seconds_per_ms = 0
        return routes(pace)

    async def watch_(port: int) -> None:
        await watch(port, seconds_per_ms)

    return lesson.main(__doc__.partition("\n")[0], 8011, make_routes, watch_, TRIES)


TRIES = [
    ("The page that shows the seams, in a browser", "http://localhost:{port}/"),
    ("The events and their ids", "curl -N 'http://localhost:{port}/chat/one,two?model=echo'"),
    (
        "The events after the first one",
        "curl -N -H 'Last-Event-ID: 0-1' 'http://localhost:{port}/chat/one,two?model=echo'",
    ),
    (
        "After the end: 204",
        "curl -i -H 'Last-Event-ID: 0-end' http://localhost:{port}/chat/one,two",
    ),
]

if __name__ == "__main__":
    sys.exit(main())
