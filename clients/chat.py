"""A streamed answer of any OpenAI-compatible API: `POST …/chat/completions`, delta by delta.

    request = ChatRequest("sim-1", [RequestMessage("user", "你好")])
    async with stream_chat("http://localhost:8000/v1", request) as answer:
        async for delta in answer:
            print(delta.text, end="", flush=True)

    data: {…,"choices":[{"index":0,"delta":{"content":"你"},…}]}    >   text="你"
    data: {…,"choices":[{…,"delta":{},"finish_reason":"stop"}]}     >   finish_reason="stop"
    data: [DONE]                                                    >   the end

The rules this file keeps:

1. The caller gets a delta as soon as its event is complete. Nothing is read before the caller asks
   for it.
2. An answer is complete only with a `finish_reason` or a `[DONE]`. Any other end raises a
   `CutOffError`, after all deltas that came before it.
3. An error may come as a status, or as an event after a 200: both raise an `APIError`.
4. A server may send the whole answer in one body instead of a stream. This client reads that too.
5. Every wait has a timeout: for the next event, and after a `finish_reason` for `[DONE]`.
6. The key is sent in one header, over TLS or to this machine only, and no error message contains
   it.
"""

import math
from collections import deque
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
from .streams.tcp import Connect, connect
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
SILENCE = 300.0  # seconds: a request may wait in a queue, and a model may think for minutes
AFTER_THE_END = 2.0  # seconds to wait after a finish_reason for the usage and [DONE]
ERROR_SECONDS = 5.0  # seconds to wait for the body of an error
MAX_BODY = 16 << 20  # bytes of a body that is not a stream
MAX_MESSAGE = 2000  # characters of a server's error message


# ---- What goes wrong


class ChatError(Exception):
    """The answer is missing or incomplete. (A failed request: `clients.http.errors`.)"""


class APIError(ChatError):
    """The server answered with an error.

    Attributes:
        message, code: The error's message and code, in the server's words. Keys in the message are
            redacted.
        status: The status of the response, which is 200 if the error was an event of the stream.
        retry_after: The value of the Retry-After header, or None.
        request_id: The server's id of this request, or None. The server's operator can look it up.
    """

    def __init__(self, error: ErrorBody, response: Response) -> None:
        self.message = _shortened(redact(error.message))
        self.code = error.code
        self.status = response.status
        self.retry_after = response.header("retry-after")
        self.request_id = response.header("x-request-id")
        status = "" if is_success(response) else f" (status {self.status})"
        super().__init__(self.message + status)


class NoAnswerError(ChatError):
    """The server accepted the connection, but sent nothing before the timeout."""


class CutOffError(ChatError):
    """The stream ended before the answer was complete. The caller has received everything before
    the end."""


class UnreadableError(ChatError):
    """The response is not a chat stream: for example, a page of HTML, or an event that is not
    JSON."""


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
    connect: Connect = connect,
) -> AsyncGenerator["ChatStream", None]:
    """Send a request, and receive the answer while it is generated. Leaving the block cancels the
    request.

    Args:
        base_url: The URL of an API, such as `https://api.openai.com/v1`.
        chat: The request. Its `stream` is always sent as true.
        key: The key for the Authorization header.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        observer: Its methods are called with the bytes and the events.
        silence: Seconds to wait for the head, for the first event and between two events. Comments
            do not count, because a proxy sends them even if the model has stalled.
        connect: The function that opens the connection, by default over TCP.

    Raises:
        ValueError: The URL or the file cannot be used, or the key would be sent without encryption.
        clients.http.errors.RequestError: There is no connection, or no response.
        APIError, NoAnswerError, UnreadableError: The server gave no answer.
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
            asking = request(
                "POST", url, headers, body, ca_file=ca_file, observer=observer, connect=connect
            )
            response = await opened.enter_async_context(asking)
            kind = response.header("content-type") or "no content type"
            is_stream = is_success(response) and kind.lower().startswith("text/event-stream")
            whole = None if is_stream else await _answer(response, kind)
            answer = ChatStream(response, chat, observer, silence, whole)
        if answer is None:
            raise NoAnswerError(f"no answer from {base_url} in {silence:g} s")
        yield answer


def is_private(base_url: str) -> bool:
    """Return whether requests to this URL are safe from eavesdroppers: they use TLS or stay on this
    machine."""
    parts = urlsplit(base_url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def is_success(response: Response) -> bool:
    """Return whether the status is 2xx. Some servers stream with a 201 or 202 (RFC 9110 §15.3)."""
    return 200 <= response.status < 300


def encode_request(chat: ChatRequest) -> bytes:
    """Return the request's body, without fields that are None, because some servers refuse null."""
    fields = msgspec.structs.asdict(chat) | {"stream": True}
    return msgspec.json.encode({name: fields[name] for name in fields if fields[name] is not None})


class ChatStream:
    """An answer that is still arriving: iterate over its deltas.

    Attributes:
        response: The response, whose head has arrived and whose body is still arriving.
        request_id: The server's id of this request, or None.
        finish_reason: The server's reason why the answer ended, or None until it has arrived.
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
        self._timeout = silence  # seconds left of `silence`, or of AFTER_THE_END
        self._parser = EventStreamParser()
        self._reader = DeltaReader()
        self._events: deque[ServerSentEvent] = deque()
        # The error to raise when the caller has received everything that came before the end.
        self._ending: Exception | None = StopAsyncIteration() if whole else None
        self._rest = whole

    def __aiter__(self) -> "ChatStream":
        return self

    # region one-delta
    async def __anext__(self) -> ChatDelta:
        """Wait for the next delta.

        Raises:
            CutOffError: The stream ended too early, the connection broke, or a timeout expired.
            APIError: The server reports an error.
            UnreadableError: An event is not a delta.
        """
        while self._events or self._ending is None:
            if not self._events:
                await self._receive()
                continue
            event = self._events.popleft()
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
        """Return the delta of an event, or None if the event is only an error."""
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
        # After a finish_reason the rest normally follows at once. But some servers send "stop" in
        # each event, and some send more, empty events.
        self.finish_reason = delta.finish_reason or self.finish_reason
        if self.finish_reason is None:
            self._timeout = self._silence
        elif delta != ChatDelta():
            self._timeout = AFTER_THE_END
        return delta

    async def _receive(self) -> None:
        """Wait for one read. A read may bring events, a part of an event, or the end."""
        began = trio.current_time()
        try:
            with trio.move_on_after(self._timeout):
                piece = await self.response.receive_some()
                self._timeout -= trio.current_time() - began
                self._events.extend(self._parser.receive_data(piece))
                if not piece:
                    # A clean end proves nothing: it may come from a proxy that lost its upstream.
                    self._end_early("the stream ended without a finish_reason and without [DONE]")
                return
            self._end_early(f"nothing came for {self._silence:g} s")
        except RequestError as error:
            self._end(CutOffError(str(error)))
        except DecodeError as error:  # a line over 16 MiB; the events before it count
            self._end(UnreadableError(str(error)))
            self._events.extend(one for one in error.decoded if isinstance(one, ServerSentEvent))

    def _end_early(self, why: str) -> None:
        self._end(CutOffError(why) if self.finish_reason is None else StopAsyncIteration())

    def _end(self, ending: Exception) -> None:
        self._events.clear()
        self._ending = ending


async def _answer(response: Response, kind: str) -> ChatDelta:
    """Read a response that is not a stream. Returns the whole answer.

    Raises:
        APIError, CutOffError, UnreadableError: The response contains no answer.
    """
    body = await _body(response)
    try:
        whole = read_delta(body)
    except ValueError:  # text, or a page of HTML
        whole = ChatDelta()
    if is_success(response) and whole.error is None:
        if whole.said or whole.thinking or whole.tool_calls:
            return whole
        said = read_failure(body)
        words = f": {_shortened(redact(said.message))}" if said else ""
        raise UnreadableError(f"{kind} in place of an event stream{words}")
    error = whole.error or read_failure(body)
    raise APIError(error or ErrorBody(f"{kind} in place of an answer", ""), response)


async def _body(response: Response) -> bytes:
    """Read a body. If it describes an error, stop after a short time, because the status says
    enough."""
    body = bytearray()
    try:
        with trio.move_on_after(math.inf if is_success(response) else ERROR_SECONDS):
            async for piece in response:
                body += piece
                if len(body) > MAX_BODY:
                    break
    except RequestError as error:
        if is_success(response):
            raise CutOffError(str(error)) from error
    return bytes(body)


# What this file does not do: remember a conversation (workshop/chat), retry, or run tools.
