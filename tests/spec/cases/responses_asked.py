"""Family responses, third part: options of a request, refusals, and an answer that fails.

{"max_output_tokens":16}                     responses.incomplete
{"tools":[…],"tool_choice":"required"}       responses.tool-arguments
event: error
data: {"type":"error","sequence_number":9,"code":…,"message":"…","param":null}
"""

import json
from typing import Any

from ..answer import Answer
from ..case import CUSTOM, MUST, Failed, Skipped, case
from ..openai_asking import accepts, asked, error_of, json_body, request_with, type_name
from ..responses_reading import Responses
from ..target import Target
from .openai_errors import refused
from .responses_whole import check_joined

WRITER = "servers/llm/writers/responses.py: "
FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": False,
}


@case(
    "responses.not-streamed",
    MUST,
    "API: Response",
    "object: The object type of this resource - always set to `response`. Without `stream` the"
    " answer is one such object.",
    code="protocol/openai/responses.py: class ResponseObject",
    lesson=5,
    cause="The server ignores `stream`, or sends the first state of the response.",
)
async def not_streamed(target: Target) -> None:
    answer = await asked(target, {"stream": False}, what="`stream: false`")
    if answer.is_event_stream:
        raise Failed("Nobody asked for a stream, but an event stream comes.", answer)
    body = json_body(answer)
    if body.get("object") != "response":
        raise Failed(f"The object is {body.get('object')!r}, not 'response'.", answer)
    if body.get("status") not in ("completed", "incomplete", "failed"):
        raise Failed(f"The status of a whole answer is {body.get('status')!r}.", answer)
    if not isinstance(body.get("output"), list):
        raise Failed(f"The output is {type_name(body.get('output'))}.", answer)


@case(
    "responses.incomplete",
    MUST,
    "API: Response",
    "incomplete_details: Details about why the response is incomplete. A response that was cut at"
    " max_output_tokens is incomplete, not completed.",
    code=WRITER + 'IncompleteDetails("max_output_tokens")',
    lesson=5,
    cause="End with response.incomplete, and reason `max_output_tokens`.",
)
async def incomplete(target: Target) -> None:
    whole = Responses(await target.ended()).text
    if len(whole) < 160:
        raise Skipped("the answer is too short to be cut")
    cut = await asked(target, {"max_output_tokens": 16}, what="`max_output_tokens`")
    found = Responses(cut)
    end = found.end
    if end is None or end.type == "response.failed":
        raise Skipped("no event ends the cut response")
    if end.type == "response.incomplete":
        details = end.response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        if reason != "max_output_tokens":
            raise found.failed(f"The reason why it is incomplete is {reason!r}.", end)
        return
    if len(found.text) > len(whole) / 2 and len(found.text) > 160:
        raise found.failed("The answer is longer than 16 tokens: the limit is ignored.", end)
    if whole.startswith(found.text):
        raise found.failed("The answer was cut at 16 tokens, and it is called completed.", end)
    raise Skipped("the model ended by itself")


@case(
    "responses.tool-arguments",
    CUSTOM,
    "API: ResponseFunctionCallArgumentsDoneEvent",
    "arguments: The function-call arguments: all of its deltas, joined, and one JSON object.",
    code="protocol/openai/response_events.py: class FunctionCallArgumentsDone",
    lesson=6,
    cause="Each delta is the next part of one text.",
)
async def tool_arguments(target: Target) -> None:
    found = await _tools(target)
    await check_joined(found)
    for event in found.of("response.output_item.done"):
        if event.item.get("type") != "function_call":
            continue
        arguments = event.item.get("arguments")
        try:
            value = json.loads(arguments) if isinstance(arguments, str) else None
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise found.failed(f"The arguments are not a JSON object: {arguments!r}.", event)


@case(
    "responses.tool-call",
    MUST,
    "API: ResponseFunctionToolCall",
    "arguments, call_id, name and type are required.",
    code="protocol/openai/responses.py: class FunctionCallItem",
    lesson=6,
    cause="The client sends its result with the same call_id.",
)
async def tool_call(target: Target) -> None:
    found = await _tools(target)
    for event in found.of("response.output_item.added", "response.output_item.done"):
        if event.item.get("type") == "function_call":
            for name in ("call_id", "name", "arguments"):
                if not isinstance(event.item.get(name), str):
                    say = f"`{name}` of a call is {type_name(event.item.get(name))}."
                    raise found.failed(say, event)


async def _tools(target: Target) -> Responses:
    wanted: dict[str, Any] = {
        "input": "What is the weather in 北京? Use the tool.",
        "tools": [FUNCTION],
        "tool_choice": "required",
    }
    found = Responses(await asked(target, wanted, what="`tools`"))
    if not any(event.item.get("type") == "function_call" for event in found.events):
        raise Skipped("the server calls no tool")
    return found


# ---- Refusals


@case(
    "responses.bad-json",
    MUST,
    "API: error codes",
    "400 - BadRequestError: a body that is not JSON is the client's error.",
    code="protocol/openai/common.py: except (msgspec.DecodeError, UnicodeDecodeError)",
    lesson=5,
    cause="Clients repeat a request after 5xx. Catch the decoder's exception, and answer 400.",
)
async def bad_json(target: Target) -> None:
    await _bad_json(target)


async def _bad_json(target: Target) -> Answer:
    request = target.request(body=b'{"model":"gpt-4o-mini","input":')
    return await refused(target, request, "A body that is not JSON")


@case(
    "responses.wrong-type",
    MUST,
    "API: input",
    "input: Text, image, or file inputs to the model: a string or a list.",
    code="protocol/openai/common.py: except msgspec.ValidationError",
    lesson=5,
    cause="Check the request before the head of the answer is sent.",
)
async def wrong_type(target: Target) -> None:
    await refused(target, request_with(target, {"input": 5}), "A request whose `input` is 5")


@case(
    "responses.error-shape",
    MUST,
    "API: ErrorObject",
    "An error response is JSON: an object `error` with message and type, both strings.",
    code="protocol/openai/common.py: class ErrorBody",
    lesson=5,
    cause='Clients show error.message. Send {"error":{"message":…,"type":…,"param":…,"code":…}}.',
)
async def error_shape(target: Target) -> None:
    answer = await _bad_json(target)
    error = error_of(answer)
    for name in ("message", "type"):
        if not isinstance(error.get(name), str):
            raise Failed(f"`error.{name}` is {type_name(error.get(name))}, not a string.", answer)


@case(
    "responses.unknown-fields",
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


# ---- After the head


@case(
    "responses.error-event",
    MUST,
    "API: ResponseErrorEvent",
    "type: always `error`; message: The error message. (Open Responses nests it under `error`.) Or"
    " the response ends with response.failed and its `error`.",
    code="protocol/openai/response_events.py: class ErrorEvent",
    lesson=5,
    cause='Send event: error, data: {"type":"error","code":…,"message":…,"param":null,…}.',
)
async def error_event(target: Target) -> None:
    await target.event_stream()
    answer = await target.shared(target.request(headers=[("X-Fault", "error-flat")]))
    if answer.status != 200 or not answer.is_event_stream:
        raise Skipped("the answer failed before its head")
    found = Responses(answer)
    bare = [line for line in found.reading.lines if line.name.startswith('{"error"')]
    if bare:
        at = found.reading.raw(bare[0].at)
        raise Failed("The error is a line of JSON without `data:`.", answer, at=at)
    if found.end is not None and found.end.type != "response.failed":
        raise Skipped("this server cannot be asked to fail in the middle of an answer")
    for event in found.events:
        if event.type == "response.failed":
            error = event.response.get("error")
        elif event.type == "error" or "error" in event.data:
            error = event.data.get("error") or event.data
        else:
            continue
        if not isinstance(error, dict) or not isinstance(error.get("message"), str):
            raise found.failed("The error has no string `message`.", event)
        if event.type not in ("error", "response.failed"):
            raise found.failed(f"The type of the error's event is {event.type!r}.", event)
        return
    raise Skipped("no event has an error")


# What this file does not do: WebSockets, background responses, stored responses.
