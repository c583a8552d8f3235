"""Family openai, third part: the options of a request, each asked for once.

    {"stream_options":{"include_usage":true}}    openai.usage-*
    {"n":2}                                      openai.n
    {"max_tokens":5}, {"stop":["word"]}          openai.max-tokens, openai.stop

A server that refuses an option is skipped. One that accepts it must do what it asks for.
"""

from ..answer import Answer
from ..case import CUSTOM, MUST, SHOULD, Failed, Skipped, case
from ..openai_asking import LEFT_OUT, Chat, Chunk, accepts, asked, json_body
from ..target import Target

WRITER = "servers/llm/writers/chat_completions.py: "
CHUNK = "API: ChatCompletionChunk"


# ---- The usage


async def _with_usage(target: Target) -> tuple[Chat, list[Chunk]]:
    options = {"stream_options": {"include_usage": True}}
    chat = Chat(await asked(target, options, what="`include_usage`"))
    return chat, [chunk for chunk in chat.chunks if isinstance(chunk.data.get("usage"), dict)]


@case(
    "openai.usage-when-asked",
    MUST,
    "API: stream_options.include_usage",
    "If set, an additional chunk will be streamed before the `data: [DONE]` message.",
    code=WRITER + "ends.append(encode_data(self._chunk([], self._usage)))",
    lesson=5,
    cause="Send one more chunk with the usage, after the last finish_reason.",
)
async def usage_when_asked(target: Target) -> None:
    chat, usage = await _with_usage(target)
    if chat.errors:
        raise Skipped("the answer failed")
    if not usage:
        raise chat.failed("The usage was asked for, and no chunk has it.")
    finished = [one.chunk.number for one in chat.choices if one.finish_reason is not None]
    if finished and usage[-1].number < max(finished):
        raise chat.failed("The usage comes before the finish_reason.", usage[-1])


@case(
    "openai.usage-chunk-has-no-choices",
    MUST,
    "API: stream_options.include_usage",
    "The `usage` field on this chunk shows the token usage statistics for the entire request, and"
    " the `choices` field will always be an empty array.",
    code=WRITER + "ends.append(encode_data(self._chunk([], self._usage)))",
    lesson=5,
    cause="Send the usage in a chunk of its own, after that with the finish_reason.",
)
async def usage_chunk_has_no_choices(target: Target) -> None:
    chat, usage = await _with_usage(target)
    if not usage:
        raise Skipped("no chunk has the usage")
    if usage[-1].data.get("choices") != []:
        raise chat.failed("The `choices` of the chunk with the usage are not [].", usage[-1])


@case(
    "openai.usage-null-elsewhere",
    SHOULD,
    "API: stream_options.include_usage",
    "All other chunks will also include a `usage` field, but with a null value.",
    code=WRITER + "usage=usage if self._includes_usage else UNSET",
    lesson=5,
    cause='If the usage was asked for, send `"usage":null` with all other chunks.',
)
async def usage_null_elsewhere(target: Target) -> None:
    chat, usage = await _with_usage(target)
    if not usage:
        raise Skipped("no chunk has the usage")
    for chunk in chat.chunks:
        if chunk is usage[-1]:
            continue
        if "usage" not in chunk.data:
            raise chat.failed("A chunk before the last one has no `usage`.", chunk)
        if chunk.data["usage"] is not None:
            raise chat.failed("A chunk before the last one has a `usage` that is not null.", chunk)


@case(
    "openai.usage-adds-up",
    MUST,
    "API: CompletionUsage",
    "total_tokens: Total number of tokens used in the request (prompt + completion).",
    code="protocol/openai/chat_completions.py: return cls(prompt, completion, prompt + completion",
    lesson=5,
    cause="The tokens of the reasoning are a part of completion_tokens, not beside it.",
)
async def usage_adds_up(target: Target) -> None:
    chat, usage = await _with_usage(target)
    if not usage:
        raise Skipped("no chunk has the usage")
    last = usage[-1].data["usage"]
    counts = [last.get(f"{name}_tokens") for name in ("prompt", "completion", "total")]
    if not all(isinstance(one, int) and one >= 0 for one in counts):
        raise chat.failed(f"The counts are {counts}, not whole numbers.", usage[-1])
    if counts[0] + counts[1] != counts[2]:
        raise chat.failed(f"{counts[0]} + {counts[1]} is not {counts[2]}.", usage[-1])


# ---- How much text


@case(
    "openai.n",
    MUST,
    "API: n",
    "How many chat completion choices to generate for each input message.",
    code=WRITER + "def steps(self)",
    lesson=5,
    cause="Each answer has its own index, its own role and its own finish_reason.",
)
async def several(target: Target) -> None:
    chat = Chat(await asked(target, {"n": 2}, what="`n`"))
    if chat.errors:
        raise Skipped("the answer failed")
    found = chat.by_index()
    if sorted(found) != [0, 1]:
        raise chat.failed(f"Two answers were asked for; the indexes are {sorted(found)}.")
    for index, choices in found.items():
        if chat.finish(index) is None:
            raise chat.failed(f"Answer {index} has no finish_reason.", choices[-1].chunk)
        if choices[0].delta.get("role") != "assistant":
            raise chat.failed(f"Answer {index} begins without its role.", choices[0].chunk)


@case(
    "openai.max-tokens",
    MUST,
    "API: ChatCompletionChunk.choices",
    "finish_reason: … `length` if the maximum number of tokens specified in the request was"
    " reached.",
    code="servers/llm/writers/chat_completions.py: max_tokens=asked.token_limit",
    lesson=5,
    cause="A client that gets `stop` takes half an answer for a whole one.",
)
async def max_tokens(target: Target) -> None:
    whole = Chat(await target.ended()).text()
    if len(whole) < 60:
        raise Skipped("the answer is too short to be cut")
    try:
        cut = await asked(target, {"max_tokens": 5}, what="`max_tokens`")
    except Skipped:  # newer models of OpenAI know only this name
        cut = await asked(target, {"max_completion_tokens": 5}, what="`max_completion_tokens`")
    chat = Chat(cut)
    if chat.finish() == "length":
        return
    if chat.errors or not chat.text():
        raise Skipped("the cut answer has no text")
    if len(chat.text()) > len(whole) / 2 and len(chat.text()) > 60:
        raise chat.failed("The answer is longer than 5 tokens: the limit is ignored.")
    if whole.startswith(chat.text()):
        say = f"The answer was cut at 5 tokens, and its finish_reason is {chat.finish()!r}."
        raise chat.failed(say)
    raise Skipped("the model ended by itself")


@case(
    "openai.stop",
    MUST,
    "API: stop",
    "Up to 4 sequences where the API will stop generating further tokens. The returned text will"
    " not contain the stop sequence.",
    code="servers/llm/model/stop.py: def ",
    lesson=5,
    cause="Look for the sequence in the text, not in each token: it may be split among several.",
)
async def stop(target: Target) -> None:
    words = Chat(await target.ended()).text().split()
    middle = words[len(words) // 2 :]
    word = next((one for one in middle if len(one) > 3 and one.isalpha()), "")
    if len(words) < 8 or not word:
        raise Skipped("the answer has no word to stop at")
    chat = Chat(await asked(target, {"stop": [word]}, what="`stop`"))
    if word in chat.text():
        raise chat.failed(f"The text contains the stop sequence {word!r}.")
    if chat.text() and chat.finish() not in ("stop", None):
        raise chat.failed(f"The finish_reason at a stop sequence is {chat.finish()!r}, not `stop`.")


# ---- Other requests


@case(
    "openai.not-streamed",
    MUST,
    "API: ChatCompletion",
    "object: The object type, which is always `chat.completion`. Without `stream` the answer is one"
    " such object.",
    code="protocol/openai/chat_completions.py: class ChatCompletion(",
    lesson=5,
    cause="The server ignores `stream`, or sends a chunk in place of a completion.",
)
async def not_streamed(target: Target) -> None:
    _is_whole(await asked(target, {"stream": False}, what="`stream: false`"))


@case(
    "openai.stream-is-off",
    MUST,
    "API: stream",
    "stream: optional, false by default.",
    code="servers/llm/api.py: stream=bool(asked.stream)",
    lesson=5,
    cause="The default of `stream` is false: clients that leave it out read one object.",
)
async def stream_is_off(target: Target) -> None:
    without = {"stream": LEFT_OUT, "stream_options": LEFT_OUT}
    _is_whole(await asked(target, without, what="a request without `stream`"))


def _is_whole(answer: Answer) -> None:
    if answer.is_event_stream:
        raise Failed("Nobody asked for a stream, but an event stream comes.", answer)
    body = json_body(answer)
    if body.get("object") != "chat.completion":
        raise Failed(f"The object is {body.get('object')!r}, not 'chat.completion'.", answer)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Failed("The answer has no choices.", answer)
    message = choices[0].get("message")
    if not isinstance(message, dict) or message.get("role") != "assistant":
        raise Failed("choices[0].message is not an assistant's message.", answer)


@case(
    "openai.content-parts",
    CUSTOM,
    "API: ChatCompletionUserMessageParam",
    "content: The contents of the user message: a string, or a list of parts such as"
    ' {"type":"text","text":"Hi"}.',
    code="protocol/openai/chat_request.py: class RequestMessage",
    lesson=6,
    cause="Many clients send lists of parts. Join their texts.",
    warns=True,
)
async def content_parts(target: Target) -> None:
    parts = [{"type": "text", "text": "Tell me a story."}]
    changes = {"messages": [{"role": "user", "content": parts}]}
    await accepts(target, changes, "A message whose content is a list of parts")


@case(
    "openai.unknown-fields",
    CUSTOM,
    "OpenAI-compatible servers",
    "New clients send fields that a server does not know yet. It ignores them.",
    code="protocol/openai/common.py: def read_json",
    lesson=6,
    cause="The request's schema forbids further fields. Allow them.",
    warns=True,
)
async def unknown_fields(target: Target) -> None:
    await accepts(target, {"x_spec_unknown": {"a": 1}}, "A request with a field of the future")


# What this file does not do: tools and log probabilities (openai_tools.py), or requests that must
# be refused (openai_errors.py).
