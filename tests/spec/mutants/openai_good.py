"""A correct server of chat completions. A mutant changes one method of it.

    POST /v1/chat/completions     a stream, or one object; n, stop, max_tokens, logprobs and tools
    GET  /v1/models               one model

The header `X-Fault` makes an answer fail after its sixth chunk. Everything is a plain dict, so that
a mutant can spoil it before it is encoded.
"""

import json
from typing import Any

from clients.streams.tcp import ByteStream

from ..openai_asking import request_body
from .good import Answering
from .sse_good import TOKENS, Events, header

__all__ = ["API", "Chat", "Object", "Refusal", "is_plain"]

Object = dict[str, Any]

MODEL = "good-1"
ARGUMENTS = ('{"city":', '"北', '京"', "}")


class Refusal(Exception):
    """A request that is not accepted.

    Args:
        message: Why.
        status: Of the response.
        param: The field that is the cause.
        code: A short name of the cause.
    """

    def __init__(
        self, message: str, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def is_plain(asked: Object) -> bool:
    """Whether a request has no options."""
    return set(asked) <= {"model", "messages", "input", "stream"}


class API(Events):
    """What both APIs share: errors, models, and the choice between a stream and one object."""

    method = "POST"
    model = MODEL
    fault_at = 6
    subject = "messages"  # the field that holds what is asked

    # ---- Requests

    async def answer(self, stream: ByteStream, request: Answering) -> None:
        if request.path == "/v1/models":
            await self.send_json(stream, 200, self.models(), request)
        elif request.path != self.path or request.method == "HEAD":
            await super().answer(stream, request)
        elif request.method != "POST":
            await self.refuse_method(stream, request)
        else:
            try:
                asked = self.read(request.body)
                await self.answer_asked(stream, request, asked)
            except Refusal as refusal:
                await self.send_refusal(stream, request, refusal)

    async def answer_asked(self, stream: ByteStream, request: Answering, asked: Object) -> None:
        if self.streams(asked):
            await self.answer_stream(stream, request)
        else:
            await self.send_json(stream, 200, self.whole(asked), request)

    def streams(self, asked: Object) -> bool:
        return bool(asked.get("stream"))

    def read(self, body: bytes) -> Object:
        """Read and check a request.

        Raises:
            Refusal: It is not accepted.
        """
        try:
            asked = json.loads(body.decode())
        except ValueError as error:
            raise Refusal(f"The body is not JSON: {error}") from None
        self.check(asked)
        return asked  # type: ignore[no-any-return]

    def check(self, asked: Object) -> None:
        self.check_subject(asked)
        if asked.get("model") != MODEL:
            raise Refusal("There is no such model.", 404, "model", "model_not_found")

    def check_subject(self, asked: Object) -> None:
        if self.subject not in asked:
            raise Refusal(f"{self.subject} is required", param=self.subject)
        if not isinstance(asked[self.subject], self.subject_types):
            raise Refusal(f"{self.subject} has a wrong type", param=self.subject)

    subject_types: tuple[type, ...] = (list,)

    # ---- Refusals

    async def refuse_method(self, stream: ByteStream, request: Answering) -> None:
        lines = ["HTTP/1.1 405 Method Not Allowed", *self.date(), *self.allow()]
        await stream.send_all("\r\n".join([*lines, "Content-Length: 0", "", ""]).encode())

    def allow(self) -> list[str]:
        return ["Allow: POST, HEAD"]

    async def send_refusal(self, stream: ByteStream, request: Answering, error: Refusal) -> None:
        await self.send_json(stream, error.status, self.error(error), request)

    def error(self, error: Refusal) -> Object:
        fields = {"message": str(error), "type": "invalid_request_error"}
        return {"error": {**fields, "param": error.param, "code": error.code}}

    def models(self) -> Any:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "spec"}
        return {"object": "list", "data": [model]}

    async def send_json(
        self, stream: ByteStream, status: int, value: Any, request: Answering
    ) -> None:
        body = json.dumps(value).encode()
        await self.send_whole(stream, status, body, request, content_type="application/json")

    # ---- Streams

    def date(self) -> list[str]:
        return [*super().date(), "x-request-id: req_1"]

    def events(self, request: Answering) -> list[bytes]:
        asked = json.loads(request.body or self.request_body)
        events = self.stream_events(asked)
        if header(request, "X-Fault"):
            return [*events[: self.fault_at], *self.failure(events)]
        return events

    def stream_events(self, asked: Object) -> list[bytes]:
        """All events of an answer."""
        raise NotImplementedError

    def failure(self, events: list[bytes]) -> list[bytes]:
        """The end of an answer that fails."""
        raise NotImplementedError

    def whole(self, asked: Object) -> Object:
        """An answer in one piece."""
        raise NotImplementedError


class Chat(API):
    """The correct server of chat completions."""

    path = "/v1/chat/completions"
    request_body = request_body("openai", MODEL)

    # ---- The stream

    def stream_events(self, asked: Object) -> list[bytes]:
        chunks = [self.finished(chunk, number) for number, chunk in enumerate(self.chunks(asked))]
        return [*map(self.encode, chunks), self.done()]

    def encode(self, chunk: Object) -> bytes:
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()

    def done(self) -> bytes:
        return b"data: [DONE]\n\n"

    def finished(self, chunk: Object, number: int) -> Object:
        """The chunk as it is sent. Most mutants change this."""
        return chunk

    def chunks(self, asked: Object) -> list[Object]:
        """All chunks of an answer."""
        found: list[Object] = []
        for index in range(self.count_of(asked)):
            choices = self.choices(asked, index)
            found += [self.chunk([choice]) for choice in choices]
        if self.includes_usage(asked):
            found = [{**chunk, "usage": None} for chunk in found]
            found.append({**self.chunk([]), "usage": self.usage()})
        return found

    def count_of(self, asked: Object) -> int:
        return int(asked.get("n", 1))

    def includes_usage(self, asked: Object) -> bool:
        return bool((asked.get("stream_options") or {}).get("include_usage"))

    def usage(self) -> Object:
        return {"prompt_tokens": 9, "completion_tokens": 19, "total_tokens": 28}

    def chunk(self, choices: list[Object]) -> Object:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": self.model,
            "choices": choices,
        }

    def choices(self, asked: Object, index: int) -> list[Object]:
        """The choices of one answer: the role, the text or a call, and the end."""
        deltas: list[Object] = [{"role": "assistant", "content": ""}]
        if asked.get("tools"):
            deltas += [{"tool_calls": [piece]} for piece in self.call()]
        else:
            deltas += [{"content": token} for token in self.text(asked)]
        found: list[Object] = [self.choice(index, delta) for delta in deltas]
        if asked.get("logprobs"):
            for choice, delta in zip(found, deltas, strict=True):
                choice["logprobs"] = {"content": self.logprobs(str(delta.get("content") or ""))}
        return [*found, {**self.choice(index, {}), "finish_reason": self.reason(asked)}]

    def choice(self, index: int, delta: Object) -> Object:
        return {"index": index, "delta": delta, "finish_reason": None}

    def text(self, asked: Object) -> tuple[str, ...]:
        """The tokens of an answer, up to its limit or to a stop sequence."""
        tokens = TOKENS[: asked.get("max_tokens", len(TOKENS))]
        for stop in asked.get("stop") or []:
            tokens = ("".join(tokens).partition(stop)[0],)
        return tokens

    def reason(self, asked: Object) -> str:
        if asked.get("tools"):
            return "tool_calls"
        return "length" if "max_tokens" in asked else "stop"

    def logprobs(self, token: str) -> list[Object]:
        one = {"token": token, "logprob": -0.5, "bytes": list(token.encode())}
        return [{**one, "top_logprobs": [one]}] if token else []

    def call(self) -> list[Object]:
        """The pieces of a tool call."""
        function = {"name": "get_weather", "arguments": ""}
        opening = {"index": 0, "id": "call_1", "type": "function", "function": function}
        pieces = [{"index": 0, "function": {"arguments": piece}} for piece in ARGUMENTS]
        return [opening, *pieces]

    # ---- The rest

    def failure(self, events: list[bytes]) -> list[bytes]:
        error = {"message": "The model failed.", "type": "server_error"}
        return [self.encode({"error": {**error, "param": None, "code": None}})]

    def whole(self, asked: Object) -> Object:
        message = {"role": "assistant", "content": "".join(self.text(asked))}
        choice = {"index": 0, "message": message, "finish_reason": self.reason(asked)}
        return {**self.chunk([choice]), "object": "chat.completion", "usage": self.usage()}
