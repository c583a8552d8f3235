"""A streamed answer of any OpenAI-compatible API: `POST …/chat/completions`, delta by delta.

    request = ChatRequest("sim-1", [RequestMessage("user", "你好")])
    async with stream_chat("http://localhost:8000/v1", request) as answer:
        async for delta in answer:
            print(delta.text, end="", flush=True)

    data: {…,"choices":[{"index":0,"delta":{"content":"你"},…}]}    >   text="你"
    data: {…,"choices":[{…,"delta":{},"finish_reason":"stop"}]}     >   finish_reason="stop"
    data: [DONE]                                                    >   the end

The rules this file keeps:

1. A delta is given out the moment its event is whole; nothing is read ahead of whoever asks.
2. Only an answer with a `finish_reason` or a `[DONE]` is whole. Any other end is a `CutOffError`,
   and it comes after everything that came before it.
3. An error may come as a status, or after a 200 as an event: both are an `APIError`.
4. A server that sends the whole answer where a stream was asked for is read, too.
5. No wait is without end: for the server's next words, and once its answer is whole, for `[DONE]`.
6. The key is in one header, over TLS or to this machine, and in no message of an error.
"""

import math
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import msgspec
import trio

from protocol.errors import DecodeError
from protocol.openai.chat_completions import ChatRequest
from protocol.openai.common import ErrorBody
from protocol.openai.deltas import ChatDelta, DeltaReader, read_delta, read_failure
from protocol.secret import Secret, redact
from protocol.sse import EventStreamParser, ServerSentEvent

from .http.client import request
from .http.errors import RequestError
from .http.exchange import Headers, Response
from .tap import WireObserver

__all__ = [
    "SILENCE",
    "APIError",
    "ChatError",
    "ChatStream",
    "CutOffError",
    "NoAnswerError",
    "UnreadableError",
    "encode_request",
    "is_private",
    "stream_chat",
]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SILENCE = 300.0  # seconds: a model may think for minutes, and a queue before it is long
AFTER_THE_END = 2.0  # seconds in which the usage and [DONE] follow a finish_reason
ERROR_SECONDS = 5.0  # for the body of an error
MAX_BODY = 16 << 20  # bytes of a body that is no stream
MAX_MESSAGE = 2000  # characters of what a server says in an error


# ---- What goes wrong


class ChatError(Exception):
    """No answer, or not all of it. (No connection is a `clients.http.errors.RequestError`.)"""


class APIError(ChatError):
    """The server says why not.

    Attributes:
        message, code: its own words, without any key.
        status: 200 if it said so in the stream, after a good head.
        retry_after: the header of that name, or None.
        request_id: for whoever runs the server, or None.
    """

    def __init__(self, error: ErrorBody, response: Response) -> None:
        self.message = _shortened(redact(error.message))
        self.code = error.code
        self.status = response.status
        self.retry_after = response.header("retry-after")
        self.request_id = response.header("x-request-id")
        status = "" if is_good(response) else f" (status {self.status})"
        super().__init__(self.message + status)


class NoAnswerError(ChatError):
    """The server has accepted the connection, and said nothing for too long."""


class CutOffError(ChatError):
    """The stream ended before the answer did. What came before has been given out."""


class UnreadableError(ChatError):
    """What came is no chat stream: a page of HTML, or an event that is no JSON."""


def _shortened(message: str) -> str:
    return message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + "…"


# ---- The client


@asynccontextmanager
async def stream_chat(
    base_url: str,
    chat: ChatRequest,
    *,
    key: Secret | None = None,
    ca_file: str | None = None,
    observer: WireObserver | None = None,
    silence: float = SILENCE,
) -> AsyncGenerator["ChatStream", None]:
    """Ask, and receive the answer while it is made. Leaving the block stops it.

    Args:
        base_url: `https://api.openai.com/v1`, or of any compatible API.
        chat: what to ask; `stream` is set here.
        key: for the Authorization header.
        ca_file: certificates (PEM) to trust in place of the system's.
        observer: sees the bytes and the events.
        silence: seconds to wait for the head, for the first event and from one event to the next.
            Comments do not count: they also come from a proxy whose model has stalled.

    Raises:
        ValueError: not such a URL or file, or a key that everybody on the way could read.
        clients.http.errors.RequestError: no connection, or no response.
        APIError, NoAnswerError, UnreadableError: no answer.
    """
    if key is not None and not is_private(base_url):
        raise ValueError(f"a key over plain http:// can be read on the way: {base_url}")
    url = base_url.rstrip("/") + "/chat/completions"
    headers: Headers = (
        ("Content-Type", "application/json"),
        ("Accept", "text/event-stream"),
        ("Accept-Encoding", "identity"),  # a compressor holds events back
    )
    if key is not None:
        headers += (("Authorization", f"Bearer {key.reveal()}"),)
    body = encode_request(chat)
    async with AsyncExitStack() as opened:
        answer = None
        with trio.move_on_after(silence):
            asking = request("POST", url, headers, body, ca_file=ca_file, observer=observer)
            response = await opened.enter_async_context(asking)
            kind = response.header("content-type") or "no content type"
            is_stream = is_good(response) and kind.lower().startswith("text/event-stream")
            whole = None if is_stream else await _answer(response, kind)
            answer = ChatStream(response, chat, observer, silence, whole)
        if answer is None:
            raise NoAnswerError(f"no answer from {base_url} in {silence:g} s")
        yield answer


def is_private(base_url: str) -> bool:
    """Whether nobody on the way can read what is sent there: TLS, or no way at all."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def is_good(response: Response) -> bool:
    """Whether the status says so: some answer 201 or 202 with a stream (RFC 9110 §15.3)."""
    return 200 <= response.status < 300


def encode_request(chat: ChatRequest) -> bytes:
    """The request's body. What is None is left out: not every server takes null for absent."""
    fields = msgspec.structs.asdict(chat) | {"stream": True}
    return msgspec.json.encode({name: fields[name] for name in fields if fields[name] is not None})


class ChatStream:
    """An answer that is on its way: iterate over its deltas.

    Attributes:
        response: its head has come.
        request_id: the server's name for this exchange, or None.
        finish_reason: once it has come.
    """

    def __init__(
        self,
        response: Response,
        chat: ChatRequest,
        observer: WireObserver | None,
        silence: float,
        whole: ChatDelta | None = None,
    ) -> None:
        self.response = response
        self.request_id = response.header("x-request-id")
        self.finish_reason: str | None = None
        self._several = (chat.n or 1) > 1
        self._observer = observer or WireObserver()
        self._silence = silence
        self._patience = silence  # seconds that are left of it, or of AFTER_THE_END
        self._parser = EventStreamParser()
        self._reader = DeltaReader()
        self._events: list[ServerSentEvent] = []
        # What is raised when all that came before it has been given out.
        self._ending: Exception | None = StopAsyncIteration() if whole else None
        self._rest = whole

    def __aiter__(self) -> "ChatStream":
        return self

    # region one-delta
    async def __anext__(self) -> ChatDelta:
        """The next delta.

        Raises:
            CutOffError: the stream ended too early, the connection broke, or nothing came.
            APIError: the server gave up, and says why.
            UnreadableError: an event that is no delta.
        """
        while self._events or self._ending is None:
            if not self._events:
                await self._receive()
                continue
            event = self._events.pop(0)
            self._observer.event(event)
            data = event.data.strip()
            if data.startswith("[DONE]"):
                self._end(StopAsyncIteration())
            elif data:  # some servers keep a stream alive with empty data
                delta = self._read(event)
                if delta is not None:
                    return delta
        rest, self._rest = self._rest or self._reader.end(), None
        if rest == ChatDelta():
            raise self._ending or StopAsyncIteration
        self.finish_reason = self.finish_reason or rest.finish_reason
        return rest

    # endregion

    def _read(self, event: ServerSentEvent) -> ChatDelta | None:
        """What an event adds; None if it is an error and nothing more."""
        try:
            delta = self._reader.read(event.data, event.event)
        except ValueError as error:
            self._end(UnreadableError(f"an event that is {redact(str(error))}"))
            return None
        if delta.error is not None:
            self._end(APIError(delta.error, self.response))
            return delta if delta.said or delta.thinking else None
        if self._several and delta.index:
            delta = ChatDelta(usage=delta.usage)
        # What follows a finish_reason follows at once. But some servers say "stop" with each word,
        # and some go on with events in which there is nothing.
        self.finish_reason = delta.finish_reason or self.finish_reason
        if self.finish_reason is None:
            self._patience = self._silence
        elif delta != ChatDelta():
            self._patience = AFTER_THE_END
        return delta

    async def _receive(self) -> None:
        """What the next read brings: events, perhaps none yet, or the end."""
        began = trio.current_time()
        try:
            with trio.move_on_after(self._patience):
                piece = await self.response.receive_some()
                self._patience -= trio.current_time() - began
                self._events = self._parser.receive_data(piece)
                if not piece:
                    # A proxy that loses its upstream may end the body cleanly: that proves nothing.
                    self._end_early("the stream ended without a finish_reason and without [DONE]")
                return
            self._end_early(f"nothing came for {self._silence:g} s")
        except RequestError as error:
            self._end(CutOffError(str(error)))
        except DecodeError as error:  # a line over 16 MiB; what was good before it comes first
            self._end(UnreadableError(str(error)))
            self._events = [one for one in error.decoded if isinstance(one, ServerSentEvent)]

    def _end_early(self, why: str) -> None:
        self._end(CutOffError(why) if self.finish_reason is None else StopAsyncIteration())

    def _end(self, ending: Exception) -> None:
        self._events = []
        self._ending = ending


async def _answer(response: Response, kind: str) -> ChatDelta:
    """What a response that is no stream says: all of the answer, or why there is none.

    Raises:
        APIError, CutOffError, UnreadableError: there is none.
    """
    body = await _body(response)
    try:
        whole = read_delta(body)
    except ValueError:  # text, or a page of HTML
        whole = ChatDelta()
    if is_good(response) and whole.error is None:
        if whole.said or whole.thinking or whole.tool_calls:
            return whole
        said = read_failure(body)
        words = f": {_shortened(redact(said.message))}" if said else ""
        raise UnreadableError(f"{kind} in place of an event stream{words}")
    error = whole.error or read_failure(body)
    raise APIError(error or ErrorBody(f"{kind} in place of an answer", ""), response)


async def _body(response: Response) -> bytes:
    """All of it. Of an error no more than comes soon: its status says the most."""
    body = bytearray()
    try:
        with trio.move_on_after(math.inf if is_good(response) else ERROR_SECONDS):
            async for piece in response:
                body += piece
                if len(body) > MAX_BODY:
                    break
    except RequestError as error:
        if is_good(response):
            raise CutOffError(str(error)) from error
    return bytes(body)


# What this file does not do: remember a conversation (workshop/chat), try again, run tools.
