"""8003, lesson 3: a text that is sent word by word, in chunks (RFC 9112 §7.1).

    $ curl -N --raw http://localhost:8003/
    6
    Chunks
    4
     say
    …
    0

`GET /` streams. `GET /whole` waits until all words exist, and then sends the same text with a
Content-Length. The text is the same, but the reader of `/whole` sees the first word only when the
last one exists.
"""

import sys
from collections.abc import AsyncGenerator, Sequence

from .http.command import arguments, run, seconds
from .http.reply import Last, Reply, Request, StreamingReply
from .http.routes import Routes
from .llm.model.tokens import tokenize
from .llm.pace import Pace

TEXT = "Chunks say how long they are: 你好 is 6 bytes, not 2 characters. 🌊\n"


def routes(pace: Pace) -> Routes:
    """Return the routes of lesson 3."""

    async def stream(request: Request) -> StreamingReply:
        async def words() -> AsyncGenerator[bytes | Last, None]:
            clock = pace.start()
            for word in tokenize(TEXT):
                await clock.next_token()
                yield word.encode()

        return StreamingReply(words())

    async def whole(request: Request) -> Reply:
        clock = pace.start()
        for _ in tokenize(TEXT):
            await clock.next_token()
        return Reply(TEXT)

    return Routes({"GET /": stream, "GET /whole": whole})


def main(argv: Sequence[str] | None = None) -> int:
    """Run this server as a program."""
    parser = arguments("servers.chunked", "Lesson 3: a text in chunks.", 8003)
    parser.add_argument(
        "--itl", type=seconds, default=0.2, metavar="S", help="seconds per word (default: 0.2)"
    )
    options = parser.parse_args(argv)
    return run(options, "servers.chunked", routes(Pace(options.itl, options.itl)))


if __name__ == "__main__":
    sys.exit(main())
