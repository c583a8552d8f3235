"""Requests to the OpenAI API, and the JSON of their answers, for the cases of its families.

    answer = await asked(target, {"n": 2}, what="`n`")     the target's request with this field
    for choice in Chat(answer).choices: …                   its choices, chunk by chunk

The rules this file keeps:

1. Each request is the target's own with some fields changed, so that model and key are right.
2. A server that refuses an option (4xx) is skipped: an option that does not exist is not a fault.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .answer import Answer
from .case import Failed, Skipped
from .reading import Block, Reading, read
from .target import Target

__all__ = [
    "LEFT_OUT",
    "Chat",
    "Choice",
    "Chunk",
    "Object",
    "accepts",
    "asked",
    "error_of",
    "json_body",
    "request_body",
    "request_with",
    "type_name",
    "usual_body",
]

Object = dict[str, Any]

LEFT_OUT = object()
"""In place of a value: the field is left out."""

PROMPT = (
    "Tell me in about 120 words how a streamed answer travels from the model to the screen: "
    "in plain sentences, without a list."
)


def usual_body(path: str, model: str = "") -> bytes | None:
    """The body of the request that streams, if the user gives none.

    Args:
        path: The path of the request.
        model: The name of the model; "" for a usual one.

    Returns:
        The body; None if the path is not one of the API.
    """
    path = path.partition("?")[0]
    for end, profile in (("/chat/completions", "openai"), ("/responses", "responses")):
        if path.endswith(end):
            return request_body(profile, model or "gpt-4o-mini")
    return None


def request_body(profile: str, model: str) -> bytes:
    """The body of a request that streams.

    Args:
        profile: "openai" or "responses".
        model: The name of the model.
    """
    fields: Object = {"model": model, "stream": True}
    if profile == "responses":
        fields["input"] = PROMPT
    else:
        fields["messages"] = [{"role": "user", "content": PROMPT}]
    return json.dumps(fields).encode()


def request_with(target: Target, changes: Mapping[str, object]) -> bytes:
    """The target's request, with these fields of its body changed.

    Raises:
        Skipped: The target's body is not a JSON object.
    """
    try:
        fields = json.loads(target.body)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise Skipped("the request's body is not a JSON object")
    fields |= changes
    kept = {name: value for name, value in fields.items() if value is not LEFT_OUT}
    return target.request(body=json.dumps(kept).encode())


async def asked(target: Target, changes: Mapping[str, object], *, what: str) -> Answer:
    """Ask with these changes. All cases with the same changes share the answer.

    Args:
        what: What the changes ask for, for the report.

    Raises:
        Skipped: The server refuses this.
    """
    await target.success()
    answer = await target.shared(request_with(target, changes))
    if answer.status != 200:
        raise Skipped(f"the server refuses {what}: status {answer.status or 'unknown'}")
    if not answer.complete:
        raise Skipped(f"the answer to {what} has no end")
    return answer


async def accepts(target: Target, changes: Mapping[str, object], say: str) -> None:
    """Ask with changes that a server should accept.

    Raises:
        Failed: It refuses them; `say` is the sentence that says so.
        Skipped: It refuses the request for another reason.
    """
    await target.success()
    answer = await target.shared(request_with(target, changes))
    if answer.status in (400, 404, 415, 422, 500):
        raise Failed(f"{say} is refused with status {answer.status}.", answer)
    if answer.status != 200:
        raise Skipped(f"the request got status {answer.status or 'unknown'}")


def json_body(answer: Answer) -> Object:
    """The body as a JSON object.

    Raises:
        Failed: It is not one.
    """
    try:
        value = json.loads(answer.body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failed("The body is not a JSON object.", answer)
    return value


def error_of(answer: Answer) -> Object:
    """The object `error` of a refusal.

    Raises:
        Failed: There is none.
    """
    body = json_body(answer)
    if "error" not in body:
        raise Failed("The body has no `error`.", answer)
    if not isinstance(body["error"], dict):
        raise Failed(f"`error` is {type_name(body['error'])}, not an object.", answer)
    return body["error"]


def type_name(value: object) -> str:
    """What JSON calls the type of a value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


class Chunk(NamedTuple):
    """One event of a chat stream whose data is a JSON object.

    Args:
        number: Its place among all events, from 0.
        block: The lines of the event.
        data: The object.
    """

    number: int
    block: Block
    data: Object


class Choice(NamedTuple):
    """One entry of a chunk's `choices`.

    Args:
        chunk: The chunk.
        number: Its `index`; 0 if that is not a number.
        data: The choice.
        delta: Its delta; {} if that is not an object.
    """

    chunk: Chunk
    number: int
    data: Object
    delta: Object

    @property
    def text(self) -> str:
        content = self.delta.get("content")
        return content if isinstance(content, str) else ""

    @property
    def finish_reason(self) -> object:
        return self.data.get("finish_reason")


class Chat:
    """The chunks of a streamed chat completion.

    Args:
        answer: An answer with status 200.

    Attributes:
        chunks: The events with a JSON object that is not an error, in order.
        strange: The events whose data is neither a JSON object nor `[DONE]`.
        done: The numbers of the events `[DONE]`.
        errors: The events with an `error`.

    Raises:
        Skipped: The answer is not an event stream.
    """

    def __init__(self, answer: Answer) -> None:
        if not answer.is_event_stream:
            raise Skipped("the answer is not an event stream")
        self.answer = answer
        self.reading: Reading = read(answer)
        self.chunks: list[Chunk] = []
        self.strange: list[Block] = []
        self.done: list[int] = []
        self.errors: list[Chunk] = []
        self.count = 0
        for block in self.reading.blocks:
            if block.event is None:
                continue
            self._take(self.count, block, block.event.data)
            self.count += 1

    def _take(self, number: int, block: Block, data: str) -> None:
        if data.startswith("[DONE]"):
            self.done.append(number)
            return
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            self.strange.append(block)
        elif value.get("error"):
            self.errors.append(Chunk(number, block, value))
        else:
            self.chunks.append(Chunk(number, block, value))

    @property
    def choices(self) -> Iterator[Choice]:
        """All choices of all chunks, in order."""
        for chunk in self.chunks:
            choices = chunk.data.get("choices")
            for one in choices if isinstance(choices, list) else []:
                if isinstance(one, dict):
                    index, delta = one.get("index"), one.get("delta")
                    index = index if isinstance(index, int) else 0
                    yield Choice(chunk, index, one, delta if isinstance(delta, dict) else {})

    def by_index(self) -> dict[int, list[Choice]]:
        """The choices of each answer."""
        found: dict[int, list[Choice]] = {}
        for choice in self.choices:
            found.setdefault(choice.number, []).append(choice)
        return found

    def text(self, index: int = 0) -> str:
        """The text of an answer."""
        return "".join(choice.text for choice in self.choices if choice.number == index)

    def finish(self, index: int = 0) -> object:
        """The last finish_reason of an answer; None without one."""
        reasons = [one.finish_reason for one in self.choices if one.number == index]
        return next((reason for reason in reversed(reasons) if reason is not None), None)

    def failed(self, say: str, where: Chunk | Block | None = None) -> Failed:
        """A failure that shows this event."""
        if where is None:
            return Failed(say, self.answer)
        block = where.block if isinstance(where, Chunk) else where
        return Failed(say, self.answer, at=self.reading.raw(block.at))


# What this file does not do: judge (cases/openai*.py).
