"""Writes an answer in the form of `POST /v1/responses`: a generator yields the bytes of each token.

    opening   response.created, response.in_progress
    step 1    response.output_item.added, response.reasoning_summary_part.added,
              response.reasoning_summary_text.delta       "The"
    step 2    response.reasoning_summary_text.delta       " user"
    …
    step n    ….text.done, ….part.done, response.output_item.done of the reasoning,
              response.output_item.added, response.content_part.added of the message,
              response.output_text.delta                  "你"
    the end   response.output_text.done, response.content_part.done, response.output_item.done,
              response.completed

The events that open an item are sent with its first token. The events that close an item are sent
with the first token of the next one.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from protocol.openai.encrypted_content import seal
from protocol.openai.response_events import (
    ContentPartAdded,
    ContentPartDone,
    CustomToolCallInputDelta,
    CustomToolCallInputDone,
    EventTemplate,
    FunctionCallArgumentsDelta,
    FunctionCallArgumentsDone,
    OutputItemAdded,
    OutputItemDone,
    OutputTextDelta,
    OutputTextDone,
    ReasoningSummaryPartAdded,
    ReasoningSummaryPartDone,
    ReasoningSummaryTextDelta,
    ReasoningSummaryTextDone,
    ResponseCompleted,
    ResponseCreated,
    ResponseEvent,
    ResponseIncomplete,
    ResponseInProgress,
    encode_response_event,
)
from protocol.openai.responses import (
    CustomToolCallItem,
    FunctionCallItem,
    IncompleteDetails,
    MessageItem,
    OutputItem,
    OutputText,
    ReasoningItem,
    ResponseObject,
    ResponseUsage,
    SummaryText,
)
from protocol.openai.responses_request import (
    AllowedChoice,
    CustomChoice,
    FunctionChoice,
    InputItem,
    JSONObjectFormat,
    JSONSchemaFormat,
    Reasoning,
    ResponsesCustomTool,
    ResponsesRequest,
    TextConfig,
)

from ..model.conversation import Answer, Question, Tool, ToolCall, Turn
from ..model.request_text import check_repeated
from ..turns import ALONE, Work

__all__ = ["ResponsesWriter", "question_of"]


# ---- What the request asks


def question_of(asked: ResponsesRequest) -> Question:
    """Return the question that a request asks the model."""
    tools = [
        Tool(tool.name, None if isinstance(tool, ResponsesCustomTool) else tool.parameters or {})
        for tool in asked.tools or ()
    ]
    match asked.tool_choice:
        case AllowedChoice(mode=mode, tools=allowed):
            names = {each.name for each in allowed}
            tools = [tool for tool in tools if tool.name in names]
            choice: str = mode
        case FunctionChoice(name=name) | CustomChoice(name=name):
            choice = name
        case other:
            choice = other or "auto"
    schema: dict[str, Any] | None = None
    match asked.text and asked.text.format:
        case JSONSchemaFormat(schema=wanted):
            schema = wanted
        case JSONObjectFormat():
            schema = {}
    return Question(
        model=asked.model,
        turns=_turns(asked),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=asked.parallel_tool_calls is not False,
        schema=schema,
        max_tokens=asked.max_output_tokens,
        thinks=not asked.reasoning or asked.reasoning.effort != "none",
    )


def _turns(asked: ResponsesRequest) -> list[Turn]:
    turns = [Turn("system", asked.instructions)] if asked.instructions else []
    said = [(role, item.text) for item in asked.items if (role := _role(item))]
    for role, together in groupby(said, key=itemgetter(0)):
        texts = [text for _, text in together]
        if role == "assistant":
            # A message and the calls after it are several items, but one turn of the model.
            texts = ["".join(texts)]
        turns += [Turn(role, text) for text in texts]
    return turns


def _role(item: InputItem) -> str | None:
    if item.is_message:
        return "system" if item.role == "developer" else item.role
    return ROLES.get(item.type or "")


ROLES = {
    "function_call": "assistant",
    "custom_tool_call": "assistant",
    "function_call_output": "tool",
    "custom_tool_call_output": "tool",
}


# ---- How the answer is written


class ResponsesWriter:
    """Writes the answer to one request.

    Args:
        asked: The request.
        answers: Exactly one answer, because this API has no `n`.
        prompt_tokens: Number of tokens in the prompt.
        id: The response's id: "resp_…". The ids of its items are derived from it.
        created: Time at which the response was created, in seconds since 1970.
        now: A function called at the end, to get the current time in seconds since 1970.

    Raises:
        InvalidRequest: The response would repeat too much of the request.
    """

    def __init__(
        self,
        asked: ResponsesRequest,
        answers: Sequence[Answer],
        prompt_tokens: int,
        *,
        id: str,
        created: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        (answer,) = answers
        reason = INCOMPLETE.get(answer.finish_reason)
        self._now = now
        self._begun = _begun(asked, id, created)
        check_repeated(self._begun)
        self._items = _items(answer, id.removeprefix("resp_"), cut_short=reason is not None)
        self._whole = replace(
            self._begun,
            status="incomplete" if reason else "completed",
            incomplete_details=reason,
            output=[item.whole for item in self._items],
            usage=ResponseUsage.of(prompt_tokens, answer.completion_tokens, len(answer.thinking)),
        )

    @property
    def opening(self) -> bytes:
        """The bytes to send at once, before the first token."""
        begun = self._begun
        return _encode([ResponseCreated(response=begun), ResponseInProgress(response=begun)], 0)

    def steps(self) -> Iterator[bytes]:
        """The bytes of each step of the engine."""
        number = 2
        closing: list[ResponseEvent] = []
        for item in self._items:
            between = closing + item.opening
            before = _encode(between, number)
            number += len(between)
            delta = EventTemplate(item.delta)
            for token in item.tokens:
                yield before + (delta.encode(number, token) if token else b"")
                number += bool(token)
                before = b""
            closing = item.closing

    @property
    def last(self) -> bytes:
        """The bytes to send in one write with the end of the body."""
        whole = self._ended
        completed = whole.status == "completed"
        end = ResponseCompleted(response=whole) if completed else ResponseIncomplete(response=whole)
        closing = self._items[-1].closing if self._items else []
        before = 2 + sum(item.events for item in self._items)
        return _encode([*closing, end], before - len(closing))

    async def whole(self, work: Work = ALONE) -> ResponseObject:
        """The same answer as one JSON object."""
        return self._ended

    @property
    def _ended(self) -> ResponseObject:
        if self._whole.status != "completed":
            return self._whole
        return replace(self._whole, completed_at=int(self._now()))


INCOMPLETE = {
    "length": IncompleteDetails("max_output_tokens"),
    "content_filter": IncompleteDetails("content_filter"),
}


def _begun(asked: ResponsesRequest, id: str, created: int) -> ResponseObject:
    return ResponseObject(
        id=id,
        created_at=created,
        status="in_progress",
        frequency_penalty=asked.frequency_penalty or 0.0,
        instructions=asked.instructions,
        max_output_tokens=asked.max_output_tokens,
        max_tool_calls=asked.max_tool_calls,
        model=asked.model,
        parallel_tool_calls=asked.parallel_tool_calls is not False,
        presence_penalty=asked.presence_penalty or 0.0,
        prompt_cache_key=asked.prompt_cache_key,
        reasoning=asked.reasoning or Reasoning(),
        safety_identifier=asked.safety_identifier,
        temperature=1.0 if asked.temperature is None else asked.temperature,
        text=asked.text or TextConfig(),
        tool_choice=asked.tool_choice or "auto",
        tools=asked.tools or [],
        top_p=1.0 if asked.top_p is None else asked.top_p,
        truncation=asked.truncation or "disabled",
        user=asked.user,
        metadata=asked.metadata or {},
    )


def _encode(events: Iterable[ResponseEvent], number: int) -> bytes:
    """Encode these events, numbered from `number`."""
    return b"".join(
        encode_response_event(replace(event, sequence_number=number))
        for number, event in enumerate(events, number)
    )


# ---- The items of the answer

ItemEnd = Literal["completed", "incomplete"]


class WrittenItem(msgspec.Struct, frozen=True):
    """An output item: its tokens, the events around them, and the event that carries a token."""

    whole: OutputItem
    tokens: Sequence[str]
    opening: list[ResponseEvent]
    delta: ResponseEvent
    closing: list[ResponseEvent]

    @property
    def events(self) -> int:
        """The number of the item's events. A token that is held back has none."""
        deltas = len(self.tokens) - self.tokens.count("")
        return len(self.opening) + deltas + len(self.closing)


def _items(answer: Answer, suffix: str, *, cut_short: bool) -> list[WrittenItem]:
    parts: list[Callable[[int, ItemEnd], WrittenItem]] = []
    if answer.thinking:
        parts.append(partial(_reasoning, f"rs_{suffix}", answer.thinking))
    if answer.text:
        parts.append(partial(_message, f"msg_{suffix}", answer.text))
    for number, call in enumerate(answer.calls):
        write = _custom_call if call.is_custom else _call
        parts.append(partial(write, f"{suffix}{number:02}", call))
    last = len(parts) - 1
    return [
        part(index, "incomplete" if cut_short and index == last else "completed")
        for index, part in enumerate(parts)
    ]


def _reasoning(id: str, tokens: Sequence[str], index: int, end: ItemEnd) -> WrittenItem:
    text = "".join(tokens)
    status = end if end == "incomplete" else UNSET
    begun = ReasoningItem(id=id, summary=[])
    summary = [SummaryText(text)]
    whole = ReasoningItem(id=id, encrypted_content=seal(text), summary=summary, status=status)
    common: dict[str, Any] = {"item_id": id, "output_index": index}
    return WrittenItem(
        whole,
        tokens,
        [
            OutputItemAdded(output_index=index, item=begun),
            ReasoningSummaryPartAdded(**common, part=SummaryText("")),
        ],
        ReasoningSummaryTextDelta(**common, delta=""),
        [
            ReasoningSummaryTextDone(**common, text=text),
            ReasoningSummaryPartDone(**common, part=SummaryText(text), status=status),
            OutputItemDone(output_index=index, item=whole),
        ],
    )


def _message(id: str, tokens: Sequence[str], index: int, end: ItemEnd) -> WrittenItem:
    text = "".join(tokens)
    begun = MessageItem(id=id, status="in_progress", content=[])
    whole = MessageItem(id=id, status=end, content=[OutputText(text=text)])
    common: dict[str, Any] = {"item_id": id, "output_index": index}
    return WrittenItem(
        whole,
        tokens,
        [
            OutputItemAdded(output_index=index, item=begun),
            ContentPartAdded(**common, part=OutputText(text="")),
        ],
        OutputTextDelta(**common, delta=""),
        [
            OutputTextDone(**common, text=text),
            ContentPartDone(**common, part=OutputText(text=text)),
            OutputItemDone(output_index=index, item=whole),
        ],
    )


def _call(suffix: str, call: ToolCall, index: int, end: ItemEnd) -> WrittenItem:
    arguments = "".join(call.arguments)
    begun = FunctionCallItem(
        id=f"fc_{suffix}",
        status="in_progress",
        arguments="",
        call_id=f"call_{suffix}",
        name=call.name,
    )
    whole = replace(begun, status=end, arguments=arguments)
    common: dict[str, Any] = {"item_id": begun.id, "output_index": index}
    return WrittenItem(
        whole,
        call.arguments or [""],  # the name takes a step even if the arguments were cut off
        [OutputItemAdded(output_index=index, item=begun)],
        FunctionCallArgumentsDelta(**common, delta=""),
        [
            FunctionCallArgumentsDone(**common, arguments=arguments, name=call.name),
            OutputItemDone(output_index=index, item=whole),
        ],
    )


def _custom_call(suffix: str, call: ToolCall, index: int, end: ItemEnd) -> WrittenItem:
    input = "".join(call.arguments)
    begun = CustomToolCallItem(
        id=f"ctc_{suffix}",
        status="in_progress",
        call_id=f"call_{suffix}",
        input="",
        name=call.name,
    )
    whole = replace(begun, status=end, input=input)
    common: dict[str, Any] = {"item_id": begun.id, "output_index": index}
    return WrittenItem(
        whole,
        call.arguments or [""],
        [OutputItemAdded(output_index=index, item=begun)],
        CustomToolCallInputDelta(**common, delta=""),
        [
            CustomToolCallInputDone(**common, input=input),
            OutputItemDone(output_index=index, item=whole),
        ],
    )


# What this file does not do: decide what the model says (models.py), or when (engine.py).
