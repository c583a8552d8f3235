"""The events of a streamed `/v1/responses`, for the cases of the family responses.

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":4,"output_index":0,…}

An `Event` is one whose data is a JSON object. Everything else is kept beside, for cases that judge
just that.
"""

import json
from typing import NamedTuple

from .answer import Answer
from .case import Failed, Skipped
from .openai_asking import Object
from .reading import Block, Reading, read

__all__ = ["TERMINAL", "Event", "Responses"]

TERMINAL = ("response.completed", "response.incomplete", "response.failed")
HEARTBEATS = ("keepalive", "ping")


class Event(NamedTuple):
    """An event.

    Args:
        number: Its place among all events, from 0.
        block: Its lines.
        name: Its `event` line's value; "message" without one.
        type: The `type` in its data; "" without one.
        data: The object.
    """

    number: int
    block: Block
    name: str
    type: str
    data: Object

    @property
    def response(self) -> Object:
        """The `response` in its data; {} without one."""
        return _object(self.data.get("response"))

    @property
    def item(self) -> Object:
        """The `item` in its data; {} without one."""
        return _object(self.data.get("item"))


class Responses:
    """The events of an answer.

    Args:
        answer: An answer with status 200.

    Attributes:
        events: The events with a JSON object, in order; heartbeats are left out.
        strange: The events with other data. `[DONE]` is not one of them: Open Responses asks for
            it, and OpenAI does not send it.

    Raises:
        Skipped: The answer is not an event stream.
    """

    def __init__(self, answer: Answer) -> None:
        if not answer.is_event_stream:
            raise Skipped("the answer is not an event stream")
        self.answer = answer
        self.reading: Reading = read(answer)
        self.events: list[Event] = []
        self.strange: list[Block] = []
        for number, block in enumerate(one for one in self.reading.blocks if one.event):
            assert block.event is not None
            self._take(number, block, block.event.event, block.event.data)

    def _take(self, number: int, block: Block, name: str, data: str) -> None:
        if data == "[DONE]":
            return
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            self.strange.append(block)
            return
        kind = value.get("type")
        kind = kind if isinstance(kind, str) else ""
        if kind not in HEARTBEATS:
            self.events.append(Event(number, block, name, kind, value))

    def of(self, *types: str) -> list[Event]:
        """The events of these types."""
        return [event for event in self.events if event.type in types]

    @property
    def end(self) -> Event | None:
        """The event that ends the response."""
        return next(iter(self.of(*TERMINAL)), None)

    @property
    def went_wrong(self) -> bool:
        return bool(self.of("error", "response.failed"))

    @property
    def text(self) -> str:
        """The text of all messages."""
        deltas = self.of("response.output_text.delta")
        return "".join(str(event.data.get("delta", "")) for event in deltas)

    def failed(self, say: str, where: Event | Block | None = None) -> Failed:
        """A failure that shows this event."""
        if where is None:
            return Failed(say, self.answer)
        block = where.block if isinstance(where, Event) else where
        return Failed(say, self.answer, at=self.reading.raw(block.at))


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


# What this file does not do: judge (cases/responses*.py).
