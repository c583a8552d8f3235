"""8000: home, the chat page, and the simulated LLM.

    GET  /                       a greeting in chunks; to a browser, the chat page
    GET  /chat/{text}            an answer as an event stream: thinking, message, done
    POST /v1/chat/completions    the OpenAI API, streaming and not
    GET  /v1/models, /health

    $ curl -N http://localhost:8000/chat/你好
    event: thinking
    data: {"text":"The"}
    …
    data: {"text":"#"}
    …
    event: done
    data: {"finish_reason":"stop"}
"""

import secrets
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from collections.abc import Sequence as Items
from pathlib import Path

import msgspec
import trio
from msgspec import UNSET

from protocol.chat_completions import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatRequest,
    Choice,
    ChunkChoice,
    Delta,
    DeltaTemplate,
    FinishReason,
    Message,
    Usage,
    read_chat_request,
)
from protocol.openai import DONE, ErrorBody, ErrorResponse, InvalidRequest, encode_data
from protocol.sse import ServerSentEvent, encode_event

from .command import arguments, run, seconds
from .llm.engine import Engine, Sequence, TokenSource
from .llm.model import MODEL, Answer, answer
from .llm.tokens import tokenize
from .pace import Pace
from .reply import EventStream, Handler, Last, Reply, Request, StreamingReply
from .routes import Routes

__all__ = ["main", "routes"]

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


def routes(pace: Pace, engine: Engine | None = None) -> Routes:
    """All routes of this server.

    Args:
        pace: how fast the model speaks.
        engine: makes the tokens; by default one with room for 4,096 answers at a time.
    """
    engine = engine or Engine()
    counting = trio.CapacityLimiter(2)
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

    async def chat(request: Request) -> Reply | EventStream:
        if engine.is_full:
            return _busy()
        return _chat(engine, answer(request.params["text"]), pace)

    async def completions(request: Request) -> Reply | EventStream:
        try:
            asked = read_chat_request(request.body)
        except InvalidRequest as error:
            return _error(400, str(error), error.param)
        if engine.is_full:
            return _busy()
        if len(request.body) > MAX_PROMPT:
            message = f"The messages are longer than {MAX_PROMPT} characters."
            return _error(400, message, "messages", "context_length_exceeded")
        if len(request.body) > LARGE_BODY:
            completion = await trio.to_thread.run_sync(
                Completion, asked, abandon_on_cancel=True, limiter=counting
            )
        else:
            completion = Completion(asked)
        if asked.stream:
            return completion.stream(engine, pace)
        return await completion.whole(engine, pace)

    async def models(request: Request) -> Reply:
        data = [{"id": MODEL, "object": "model", "created": 0, "owned_by": "workshop"}]
        return _json({"object": "list", "data": data})

    async def health(request: Request) -> Reply:
        return _json({"status": "ok"})

    table: dict[str, Handler] = {
        "GET /": home,
        "GET /page/{name}": page,
        "GET /chat/{text}": chat,
        "POST /v1/chat/completions": completions,
        "GET /v1/models": models,
        "GET /health": health,
    }
    return Routes(table, tasks=[engine.run])


def _chat(engine: Engine, said: Answer, pace: Pace) -> EventStream:
    def events() -> Iterator[bytes]:
        for name, tokens in (("thinking", said.thinking), ("message", said.text)):
            for token in tokens:
                yield encode_event(_named(name, Text(token)))

    done = encode_event(_named("done", Done("stop")))
    return EventStream(TokenSource(engine, events(), pace.gaps(), pace.ttft, done))


def _named(name: str, data: msgspec.Struct) -> ServerSentEvent:
    return ServerSentEvent(name, msgspec.json.encode(data).decode())


class Completion:
    """One answer of `POST /v1/chat/completions`."""

    def __init__(self, asked: ChatRequest) -> None:
        self._asked = asked
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self.headers = (("x-request-id", f"req_{secrets.token_hex(12)}"),)
        said = answer(asked.messages[-1].text)
        limit = asked.token_limit
        self._thinking = said.thinking[:limit]
        self._text = said.text[: None if limit is None else limit - len(self._thinking)]
        said_all = len(self._text) == len(said.text)
        self._finish_reason: FinishReason = "stop" if said_all else "length"
        prompt_tokens = sum(len(tokenize(message.text)) for message in asked.messages)
        completion_tokens = len(self._thinking) + len(self._text)
        self._usage = Usage.of(prompt_tokens, completion_tokens, len(self._thinking))

    def stream(self, engine: Engine, pace: Pace) -> EventStream:
        """The answer as events, each one chunk of the API."""
        last = self._chunk(Delta(), self._finish_reason)
        if self._asked.includes_usage:
            last += encode_data(self._object([], self._usage))
        source = TokenSource(engine, self._events(), pace.gaps(), pace.ttft, last + DONE)
        return EventStream(source, headers=self.headers)

    def _events(self) -> Iterator[bytes]:
        thought = DeltaTemplate(self._object_of(Delta(reasoning_content="")), "reasoning_content")
        text = DeltaTemplate(self._object_of(Delta(content="")), "content")
        # The role comes with the first token: it is not one.
        role = self._chunk(Delta(role="assistant", content="", refusal=None))
        for token in self._thinking:
            yield role + thought.encode(token)
            role = b""
        for token in self._text:
            yield role + text.encode(token)
            role = b""

    async def whole(self, engine: Engine, pace: Pace) -> Reply:
        """The same answer in one piece, when the model has said it all."""
        steps = (b"" for _ in [*self._thinking, *self._text])
        sequence = Sequence(steps, pace.gaps(), pace.ttft, write=lambda piece, now: True)
        await engine.drive(sequence, flush=trio.lowlevel.checkpoint)
        message = Message(
            role="assistant",
            content="".join(self._text),
            reasoning_content="".join(self._thinking),
        )
        completion = ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._asked.model,
            choices=[Choice(0, message, finish_reason=self._finish_reason)],
            usage=self._usage,
            system_fingerprint=FINGERPRINT,
        )
        return _json(completion, headers=self.headers)

    def _chunk(self, delta: Delta, finish_reason: FinishReason | None = None) -> bytes:
        return encode_data(self._object_of(delta, finish_reason))

    def _object_of(
        self, delta: Delta, finish_reason: FinishReason | None = None
    ) -> ChatCompletionChunk:
        return self._object([ChunkChoice(0, delta, finish_reason=finish_reason)], None)

    def _object(self, choices: list[ChunkChoice], usage: Usage | None) -> ChatCompletionChunk:
        return ChatCompletionChunk(
            id=self._id,
            created=self._created,
            model=self._asked.model,
            system_fingerprint=FINGERPRINT,
            choices=choices,
            # `usage` stands in the chunks only if it was asked for: null until the last.
            usage=usage if self._asked.includes_usage else UNSET,
        )


FINGERPRINT = "fp_sim_1"

# Bytes whose tokens are counted in a thread: counting a megabyte would stop every other stream.
LARGE_BODY = 16 << 10

MAX_PROMPT = 2_000_000  # characters: the model's context, so to speak


def _json(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(msgspec.json.encode(value), status, "application/json", headers)


def _error(status: int, message: str, param: str | None, code: str | None = None) -> Reply:
    error = ErrorBody(message=message, type="invalid_request_error", param=param, code=code)
    return _json(ErrorResponse(error), status)


def _busy() -> Reply:
    error = ErrorBody(message="The model's batch and its queue are full.", type="server_error")
    return _json(ErrorResponse(error), 503, (("Retry-After", "1"),))


def main(argv: Items[str] | None = None) -> int:
    """Run the server alone."""
    parser = arguments("servers.chat", "The chat page and the simulated LLM.", 8000)
    parser.add_argument(
        "--ttft",
        type=seconds,
        default=Pace().ttft,
        metavar="S",
        help="time to first token in seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--itl",
        type=seconds,
        default=Pace().itl,
        metavar="S",
        help="inter-token latency in seconds (default: %(default)s)",
    )
    options = parser.parse_args(argv)
    return run(options, "servers.chat", routes(Pace(options.ttft, options.itl)))


if __name__ == "__main__":
    sys.exit(main())
