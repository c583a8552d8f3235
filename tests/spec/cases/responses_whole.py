"""Family responses, second part: what is said twice, and the fields of each object.

response.output_text.delta "Hel", response.output_text.delta "lo"
response.output_text.done "Hello"                       responses.done-repeats-deltas
response.output_item.done {…"text":"Hello"…}            responses.item-done-is-whole
response.completed {"output":[…],"usage":{…},…}         responses.output-is-whole
"""

from itertools import takewhile

from ..case import CUSTOM, MUST, Skipped, case
from ..openai_asking import Object, type_name
from ..responses_reading import Responses
from ..target import Target
from .responses import EVENTS, WRITER, place_of, read_events

# The events whose deltas are parts of the text that another event repeats, and that text's field.
JOINED = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.reasoning_text": "text",
    "response.reasoning_summary_text": "text",
}


# ---- The same thing said twice


@case(
    "responses.response-id",
    MUST,
    "API: Response",
    "id: Unique identifier for this Response.",
    code=WRITER + "self._whole = replace(",
    lesson=5,
    cause="Make the id once for each request.",
)
async def response_id(target: Target) -> None:
    found = await read_events(target)
    carrying = [event for event in found.events if event.response]
    ids = [event.response.get("id") for event in carrying]
    for event, came in zip(carrying, ids, strict=True):
        if not isinstance(came, str) or came != ids[0]:
            raise found.failed(f"The id of the response is {ids[0]!r}, then {came!r}.", event)


@case(
    "responses.item-ids",
    MUST,
    "API: ResponseTextDeltaEvent",
    "item_id: The ID of the output item that the text delta was added to.",
    code=EVENTS + "class ItemEvent",
    lesson=5,
    cause="Make an item's id once, and send it with each of its events.",
)
async def item_ids(target: Target) -> None:
    found = await read_events(target)
    ids: dict[object, object] = {}
    for event in found.events:
        index = event.data.get("output_index")
        if event.type == "response.output_item.added":
            ids[index] = event.item.get("id")
            continue
        came = event.item.get("id") if event.item else event.data.get("item_id")
        if index in ids and came != ids[index]:
            say = f"Item {index} has the id {ids[index]!r}, and then {came!r}."
            raise found.failed(say, event)


@case(
    "responses.done-repeats-deltas",
    MUST,
    "API: ResponseTextDoneEvent",
    "text: The text content that is finalized: all of its deltas, joined.",
    code=EVENTS + "class OutputTextDone",
    lesson=5,
    cause="Join the deltas as they were sent: do not trim or decode the text again.",
)
async def done_repeats_deltas(target: Target) -> None:
    await check_joined(Responses(await target.event_stream()))


async def check_joined(found: Responses) -> None:
    """Fail if a `.done` event is not the sum of its `.delta` events."""
    texts: dict[tuple[object, ...], str] = {}
    for event in found.events:
        family, _, last = event.type.rpartition(".")
        if family not in JOINED:
            continue
        place = (family, *place_of(event))
        if last == "delta":
            texts[place] = texts.get(place, "") + str(event.data.get("delta", ""))
        elif last == "done":
            whole, joined = event.data.get(JOINED[family]), texts.get(place, "")
            if whole != joined:
                raise found.failed(
                    f"{event.type} and its deltas differ: {_both(whole, joined)}.", event
                )


@case(
    "responses.item-done-is-whole",
    MUST,
    "API: ResponseOutputItemDoneEvent",
    "item: The output item that was marked done: with all of its content.",
    code=EVENTS + "class OutputItemDone",
    lesson=5,
    cause="Clients keep this item for the next request. Send it with all of its content.",
)
async def item_done_is_whole(target: Target) -> None:
    found = await read_events(target)
    texts: dict[object, str] = {}
    for event in found.of("response.output_text.delta"):
        index = event.data.get("output_index")
        texts[index] = texts.get(index, "") + str(event.data.get("delta", ""))
    for event in found.of("response.output_item.done"):
        text = texts.get(event.data.get("output_index"))
        if event.item.get("type") == "message" and text is not None:
            whole = _text(event.item)
            if whole != text:
                say = f"The item that is done and its deltas differ: {_both(whole, text)}."
                raise found.failed(say, event)


def _both(whole: object, joined: str) -> str:
    """Both texts from a little before the first character that differs."""
    text = whole if isinstance(whole, str) else repr(whole)
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(text, joined, strict=False))
    same = sum(1 for _ in pairs)
    start = max(0, same - 20)
    return f"{text[start : same + 20]!r} and {joined[start : same + 20]!r}"


def _text(item: Object) -> str:
    content = item.get("content")
    parts = (
        [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    )
    return "".join(str(part.get("text", "")) for part in parts)


@case(
    "responses.output-is-whole",
    MUST,
    "API: Response",
    "output: An array of content items generated by the model: in the last event, all of them.",
    code=WRITER + "output=[item.whole for item in self._items]",
    lesson=5,
    cause="Clients that read only the last event find the answer there.",
)
async def output_is_whole(target: Target) -> None:
    found = await read_events(target, ended=True)
    end = found.end
    if end is None or end.type == "response.failed":
        raise Skipped("no event ends the response")
    done = [event.item.get("id") for event in found.of("response.output_item.done")]
    output = end.response.get("output")
    if not isinstance(output, list):
        raise found.failed(f"`response.output` is {type_name(output)} at the end.", end)
    ids = [item.get("id") for item in output if isinstance(item, dict)]
    if ids != done:
        raise found.failed(f"The items done are {done}, the output at the end has {ids}.", end)


# ---- Fields


REQUIRED = ("id", "object", "created_at", "model", "output", "tools", "tool_choice")
OPEN_RESPONSES = (
    *(
        "status",
        "completed_at",
        "incomplete_details",
        "previous_response_id",
        "instructions",
        "error",
    ),
    *("truncation", "parallel_tool_calls", "text", "top_p", "presence_penalty", "temperature"),
    *("frequency_penalty", "top_logprobs", "reasoning", "usage", "max_output_tokens", "store"),
    *("max_tool_calls", "background", "service_tier", "metadata", "safety_identifier"),
    *("prompt_cache_key", "status"),
)


@case(
    "responses.required-fields",
    MUST,
    "API: Response",
    "id, object, created_at, model, output, tools and tool_choice are required.",
    code="protocol/openai/responses.py: class ResponseObject",
    lesson=5,
    cause="Clients with types refuse the event. Send them with each response object.",
)
async def required_fields(target: Target) -> None:
    found = await read_events(target)
    for event in found.events:
        if "response" in event.data:
            for name in REQUIRED:
                if event.response.get(name) is None:
                    raise found.failed(f"The response in {event.type} has no `{name}`.", event)
            if event.response["object"] != "response":
                say = f"The object of the response is {event.response['object']!r}."
                raise found.failed(say, event)


@case(
    "responses.open-fields",
    CUSTOM,
    "Open Responses: ResponseResource",
    "All fields of the schema are required; one without a value is null.",
    code="protocol/openai/responses.py: class ResponseObject",
    lesson=5,
    cause="Clients with a strict schema refuse the response.",
    warns=True,
)
async def open_fields(target: Target) -> None:
    found = await read_events(target)
    for event in found.events:
        missing = [name for name in OPEN_RESPONSES if name not in event.response]
        if event.response and missing:
            say = f"The response in {event.type} has no {', '.join(missing[:8])}."
            raise found.failed(say, event)


@case(
    "responses.completed-at",
    CUSTOM,
    "API: Response",
    "completed_at: Unix timestamp (in seconds) of when this Response was completed. Only present"
    " when the status is `completed`.",
    code=WRITER + "completed_at=int(self._now())",
    lesson=5,
    cause="Set it once, when the response is completed; until then send null.",
    warns=True,
)
async def completed_at(target: Target) -> None:
    found = await read_events(target)
    for event in found.events:
        came, status = event.response.get("completed_at"), event.response.get("status")
        if came is not None and status != "completed":
            say = f"completed_at is {came!r}, and the status is {status!r}."
            raise found.failed(say, event)
        created = event.response.get("created_at")
        since = created if isinstance(created, int | float) else 0
        if status == "completed" and not (isinstance(came, int | float) and came + 1 >= since):
            say = f"The response is completed, and completed_at is {came!r}."
            raise found.failed(say, event)


@case(
    "responses.status",
    MUST,
    "API: Response",
    "status: The status of the response generation. One of `completed`, `failed`, `in_progress`,"
    " `cancelled`, `queued`, or `incomplete`.",
    code=WRITER + 'status="incomplete" if reason else "completed"',
    lesson=5,
    cause="The status changes at the end: send a new copy of the response there.",
)
async def status(target: Target) -> None:
    found = await read_events(target)
    wanted = {
        "response.created": ("in_progress", "queued"),
        "response.in_progress": ("in_progress",),
        "response.completed": ("completed",),
        "response.incomplete": ("incomplete",),
        "response.failed": ("failed",),
    }
    for event in found.of(*wanted):
        came = event.response.get("status")
        if came is not None and came not in wanted[event.type]:
            raise found.failed(f"In {event.type} the status is {came!r}.", event)


@case(
    "responses.delta-fields",
    MUST,
    "API: ResponseTextDeltaEvent",
    "item_id, output_index, content_index and delta are required.",
    code=EVENTS + "class OutputTextDelta",
    lesson=5,
    cause="Clients put the delta to its place by these fields.",
)
async def delta_fields(target: Target) -> None:
    found = await read_events(target)
    kinds = {"item_id": str, "output_index": int, "content_index": int, "delta": str}
    for event in found.of("response.output_text.delta"):
        for name, kind in kinds.items():
            if not isinstance(event.data.get(name), kind):
                say = f"`{name}` of a delta is {type_name(event.data.get(name))}."
                raise found.failed(say, event)


@case(
    "responses.delta-logprobs",
    CUSTOM,
    "API: ResponseTextDeltaEvent",
    "logprobs: The log probabilities of the tokens in the delta: a list, empty if nobody asked.",
    code=EVENTS + "class OutputTextDelta",
    lesson=5,
    cause="Clients with a strict schema refuse the event.",
    warns=True,
)
async def delta_logprobs(target: Target) -> None:
    found = await read_events(target)
    for event in found.of("response.output_text.delta", "response.output_text.done"):
        if not isinstance(event.data.get("logprobs"), list):
            raise found.failed(f"{event.type} has no list `logprobs`.", event)


@case(
    "responses.usage",
    MUST,
    "API: ResponseUsage",
    "input_tokens, output_tokens and total_tokens: The total number of tokens used.",
    code="protocol/openai/responses.py: return cls(prompt, InputTokensDetails(), output",
    lesson=5,
    cause="Send the usage with the event that ends the response.",
)
async def usage(target: Target) -> None:
    found = await read_events(target, ended=True)
    if found.end is None or found.end.type == "response.failed":
        raise Skipped("no event ends the response")
    came = found.end.response.get("usage")
    if not isinstance(came, dict):
        raise found.failed(f"The usage at the end is {type_name(came)}.", found.end)
    counts = [came.get(f"{name}_tokens") for name in ("input", "output", "total")]
    whole = [one for one in counts if isinstance(one, int) and one >= 0]
    if len(whole) < 3:
        raise found.failed(f"The counts are {counts}, not whole numbers.", found.end)
    if whole[0] + whole[1] != whole[2]:
        raise found.failed(f"{whole[0]} + {whole[1]} is not {whole[2]}.", found.end)


# What this file does not do: options and errors (responses_asked.py).
