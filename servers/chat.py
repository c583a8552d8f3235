"""8000: home, the chat page, and the simulated LLM.

    GET  /                       a greeting in chunks; to a browser, the chat page
    GET  /chat/{text}            an answer as an event stream: thinking, message, done
    POST /v1/chat/completions    the OpenAI API (llm/api.py), streaming and not
    POST /v1/responses           its newer form
    GET  /v1/models, /v1/models/{id}
    GET  /faults                 what can go wrong on the wire, on demand
    GET  /wire/{id}              the bytes of an answer whose request has said X-Wire: 1 (wire.py)
    GET  /metrics, /health

    $ curl -N http://localhost:8000/chat/你好
    event: thinking
    data: {"text":"The"}
    …
    data: {"text":"#"}
    …
    event: done
    data: {"finish_reason":"stop"}
"""

import argparse
import sys
from collections.abc import AsyncGenerator, Iterator
from collections.abc import Sequence as Items
from pathlib import Path
from urllib.parse import parse_qs

import msgspec

from protocol.chat_completions import FinishReason
from protocol.openai import InvalidRequest
from protocol.sse import ServerSentEvent, encode_event

from .access import Access
from .command import arguments, run
from .llm import flags
from .llm.api import API, Settings, identified
from .llm.conversation import Answer, Question, Turn
from .llm.engine import Engine
from .llm.faults import listing
from .llm.model import MODEL, Model
from .llm.tokens import tokenize
from .metrics import Metrics
from .pace import Pace
from .reply import Handler, Last, Reply, Request, StreamingReply
from .routes import Routes
from .wire import Recordings

__all__ = ["from_flags", "main", "routes"]

GREETING = """\
Hello! 你好！ 👋

Each word of this text left the server the moment it was made, in a chunk of its own.
See the chunks:    curl -N --raw http://localhost:8000/
Ask the model:     curl -N http://localhost:8000/chat/你好
"""

PAGE = Path(__file__).parent / "page"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# The page may load its own files, talk to its own server, and nothing else: what a model says
# can never become a script.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = (
    ("Vary", "Accept"),  # at "/" a program gets a text
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Cache-Control", "no-cache"),
    ("Referrer-Policy", "no-referrer"),
)


class Text(msgspec.Struct, frozen=True):
    """The data of a `thinking` or `message` event."""

    text: str


class Done(msgspec.Struct, frozen=True):
    """The data of the `done` event."""

    finish_reason: FinishReason


class NamedEvents:
    """Writes an answer as the events of `GET /chat/{text}`, for `EventSource` in a browser."""

    opening = b""

    def __init__(self, answers: Items[Answer], prompt_tokens: int) -> None:
        (self._answer,) = answers

    def steps(self) -> Iterator[bytes]:
        """The bytes of each step of the engine."""
        for name, tokens in (("thinking", self._answer.thinking), ("message", self._answer.text)):
            for token in tokens:
                yield _event(name, Text(token))

    @property
    def last(self) -> bytes:
        """What leaves with the end of the body."""
        return _event("done", self.whole())

    def whole(self) -> Done:
        return Done(self._answer.finish_reason)


def _event(name: str, data: msgspec.Struct) -> bytes:
    return encode_event(ServerSentEvent(name, msgspec.json.encode(data).decode()))


def routes(
    pace: Pace,
    engine: Engine | None = None,
    model: Model | None = None,
    settings: Settings | None = None,
    access: Access | None = None,
) -> Routes:
    """All routes of this server.

    Args:
        pace: how fast the model speaks.
        engine: makes the tokens; by default one with room for 4,096 answers at a time.
        model: knows what to say.
        settings: of the OpenAI API.
        access: who may use it; by default any program, and no page of another origin.
    """
    engine = engine or Engine()
    api = API(pace, engine, model or Model(), settings or Settings())
    recordings = Recordings()
    files = {path.name: path for path in PAGE.iterdir() if path.suffix in CONTENT_TYPES}

    def page_file(name: str) -> Reply:
        path = files[name]
        return Reply(path.read_bytes(), 200, CONTENT_TYPES[path.suffix], PAGE_HEADERS)

    async def home(request: Request) -> Reply | StreamingReply:
        if "text/html" in (request.header("accept") or ""):
            return page_file("index.html")

        async def words() -> AsyncGenerator[bytes | Last, None]:
            clock = pace.start()
            for word in tokenize(GREETING):
                await clock.next_token()
                yield word.encode()

        return StreamingReply(words(), headers=(("Vary", "Accept"),))

    async def page(request: Request) -> Reply:
        if request.params["name"] not in files:
            return Reply("404 Not Found\n\nThe page has no such file.\n", 404)
        return page_file(request.params["name"])

    async def chat(request: Request) -> Reply | StreamingReply:
        # An EventSource can send no header: what a program would put there stands in the query.
        wishes = {name: values[-1] for name, values in parse_qs(request.query).items()}
        turns = [Turn("user", request.params["text"])]
        question = Question(model=wishes.get("model", MODEL), turns=turns)
        fault = wishes.get("fault", "")
        try:
            return await api.answer(
                request, question, NamedEvents, route="GET /chat/{text}", stream=True, fault=fault
            )
        except InvalidRequest as error:
            return Reply(f"400 Bad Request\n\n{error}\n", 400)

    async def faults(request: Request) -> Reply:
        return Reply(listing())

    async def metrics(request: Request) -> Reply:
        return Reply(engine.metrics.render(), content_type=Metrics.CONTENT_TYPE)

    async def health(request: Request) -> Reply:
        return Reply(b'{"status":"ok"}', content_type="application/json")

    table: dict[str, Handler] = {
        "GET /": recordings.recorded(home),
        "GET /page/{name}": page,
        "GET /chat/{text}": recordings.recorded(chat),
        "GET /faults": faults,
        "GET /metrics": metrics,
        "GET /health": health,
    }
    guarded = (access or Access()).guard(api.table | {"GET /wire/{id}": recordings.replay})
    for key, handler in guarded.items():
        table[key] = identified(handler)
        if key.startswith("POST"):
            table[key] = recordings.recorded(table[key])
    return Routes(table, tasks=[engine.run, recordings.run])


def from_flags(options: argparse.Namespace) -> Routes:
    """The routes that these flags ask for.

    Raises:
        OSError, ValueError: a file that one of them names cannot be used.
    """
    return routes(
        flags.pace_of(options),
        flags.engine_of(options),
        flags.model_of(options),
        flags.settings_of(options),
        flags.access_of(options),
    )


def main(argv: Items[str] | None = None) -> int:
    """Run the server alone."""
    parser = arguments("servers.chat", "The chat page and the simulated LLM.", 8000)
    flags.add_flags(parser)
    options = parser.parse_args(argv)
    try:
        served = from_flags(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return run(options, "servers.chat", served, flags.limits_of(options))


if __name__ == "__main__":
    sys.exit(main())
