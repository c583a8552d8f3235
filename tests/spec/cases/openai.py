"""Family openai, first part: the one answer that all cases share, a streamed chat completion.

    data: {"id":"chatcmpl-1",…,"choices":[{"index":0,"delta":{"role":"assistant","content":""},…}]}
    data: {"id":"chatcmpl-1",…,"choices":[{"index":0,"delta":{"content":"Hi"},…}]}
    data: {"id":"chatcmpl-1",…,"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    data: [DONE]

The sentences in "API: …" are those of OpenAI's own description of its API, as openai-python quotes
it. It does not say all that its clients need: what they need besides is a rule of level custom.
"""

from ..case import CUSTOM, MUST, SHOULD, Failed, Skipped, case
from ..openai_asking import Chat, type_name
from ..target import Target

CHUNK = "API: ChatCompletionChunk"
STREAM = "API: stream"
WRITER = "servers/llm/writers/chat_completions.py: "

MAX_SECONDS = 1 << 36  # of a time in seconds: in milliseconds it would be larger


async def _chat(target: Target) -> Chat:
    return Chat(await target.event_stream())


async def read_chunks(target: Target) -> Chat:
    chat = await _chat(target)
    if not chat.chunks:
        raise Skipped("the stream has no chunks in JSON")
    return chat


# ---- The stream


@case(
    "openai.stream-is-events",
    MUST,
    STREAM,
    "If set to true, the model response data will be streamed to the client as it is generated"
    " using server-sent events.",
    code='servers/http/reply.py: content_type="text/event-stream; charset=utf-8"',
    lesson=5,
    cause='The request has "stream": true. Official clients read anything else as an empty stream.',
)
async def stream_is_events(target: Target) -> None:
    answer = await target.success()
    if not answer.is_event_stream:
        sent = answer.field("content-type") or "no Content-Type"
        raise Failed(
            f"The answer to a request with `stream` is not an event stream: {sent}.", answer
        )


@case(
    "openai.data-only",
    SHOULD,
    STREAM,
    "Tokens will be sent as data-only server-sent events as they become available, with the stream"
    " terminated by a `data: [DONE]` message.",
    code="protocol/openai/common.py: def encode_data",
    lesson=5,
    cause="After an `id:` line, official clients take a comment's blank line for an event without"
    " data, and fail.",
)
async def data_only(target: Target) -> None:
    chat = await _chat(target)
    for line in chat.reading.lines:
        if line.name in ("id", "event", "retry"):
            say = f"An event of a chat stream has a field {line.name}."
            raise Failed(say, chat.answer, at=chat.reading.raw(line.at))


@case(
    "openai.json",
    MUST,
    CHUNK,
    "Represents a streamed chunk of a chat completion response: the data of each event is one JSON"
    " object, except that of the last one, `[DONE]`.",
    code="protocol/openai/common.py: def encode_data",
    lesson=5,
    cause="Official clients raise a JSON error at such an event. Send heartbeats as comments.",
)
async def is_json(target: Target) -> None:
    chat = await _chat(target)
    if chat.strange:
        event = chat.strange[0].event
        data = event.data if event else ""
        raise chat.failed(f"The data is not a JSON object: {data[:60]!r}.", chat.strange[0])


@case(
    "openai.done",
    MUST,
    STREAM,
    "… with the stream terminated by a `data: [DONE]` message.",
    code="protocol/openai/common.py: DONE = b",
    lesson=5,
    cause="Clients cannot tell such an end from a connection that was cut. Send `data: [DONE]`.",
)
async def done(target: Target) -> None:
    chat = Chat(await target.ended())
    if chat.errors:
        raise Skipped("the answer failed")
    if len(chat.done) != 1:
        raise chat.failed(f"The stream has {len(chat.done)} events `[DONE]`, not one.")


@case(
    "openai.done-last",
    MUST,
    STREAM,
    "… with the stream terminated by a `data: [DONE]` message.",
    code=WRITER + 'return b"".join([*ends, DONE])',
    lesson=5,
    cause="Clients stop reading at [DONE]: send everything else first.",
)
async def done_last(target: Target) -> None:
    chat = await _chat(target)
    if not chat.done:
        raise Skipped("the stream has no [DONE]")
    late = [one for one in (*chat.chunks, *chat.errors) if one.number > chat.done[0]]
    if late:
        raise chat.failed("An event follows `[DONE]`.", late[0])


@case(
    "openai.request-id",
    CUSTOM,
    "API: debugging requests",
    "x-request-id: unique identifier for this API request (used in troubleshooting). Official"
    " clients show it with each error.",
    code="servers/http/api_replies.py: x-request-id",
    lesson=5,
    cause="Send x-request-id, and write it into the log.",
    warns=True,
)
async def request_id(target: Target) -> None:
    answer = await target.success()
    if not answer.field("x-request-id"):
        raise Failed("The response has no x-request-id.", answer)


# ---- Each chunk


@case(
    "openai.object",
    MUST,
    CHUNK,
    "object: The object type, which is always `chat.completion.chunk`.",
    code="protocol/openai/chat_completions.py: class ChatCompletionChunk",
    lesson=5,
    cause="`chat.completion` is the object of a whole answer, not of a chunk.",
)
async def object_type(target: Target) -> None:
    chat = await read_chunks(target)
    for chunk in chat.chunks:
        if chunk.data.get("object") != "chat.completion.chunk":
            raise chat.failed(f"The object is {chunk.data.get('object')!r}.", chunk)


REQUIRED = {"id": str, "created": int, "model": str, "choices": list}


@case(
    "openai.required-fields",
    MUST,
    CHUNK,
    "id, choices, created, model and object are required.",
    code="protocol/openai/chat_completions.py: class ChatCompletionChunk",
    lesson=5,
    cause="Clients with types refuse the chunk. Send all five with each chunk.",
)
async def required_fields(target: Target) -> None:
    chat = await read_chunks(target)
    for chunk in chat.chunks:
        for name, kind in REQUIRED.items():
            value = chunk.data.get(name)
            if name not in chunk.data:
                raise chat.failed(f"A chunk has no `{name}`.", chunk)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise chat.failed(f"`{name}` is {type_name(value)}.", chunk)


def _same(chat: Chat, name: str) -> None:
    first = chat.chunks[0].data.get(name)
    for chunk in chat.chunks:
        if chunk.data.get(name) != first:
            say = f"`{name}` changes from {first!r} to {chunk.data.get(name)!r}."
            raise chat.failed(say, chunk)


@case(
    "openai.one-id",
    MUST,
    CHUNK,
    "id: A unique identifier for the chat completion. Each chunk has the same ID.",
    code=WRITER + "id=self._id,",
    lesson=5,
    cause="Make the id once for each request, not for each chunk.",
)
async def one_id(target: Target) -> None:
    _same(await read_chunks(target), "id")


@case(
    "openai.one-created",
    MUST,
    CHUNK,
    "created: The Unix timestamp (in seconds) of when the chat completion was created. Each chunk"
    " has the same timestamp.",
    code=WRITER + "created=self._created,",
    lesson=5,
    cause="Take the time once for each request, not for each chunk.",
)
async def one_created(target: Target) -> None:
    _same(await read_chunks(target), "created")


@case(
    "openai.one-model",
    CUSTOM,
    CHUNK,
    "model: The model to generate the completion. One completion has one model.",
    code=WRITER + "model=self._model,",
    lesson=5,
    cause="Take the name once for each request: the requested one, or its dated version.",
    warns=True,
)
async def one_model(target: Target) -> None:
    _same(await read_chunks(target), "model")


@case(
    "openai.created-in-seconds",
    MUST,
    CHUNK,
    "created: The Unix timestamp (in seconds) of when the chat completion was created.",
    code="servers/llm/api.py: created=int(time.time())",
    lesson=5,
    cause="The time is in milliseconds (JavaScript's Date.now()). Divide it by 1,000.",
)
async def created_in_seconds(target: Target) -> None:
    chat = await read_chunks(target)
    created = chat.chunks[0].data.get("created")
    if isinstance(created, int | float) and created > MAX_SECONDS:
        raise chat.failed(f"`created` is {created}: these are not seconds.", chat.chunks[0])


# What this file does not do: judge the deltas of each chunk (openai_choices.py).
