"""The events of a streamed `POST /v1/responses`.

    event: response.output_text.delta
    data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1",
          "output_index":0,"content_index":0,"delta":"你好","logprobs":[]}

Each item of the answer is opened by events, filled by deltas and closed by events that say all of
it once more:

    response.created
    response.in_progress
      response.output_item.added             a message       or the call of a function
        response.content_part.added
          response.output_text.delta          one a token     function_call_arguments.delta
        response.output_text.done                             function_call_arguments.done
        response.content_part.done
      response.output_item.done
    response.completed

Every event says its type twice, for readers of `event:` lines and of JSON, and its place in the
stream: 0, 1, 2 and so on. Exactly one ends it: response.completed, .incomplete or .failed. There
is no `[DONE]`.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from .common import encode_data
from .responses import OutputItem, OutputText, Response, SummaryText

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
    """An event; its type is the tag of its struct."""

    sequence_number: int = 0


# ---- The response as a whole


class ResponseCreated(ResponseEvent, kw_only=True, tag="response.created"):
    response: Response


class ResponseInProgress(ResponseEvent, kw_only=True, tag="response.in_progress"):
    response: Response


class ResponseCompleted(ResponseEvent, kw_only=True, tag="response.completed"):
    response: Response


class ResponseIncomplete(ResponseEvent, kw_only=True, tag="response.incomplete"):
    response: Response


class ResponseFailed(ResponseEvent, kw_only=True, tag="response.failed"):
    response: Response


class ErrorEvent(ResponseEvent, kw_only=True, tag="error"):
    """Why a stream breaks off. Flat, unlike an error of a chat stream: official clients hand it
    on as an event, and raise nothing."""

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
    """Something inside an item: `output_index` is its place in the response."""

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


# ---- A message has content parts; here it has one, of text


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


# ---- Reasoning has summary parts; here it has one


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
    """The event's type, its JSON in one line, and a blank line.

    Raises:
        h11.LocalProtocolError: a lone surrogate in it.
    """
    return f"event: {event.__struct_config__.tag}\n".encode() + encode_data(event)


class EventTemplate:
    """Encodes the same delta event again and again, each time with another number and text.

    Nothing else changes from token to token, so the bytes around them are encoded once: a fifth
    of the work of `encode_response_event`, and the same bytes
    (test_event_template_equals_encode_response_event).

    Args:
        event: has sequence_number 0 and "" for its delta.
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
        """The event with this number and this delta."""
        text = msgspec.json.encode(delta)
        return b"%b%d%b%b%b" % (self._before, sequence_number, self._between, text, self._after)


# What this file does not do: keep the order of the events, or their numbers (servers.llm).
