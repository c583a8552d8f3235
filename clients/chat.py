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
4. The key is in one header, over TLS or to this machine, and in no message of an error.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import msgspec

from protocol.chat_completions import ChatRequest
from protocol.deltas import ChatDelta, read_delta
from protocol.errors import DecodeError
from protocol.openai import ErrorBody
from protocol.secret import Secret, redact
from protocol.sse import EventStreamParser, ServerSentEvent

from .errors import RequestError
from .exchange import Headers, Response
from .http import request
from .tap import Observer

__all__ = [
    "APIError",
    "ChatError",
    "ChatStream",
    "CutOffError",
    "UnreadableError",
    "encode_request",
    "is_private",
    "stream_chat",
]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MAX_ERROR = 1 << 20  # bytes of an error's body


# ---- What goes wrong


class ChatError(Exception):
    """No answer, or not all of it. (No connection is a `clients.errors.RequestError`.)"""


class APIError(ChatError):
    """The server says why not.

    Attributes:
        message, code: its own words, without any key.
        status: 200 if it said so in the stream, after a good head.
        retry_after: the header of that name, or None.
        request_id: for whoever runs the server, or None.
    """

    def __init__(self, error: ErrorBody, response: Response) -> None:
        self.message = redact(error.message)
        self.code = error.code
        self.status = response.status
        self.retry_after = response.header("retry-after")
        self.request_id = response.header("x-request-id")
        status = "" if self.status == 200 else f" (status {self.status})"
        super().__init__(self.message + status)


class CutOffError(ChatError):
    """The stream ended before the answer did. What came before has been given out."""


class UnreadableError(ChatError):
    """What came is no chat stream: a page of HTML, or an event that is no JSON."""


# ---- The client


@asynccontextmanager
async def stream_chat(
    base_url: str,
    chat: ChatRequest,
    *,
    key: Secret | None = None,
    ca_file: str | None = None,
    observer: Observer | None = None,
) -> AsyncGenerator["ChatStream", None]:
    """Ask, and receive the answer while it is made. Leaving the block stops it.

    Args:
        base_url: `https://api.openai.com/v1`, or of any compatible API.
        chat: what to ask; `stream` is set here.
        key: for the Authorization header.
        ca_file: certificates (PEM) to trust in place of the system's.
        observer: sees the bytes and the events.

    Raises:
        ValueError: not such a URL or file, or a key that everybody on the way could read.
        clients.errors.RequestError: no connection, or no response.
        APIError, UnreadableError: no stream.
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
    async with request("POST", url, headers, body, ca_file=ca_file, observer=observer) as response:
        kind = response.header("content-type") or "no content type"
        if response.status == 200 and kind.lower().startswith("text/event-stream"):
            yield ChatStream(response, observer)
        else:
            raise await _refusal(response, kind)


def is_private(base_url: str) -> bool:
    """Whether nobody on the way can read what is sent there: TLS, or no way at all."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


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

    def __init__(self, response: Response, observer: Observer | None = None) -> None:
        self.response = response
        self.request_id = response.header("x-request-id")
        self.finish_reason: str | None = None
        self._observer = observer or Observer()
        self._parser = EventStreamParser()
        self._events: list[ServerSentEvent] = []
        self._error: UnreadableError | None = None
        self._done = False

    def __aiter__(self) -> "ChatStream":
        return self

    # region one-delta
    async def __anext__(self) -> ChatDelta:
        """The next delta.

        Raises:
            CutOffError: the stream ended too early, or the connection broke.
            APIError: the server gave up, and says why.
            UnreadableError: an event that is no delta.
        """
        while not self._done:
            while not self._events:
                await self._receive()
            event = self._events.pop(0)
            self._observer.event(event)
            if event.data.startswith("[DONE]"):
                self._done = True
            elif event.data.strip():  # some servers keep a stream alive with empty data
                delta = self._read(event.data)
                self.finish_reason = delta.finish_reason or self.finish_reason
                return delta
        raise StopAsyncIteration

    # endregion

    async def _receive(self) -> None:
        """What the next read brings: events, perhaps none yet, or the end."""
        if self._error is not None:
            raise self._error
        try:
            piece = await self.response.receive_some()
            self._events = self._parser.receive_data(piece)
        except RequestError as error:
            raise CutOffError(str(error)) from error
        except DecodeError as error:  # a line over 16 MiB; what was good before it comes first
            self._events = [one for one in error.decoded if isinstance(one, ServerSentEvent)]
            self._error = UnreadableError(str(error))
        if not piece:
            # A proxy that loses its upstream may end the body cleanly: that proves nothing.
            if self.finish_reason is None:
                raise CutOffError("the stream ended without a finish_reason and without [DONE]")
            raise StopAsyncIteration

    def _read(self, data: str) -> ChatDelta:
        try:
            delta = read_delta(data)
        except ValueError as error:
            raise UnreadableError(f"an event that is {redact(str(error))}") from error
        if isinstance(delta, ErrorBody):
            raise APIError(delta, self.response)
        return delta


async def _refusal(response: Response, kind: str) -> ChatError:
    """What a response that is no stream says."""
    try:
        error = read_delta(await response.read(MAX_ERROR))
    except (RequestError, ValueError):  # cut off, or a page of HTML: the status says enough
        error = None
    if isinstance(error, ErrorBody):
        return APIError(error, response)
    if response.status == 200:
        return UnreadableError(f"{kind} in place of an event stream")
    return APIError(ErrorBody(f"{kind} in place of an answer", ""), response)


# What this file does not do: remember a conversation (workshop/chat), try again, run tools.
