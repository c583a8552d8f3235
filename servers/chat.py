"""8000: home, the chat page, and the simulated LLM.

    GET  /                       a greeting in chunks; to a browser, the chat page
    GET  /chat/{text}            an answer as an event stream: thinking, message, done
    POST /v1/chat/completions    the OpenAI API, streaming and not
    GET  /v1/models, /health

    $ curl -N http://localhost:8000/chat/你好
    event: thinking
    data: {"text":"The"}
    …
    data: {"text":"##"}
    …
    event: done
    data: {"finish_reason":"stop"}
"""

import secrets
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET

from protocol.openai import (
    DONE,
    ChatCompletion,
    ChatCompletionChunk,
    ChatRequest,
    Choice,
    ChunkChoice,
    Delta,
    ErrorBody,
    ErrorResponse,
    FinishReason,
    InvalidRequest,
    Message,
    Usage,
    encode_data,
    read_chat_request,
)
from protocol.sse import ServerSentEvent, encode_event

from .command import arguments, run, seconds
from .model import MODEL, Answer, Pace, answer, tokenize
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


def routes(pace: Pace) -> Routes:
    """All routes of this server.

    Args:
        pace: how fast the model speaks.
    """
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

    async def chat(request: Request) -> EventStream:
        return EventStream(_events(answer(request.params["text"]), pace))

    async def completions(request: Request) -> Reply | EventStream:
        try:
            asked = read_chat_request(request.body)
        except InvalidRequest as error:
            return _error(400, str(error), error.param)
        completion = Completion(asked)
        if asked.stream:
            return EventStream(completion.chunks(pace), headers=completion.headers)
        return await completion.whole(pace)

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
    return Routes(table)


async def _events(said: Answer, pace: Pace) -> AsyncGenerator[bytes | Last, None]:
    clock = pace.start()
    for name, tokens in (("thinking", said.thinking), ("message", said.text)):
        for token in tokens:
            await clock.next_token()
            data = msgspec.json.encode(Text(token)).decode()
            yield encode_event(ServerSentEvent(name, data))
    data = msgspec.json.encode(Done("stop")).decode()
    yield Last(encode_event(ServerSentEvent("done", data)))


class Completion:
    """One answer of `POST /v1/chat/completions`."""

    def __init__(self, asked: ChatRequest) -> None:
        self._asked = asked
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self.headers = (("x-request-id", f"req_{secrets.token_hex(12)}"),)
        said = answer(asked.prompt)
        limit = asked.token_limit
        self._thinking = said.thinking[:limit]
        self._text = said.text[: None if limit is None else limit - len(self._thinking)]
        said_all = len(self._text) == len(said.text)
        self._finish_reason: FinishReason = "stop" if said_all else "length"
        prompt_tokens = sum(len(tokenize(message.text)) for message in asked.messages)
        completion_tokens = len(self._thinking) + len(self._text)
        total_tokens = prompt_tokens + completion_tokens
        self._usage = Usage(prompt_tokens, completion_tokens, total_tokens)

    async def chunks(self, pace: Pace) -> AsyncGenerator[bytes | Last, None]:
        """The events of a streamed answer, each one chunk of the API."""
        yield self._chunk(Delta(role="assistant", content="", refusal=None))
        clock = pace.start()
        for token in self._thinking:
            await clock.next_token()
            yield self._chunk(Delta(reasoning_content=token))
        for token in self._text:
            await clock.next_token()
            yield self._chunk(Delta(content=token))
        yield self._chunk(Delta(), self._finish_reason)
        if self._asked.includes_usage:
            yield encode_data(self._object([], self._usage))
        yield Last(DONE)

    async def whole(self, pace: Pace) -> Reply:
        """The same answer in one piece, when the model has said it all."""
        clock = pace.start()
        for _ in self._thinking + self._text:
            await clock.next_token()
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
        choice = ChunkChoice(0, delta, finish_reason=finish_reason)
        return encode_data(self._object([choice], None))

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


def _json(value: object, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(msgspec.json.encode(value), status, "application/json", headers)


def _error(status: int, message: str, param: str | None) -> Reply:
    error = ErrorBody(message=message, type="invalid_request_error", param=param)
    return _json(ErrorResponse(error), status)


def main(argv: Sequence[str] | None = None) -> int:
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
