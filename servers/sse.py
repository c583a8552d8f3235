"""8004, lesson 4: an event stream that uses the whole format (WHATWG HTML §9.2).

    $ curl -N http://localhost:8004/
    retry: 2000

    event: word
    id: 1
    data: {"text":"Events"}

    …
    : a comment, which nobody is shown
    …
    event: done
    id: end
    data: {"words":21}

Close the connection and send the last id: `curl -N -H 'Last-Event-ID: 7' …` continues with the
eighth word. A client that reconnects after `done` gets a 204, which tells a browser's EventSource
to stop. Otherwise the EventSource would reconnect for ever.
"""

import sys
from collections.abc import AsyncGenerator, Sequence

import msgspec

from protocol.sse import ServerSentEvent, encode_comment, encode_event

from .http.command import arguments, run, seconds
from .http.reply import EventStream, Last, Reply, Request
from .http.routes import Routes
from .llm.model.tokens import tokenize
from .llm.pace import Pace

TEXT = "Events are lines with names. 你好，世界！ A blank line sends one. 🌊"
END = "end"
RECONNECTION_TIME = 2000  # milliseconds


class Word(msgspec.Struct):
    """The data of a `word` event."""

    text: str


class WordsDone(msgspec.Struct):
    """The data of the `done` event."""

    words: int


def routes(pace: Pace) -> Routes:
    """Return the routes of lesson 4."""
    words = tokenize(TEXT)

    async def stream(request: Request) -> EventStream | Reply:
        last_event_id = request.header("last-event-id") or ""
        if last_event_id == END:
            # "Clients will reconnect if the connection is closed; a client can be told to stop
            # reconnecting using the HTTP 204 No Content response code." (§9.2.1)
            return Reply(status=204)

        async def events(start: int) -> AsyncGenerator[bytes | Last, None]:
            yield b"retry: %d\n\n" % RECONNECTION_TIME
            clock = pace.start()
            for number in range(start + 1, len(words) + 1):
                await clock.next_token()
                yield encode_event(_event("word", Word(words[number - 1]), str(number)))
                if number == len(words) // 2:
                    yield encode_comment("a comment, which nobody is shown")
            yield Last(encode_event(_event("done", WordsDone(len(words)), END)))

        return EventStream(events(_position(last_event_id, len(words))))

    return Routes({"GET /": stream})


def _position(last_event_id: str, length: int) -> int:
    """Return the number of words that the client has, or 0 for an id that is not ours."""
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 9:
        return 0
    return min(int(last_event_id), length)


def _event(name: str, data: msgspec.Struct, event_id: str) -> ServerSentEvent:
    return ServerSentEvent(name, msgspec.json.encode(data).decode(), event_id)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this server as a program."""
    parser = arguments("servers.sse", "Lesson 4: Server-Sent Events.", 8004)
    parser.add_argument(
        "--itl", type=seconds, default=0.2, metavar="S", help="seconds per word (default: 0.2)"
    )
    options = parser.parse_args(argv)
    return run(options, "servers.sse", routes(Pace(options.itl, options.itl)))


if __name__ == "__main__":
    sys.exit(main())
