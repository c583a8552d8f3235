"""Family responses, first part: the one answer that all cases share, a streamed response.

    response.created, response.in_progress
      response.output_item.added
        response.content_part.added, response.output_text.delta …, response.output_text.done
      response.content_part.done, response.output_item.done
    response.completed

The sentences in "API: …" are those of OpenAI's description of its API, as openai-python quotes it.
Open Responses is the schema on which several servers agree.
"""

from ..case import CUSTOM, MUST, SHOULD, Failed, Skipped, case
from ..responses_reading import TERMINAL, Event, Responses
from ..target import Target

EVENTS = "protocol/openai/response_events.py: "
WRITER = "servers/llm/writers/responses.py: "
OPEN = "Open Responses: streaming"

IN_PARTS = ("response.output_text.delta", "response.refusal.delta")


async def read_events(target: Target, *, ended: bool = False) -> Responses:
    """The events of the shared answer.

    Args:
        ended: Whether they are needed to their end.

    Raises:
        Skipped: There are none.
    """
    found = Responses(await (target.ended() if ended else target.event_stream()))
    if not found.events:
        raise Skipped("the stream has no events in JSON")
    return found


def place_of(event: Event) -> tuple[object, ...]:
    """Item and part to which an event belongs."""
    names = ("output_index", "content_index", "summary_index")
    return tuple(event.data.get(name) for name in names)


# ---- Each event


@case(
    "responses.stream-is-events",
    MUST,
    "API: stream",
    "If set to true, the model response data will be streamed to the client as it is generated"
    " using server-sent events.",
    code='servers/http/reply.py: content_type="text/event-stream; charset=utf-8"',
    lesson=5,
    cause="The request has `stream`. Send Content-Type: text/event-stream.",
)
async def stream_isread_events(target: Target) -> None:
    answer = await target.success()
    if not answer.is_event_stream:
        sent = answer.field("content-type") or "no Content-Type"
        raise Failed(
            f"The answer to a request with `stream` is not an event stream: {sent}.", answer
        )


@case(
    "responses.json",
    MUST,
    OPEN,
    "The data of each event is one JSON object.",
    code="protocol/openai/common.py: def encode_data",
    lesson=5,
    cause="Official clients raise a JSON error at such an event. Send heartbeats as comments.",
)
async def is_json(target: Target) -> None:
    found = Responses(await target.event_stream())
    if found.strange:
        event = found.strange[0].event
        data = event.data if event else ""
        raise found.failed(f"The data is not a JSON object: {data[:60]!r}.", found.strange[0])


@case(
    "responses.type",
    MUST,
    "API: ResponseStreamEvent",
    "type: The type of the event.",
    code=EVENTS + 'class ResponseEvent(msgspec.Struct, kw_only=True, tag_field="type")',
    lesson=5,
    cause="Official clients choose by the type in the data, not by the `event` line.",
)
async def has_type(target: Target) -> None:
    found = await read_events(target)
    for event in found.events:
        if not event.type:
            raise found.failed("An event's data has no string `type`.", event)


@case(
    "responses.event-name",
    MUST,
    OPEN,
    "The `event` field MUST match the `type` in the event body. (EventSource needs it; official"
    " clients read only the type.)",
    code=EVENTS + 'return f"event: {event.__struct_config__.tag}',
    lesson=5,
    cause="Write `event: ` and the type before the data line.",
)
async def event_name(target: Target) -> None:
    found = await read_events(target)
    for event in found.events:
        if event.type and event.name != event.type:
            what = "no `event` line" if event.name == "message" else f"the name {event.name!r}"
            raise found.failed(f"An event of type {event.type} has {what}.", event)


@case(
    "responses.no-ids",
    SHOULD,
    OPEN,
    "Servers SHOULD NOT use the `id` field.",
    code=EVENTS + "def encode_response_event",
    lesson=5,
    cause="sequence_number is the event's number. An id line breaks some clients at comments.",
)
async def no_ids(target: Target) -> None:
    found = await read_events(target)
    for line in found.reading.lines:
        if line.name == "id":
            raise Failed("An event has an id.", found.answer, at=found.reading.raw(line.at))


@case(
    "responses.sequence-number",
    CUSTOM,
    "API: ResponseStreamEvent",
    "sequence_number: The sequence number for this event. It begins at 0 and has no gaps, so that a"
    " client sees what is missing or comes twice.",
    code=WRITER + "encode_response_event(replace(event, sequence_number=number))",
    lesson=5,
    cause="Count every event of the stream, from 0.",
)
async def sequence_number(target: Target) -> None:
    found = await read_events(target)
    for number, event in enumerate(found.events):
        came = event.data.get("sequence_number")
        if came != number or isinstance(came, bool):
            raise found.failed(f"Event {number} has the sequence_number {came!r}.", event)


# ---- The order


@case(
    "responses.created-first",
    MUST,
    "API: ResponseCreatedEvent",
    "An event that is emitted when a response is created: clients make the response from it.",
    code=WRITER + "return _encode([ResponseCreated(response=begun)",
    lesson=5,
    cause="Clients raise an error without it. Send it at once, before the first token.",
)
async def created_first(target: Target) -> None:
    found = await read_events(target)
    if found.events[0].type != "response.created":
        raise found.failed(f"The first event is {found.events[0].type!r}.", found.events[0])
    if len(created := found.of("response.created")) > 1:
        raise found.failed("The response is created twice.", created[1])


@case(
    "responses.in-progress",
    CUSTOM,
    OPEN,
    "response.in_progress or response.queued follows response.created.",
    code=WRITER + "return _encode([ResponseCreated(response=begun)",
    lesson=5,
    cause="Send it right after response.created.",
    warns=True,
)
async def in_progress(target: Target) -> None:
    found = await read_events(target)
    if not found.of("response.in_progress", "response.queued"):
        raise found.failed("No event says that the response is in progress.")


@case(
    "responses.one-end",
    MUST,
    OPEN,
    "A response ends with exactly one of response.completed, response.incomplete and"
    " response.failed.",
    code=WRITER + "end = ResponseCompleted(response=whole)",
    lesson=5,
    cause="Clients cannot tell a stream without it from a connection that was cut.",
)
async def one_end(target: Target) -> None:
    found = await read_events(target, ended=True)
    if found.of("error"):
        raise Skipped("the answer failed")
    ends = found.of(*TERMINAL)
    if len(ends) != 1:
        raise found.failed(f"{len(ends)} events end the response, not one.", *ends[1:2])
    if found.events[-1] is not ends[0]:
        raise found.failed("An event follows the end of the response.", found.events[-1])


@case(
    "responses.items-added-and-done",
    MUST,
    "API: ResponseOutputItemDoneEvent",
    "Emitted when an output item is marked done. Each item that is added is done later.",
    code=WRITER + "def _items",
    lesson=5,
    cause="Close each item when the next one begins, and at the end.",
)
async def items_added_and_done(target: Target) -> None:
    found = await read_events(target, ended=True)
    if found.went_wrong:
        raise Skipped("the answer failed")
    open_items: dict[object, Event] = {}
    done: set[object] = set()
    for event in found.of("response.output_item.added", "response.output_item.done"):
        index = event.data.get("output_index")
        if event.type.endswith("added"):
            if index in open_items or index in done:
                raise found.failed(f"Item {index} is added twice.", event)
            open_items[index] = event
        elif index not in open_items:
            raise found.failed(f"Item {index} is done, but it is not open.", event)
        else:
            del open_items[index]
            done.add(index)
    for index, event in open_items.items():
        raise found.failed(f"Item {index} is added and never done.", event)


@case(
    "responses.output-index",
    MUST,
    "API: ResponseOutputItemAddedEvent",
    "output_index: The index of the output item that was added.",
    code=EVENTS + "class OutputItemAdded",
    lesson=5,
    cause="Count the items of the response from 0, the reasoning included.",
)
async def output_index(target: Target) -> None:
    found = await read_events(target)
    for number, event in enumerate(found.of("response.output_item.added")):
        if event.data.get("output_index") != number:
            came = event.data.get("output_index")
            raise found.failed(f"Item {number} has the output_index {came!r}.", event)


@case(
    "responses.deltas-in-items",
    MUST,
    "API: ResponseTextDeltaEvent",
    "output_index: The index of the output item that the text delta was added to. The item is"
    " added before its first delta.",
    code=WRITER + "between = closing + item.opening",
    lesson=5,
    cause="The official clients' helpers raise an error at such a delta.",
)
async def deltas_in_items(target: Target) -> None:
    found = await read_events(target)
    open_items: set[object] = set()
    for event in found.events:
        index = event.data.get("output_index")
        if event.type == "response.output_item.added":
            open_items.add(index)
        elif event.type == "response.output_item.done":
            open_items.discard(index)
        elif event.type.endswith(".delta") and index not in open_items:
            raise found.failed(f"A delta belongs to item {index}, which is not open.", event)


@case(
    "responses.content-parts",
    MUST,
    "API: ResponseContentPartAddedEvent",
    "Emitted when a new content part is added: before its first delta, and it is done later.",
    code=EVENTS + "class ContentPartAdded",
    lesson=5,
    cause="The official clients' helpers raise an IndexError at a delta without its part.",
)
async def content_parts(target: Target) -> None:
    found = await read_events(target, ended=True)
    open_parts: dict[tuple[object, ...], Event] = {}
    for event in found.events:
        place = place_of(event)
        if event.type == "response.content_part.added":
            open_parts[place] = event
        elif event.type == "response.content_part.done":
            if open_parts.pop(place, None) is None:
                raise found.failed("A content part is done that is not open.", event)
        elif event.type in IN_PARTS and place not in open_parts:
            raise found.failed("A delta belongs to a content part that is not open.", event)
    for event in open_parts.values():
        if not found.went_wrong:
            raise found.failed("A content part is added and never done.", event)


# What this file does not do: compare what is said twice, or judge fields (responses_whole.py).
