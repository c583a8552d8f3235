"""The events of a streamed `POST /v1/responses`.

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1",
          "output_index":0,"content_index":0,"delta":"你好","logprobs":[]}

Each item of the answer begins with events that open it, continues with deltas, and ends with events
that repeat all of it:

    response.created
    response.in_progress
      response.output_item.added             a message       or the call of a function
        response.content_part.added
          response.output_text.delta          one a token     function_call_arguments.delta
        response.output_text.done                             function_call_arguments.done
        response.content_part.done
      response.output_item.done
    response.completed

Every event has its type twice, for readers of `event:` lines and for readers of JSON, and its
number in the stream, from 0. Exactly one event ends the stream: response.completed, .incomplete or
.failed. A `[DONE]` is not sent.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .common import encode_data
from .responses import OutputItem, OutputText, ResponseObject, SummaryText

__all__ = [
    "ContentPartAdded",
    "ContentPartDone",
    "CustomToolCallInputDelta",
    "CustomToolCallInputDone",
    "ErrorEvent",
    "EventTemplate",
    "FunctionCallArgumentsDelta",
    "FunctionCallArgumentsDone",
    "OutputItemAdded",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTextDone",
    "ReasoningSummaryPartAdded",
    "ReasoningSummaryPartDone",
    "ReasoningSummaryTextDelta",
    "ReasoningSummaryTextDone",
    "ResponseCompleted",
    "ResponseCreated",
    "ResponseEvent",
    "ResponseFailed",
    "ResponseInProgress",
    "ResponseIncomplete",
    "encode_response_event",
]


class ResponseEvent(msgspec.Struct, kw_only=True, tag_field="type"):
    """An event. Its type is the tag of its struct.

    Args:
        sequence_number: Number of the event in its stream, from 0.
    """

    sequence_number: int = 0


# ---- The response as a whole


class ResponseCreated(ResponseEvent, kw_only=True, tag="response.created"):
    response: ResponseObject


class ResponseInProgress(ResponseEvent, kw_only=True, tag="response.in_progress"):
    response: ResponseObject


class ResponseCompleted(ResponseEvent, kw_only=True, tag="response.completed"):
    response: ResponseObject


class ResponseIncomplete(ResponseEvent, kw_only=True, tag="response.incomplete"):
    response: ResponseObject


class ResponseFailed(ResponseEvent, kw_only=True, tag="response.failed"):
    response: ResponseObject


class ErrorEvent(ResponseEvent, kw_only=True, tag="error"):
    """The reason why a stream breaks off. The fields of this event are not nested under `error`, as
    they are in a chat stream. Official clients return the event and do not raise an exception."""

    code: str | None
    message: str
    param: str | None = None


# ---- One of its items


class OutputItemAdded(ResponseEvent, kw_only=True, tag="response.output_item.added"):
    output_index: int
    item: OutputItem


class OutputItemDone(ResponseEvent, kw_only=True, tag="response.output_item.done"):
    output_index: int
    item: OutputItem


class ItemEvent(ResponseEvent, kw_only=True):
    """An event inside an item; `output_index` is the item's place in the response, from 0."""

    item_id: str
    output_index: int


class FunctionCallArgumentsDelta(
    ItemEvent, kw_only=True, tag="response.function_call_arguments.delta"
):
    delta: str


class FunctionCallArgumentsDone(
    ItemEvent, kw_only=True, tag="response.function_call_arguments.done"
):
    arguments: str
    name: str


class CustomToolCallInputDelta(
    ItemEvent, kw_only=True, tag="response.custom_tool_call_input.delta"
):
    delta: str


class CustomToolCallInputDone(ItemEvent, kw_only=True, tag="response.custom_tool_call_input.done"):
    input: str


# ---- A message has content parts; this server sends one part, which is text


class ContentEvent(ItemEvent, kw_only=True):
    content_index: int = 0


class ContentPartAdded(ContentEvent, kw_only=True, tag="response.content_part.added"):
    part: OutputText


class OutputTextDelta(ContentEvent, kw_only=True, tag="response.output_text.delta"):
    delta: str
    logprobs: list[Any] = []


class OutputTextDone(ContentEvent, kw_only=True, tag="response.output_text.done"):
    text: str
    logprobs: list[Any] = []


class ContentPartDone(ContentEvent, kw_only=True, tag="response.content_part.done"):
    part: OutputText


# ---- Reasoning has summary parts; this server sends one


class SummaryEvent(ItemEvent, kw_only=True):
    summary_index: int = 0


class ReasoningSummaryPartAdded(
    SummaryEvent, kw_only=True, tag="response.reasoning_summary_part.added"
):
    part: SummaryText


class ReasoningSummaryTextDelta(
    SummaryEvent, kw_only=True, tag="response.reasoning_summary_text.delta"
):
    delta: str


class ReasoningSummaryTextDone(
    SummaryEvent, kw_only=True, tag="response.reasoning_summary_text.done"
):
    text: str


class ReasoningSummaryPartDone(
    SummaryEvent, kw_only=True, tag="response.reasoning_summary_part.done"
):
    part: SummaryText
    status: Literal["incomplete"] | UnsetType = UNSET


# ---- On the wire


def encode_response_event(event: ResponseEvent) -> bytes:
    """Encode the event's type, its JSON on one line, and a blank line.

    Raises:
        h11.LocalProtocolError: A string of the event has a lone surrogate.
    """
    return f"event: {event.__struct_config__.tag}\n".encode() + encode_data(event)


class EventTemplate:
    """Encodes one delta event many times, each time with another sequence number and text.

    Only these two change from token to token, so the bytes around them are encoded once. The bytes
    are the same as with `encode_response_event`, in a fifth of the time
    (test_event_template_equals_encode_response_event).

    Args:
        event: An event whose sequence_number is 0 and whose delta is "".

    Raises:
        ValueError: The number is not 0, or the delta is not "".
    """

    def __init__(self, event: ResponseEvent) -> None:
        number, delta = b'"sequence_number":', b'"delta":'
        before, _, after = encode_response_event(event).partition(number + b"0")
        between, found, after = after.partition(delta + b'""')
        if not found:
            raise ValueError("the event is not number 0 with an empty delta")
        self._before = before + number
        self._between = between + delta
        self._after = after

    def encode(self, sequence_number: int, delta: str) -> bytes:
        """Encode the event with this number and this delta."""
        text = msgspec.json.encode(delta)
        return b"%b%d%b%b%b" % (self._before, sequence_number, self._between, text, self._after)


# What this file does not do: order or number the events (servers.llm).
