"""Family openai, fifth part: requests that must be refused, and an answer that fails on its way.

HTTP/1.1 400 Bad Request
Content-Type: application/json

{"error":{"message":"…","type":"invalid_request_error","param":"messages","code":null}}

data: {"error":{"message":"…","type":"server_error","param":null,"code":null}}   after the head
"""

import re

from ..answer import Answer
from ..case import CUSTOM, MUST, Failed, Skipped, case
from ..openai_asking import LEFT_OUT, Chat, Object, error_of, json_body, request_with, type_name
from ..reading import read
from ..target import Target

ERROR = "API: ErrorObject"

FAULT = ("X-Fault", "error-nested")
"""How this project's servers are asked to fail in the middle. Other servers ignore it."""


async def refused(target: Target, request: bytes, what: str) -> Answer:
    """Send a request that must be refused.

    Raises:
        Failed: It is not refused, or not as the client's error.
        Skipped: It is refused for another reason.
    """
    await target.success()
    answer = await target.shared(request)
    if answer.status in (401, 403, 408, 429, 503):
        raise Skipped(f"{what} got status {answer.status}")
    if not answer.status:
        raise Failed(f"{what} got no response.", answer)
    if answer.status == 200:
        raise Failed(f"{what} is answered with status 200.", answer)
    if not 400 <= answer.status < 500:
        raise Failed(f"{what} is the client's error, but the status is {answer.status}.", answer)
    return answer


async def _bad_json(target: Target) -> Answer:
    request = target.request(body=b'{"model":"gpt-4o-mini","messages":[')
    return await refused(target, request, "A body that is not JSON")


async def _error(target: Target) -> tuple[Answer, Object]:
    answer = await _bad_json(target)
    return answer, error_of(answer)


@case(
    "openai.bad-json",
    MUST,
    "API: error codes",
    "400 - BadRequestError: a body that is not JSON is the client's error.",
    code="protocol/openai/common.py: except (msgspec.DecodeError, UnicodeDecodeError)",
    lesson=5,
    cause="Clients repeat a request after 5xx. Catch the decoder's exception, and answer 400.",
)
async def bad_json(target: Target) -> None:
    await _bad_json(target)


@case(
    "openai.missing-messages",
    MUST,
    "API: messages",
    "messages: required.",
    code="protocol/openai/common.py: def missing",
    lesson=5,
    cause="Check the request before the head of the answer is sent.",
)
async def missing_messages(target: Target) -> None:
    request = request_with(target, {"messages": LEFT_OUT})
    await refused(target, request, "A request without `messages`")


@case(
    "openai.wrong-type",
    MUST,
    "API: messages",
    "messages: A list of messages comprising the conversation so far.",
    code="protocol/openai/common.py: except msgspec.ValidationError",
    lesson=5,
    cause="Check the request before the head of the answer is sent.",
)
async def wrong_type(target: Target) -> None:
    request = request_with(target, {"messages": "Hi"})
    await refused(target, request, "A request whose `messages` is a string")


@case(
    "openai.error-is-json",
    MUST,
    ERROR,
    "A refusal is JSON, not an event stream or a page, also if a stream was asked for.",
    code="servers/http/api_replies.py: def error_reply",
    lesson=5,
    cause="Send the refusal with Content-Type: application/json.",
)
async def error_is_json(target: Target) -> None:
    answer = await _bad_json(target)
    sent = answer.field("content-type")
    if "json" not in sent.lower():
        raise Failed(f"The Content-Type of an error is {sent or 'missing'}.", answer)
    json_body(answer)


@case(
    "openai.error-shape",
    MUST,
    ERROR,
    "An error response is an object `error` with message and type, both strings.",
    code="protocol/openai/common.py: class ErrorBody",
    lesson=5,
    cause='Clients show error.message. Send {"error":{"message":…,"type":…,"param":…,"code":…}}.',
)
async def error_shape(target: Target) -> None:
    answer, error = await _error(target)
    for name in ("message", "type"):
        if not isinstance(error.get(name), str):
            raise Failed(f"`error.{name}` is {type_name(error.get(name))}, not a string.", answer)


@case(
    "openai.error-fields",
    CUSTOM,
    ERROR,
    "code and param are strings or null; clients decide by code what to do.",
    code="protocol/openai/common.py: class ErrorBody",
    lesson=5,
    cause="Send both, with null if there is no value; a code is a word, not the status.",
    warns=True,
)
async def error_fields(target: Target) -> None:
    answer, error = await _error(target)
    for name in ("code", "param"):
        if name not in error:
            raise Failed(f"`error.{name}` is missing.", answer)
        if not isinstance(error[name], str | None):
            say = f"`error.{name}` is {type_name(error[name])}, not a string or null."
            raise Failed(say, answer)


@case(
    "openai.unknown-model",
    CUSTOM,
    "API: error codes",
    "404 - NotFoundError: The requested resource was not found. A model that does not exist has the"
    " code `model_not_found`.",
    code='servers/llm/api.py: "model_not_found"',
    lesson=6,
    cause="Answer 404 with code model_not_found.",
    warns=True,
)
async def unknown_model(target: Target) -> None:
    await target.success()
    answer = await target.shared(request_with(target, {"model": "no-such-model-of-the-spec-suite"}))
    if answer.status == 200:
        raise Skipped("the server takes any name of a model")
    if answer.status not in (400, 404):
        raise Failed(f"A model that does not exist gets status {answer.status}.", answer)


@case(
    "openai.models-list",
    MUST,
    "API: models",
    "GET /v1/models: object, which is always `list`, and data, a list of models with their ids.",
    code="servers/llm/api.py: class ModelList",
    lesson=6,
    cause='Send {"object":"list","data":[{"id":…,"object":"model",…}]}.',
)
async def models_list(target: Target) -> None:
    path = target.parts.target
    if not path.endswith("/chat/completions"):
        raise Skipped("the path does not end in /chat/completions")
    path = path.removesuffix("chat/completions") + "models"
    answer = await target.shared(target.request(method="GET", target=path, body=b""))
    if answer.status != 200:
        raise Skipped(f"GET {path} got status {answer.status}")
    body = json_body(answer)
    data = body.get("data")
    if body.get("object") != "list" or not isinstance(data, list):
        raise Failed("The body is not an object `list` with `data`.", answer)
    for one in data:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise Failed("A model has no `id`.", answer)


# ---- After the head


async def failing(target: Target) -> Answer:
    """An answer that fails after its head.

    Raises:
        Skipped: The server cannot be asked to fail.
    """
    await target.event_stream()
    answer = await target.shared(target.request(headers=[FAULT]))
    if answer.status != 200 or not answer.is_event_stream:
        raise Skipped("the answer failed before its head")
    if b'"error"' not in answer.body:
        raise Skipped("this server cannot be asked to fail in the middle of an answer")
    return answer


@case(
    "openai.error-is-an-event",
    CUSTOM,
    "HTML §9.2.6",
    "After the head the status is sent: an error can only be an event. A line without `data:` is"
    " ignored by every reader.",
    code="servers/llm/faults/stream_faults.py: def _error_event",
    lesson=5,
    cause="The framework writes its error's JSON into the open stream. Catch the error in the"
    " generator, and send it with `data: ` and a blank line.",
)
async def error_is_an_event(target: Target) -> None:
    answer = await failing(target)
    for line in read(answer).lines:
        if re.match(r'\{\s*"error', line.name):
            at = read(answer).raw(line.at)
            raise Failed("The error is a line of JSON without `data:`.", answer, at=at)


@case(
    "openai.error-event-shape",
    CUSTOM,
    ERROR,
    "Clients raise an error for an event with an object `error`; without that key they take the"
    " event for an empty chunk.",
    code="protocol/openai/common.py: class ErrorResponse",
    lesson=5,
    cause='Send data: {"error":{"message":…,"type":…}}.',
)
async def error_event_shape(target: Target) -> None:
    chat = Chat(await failing(target))
    if not chat.errors:
        raise Skipped("no event has the error")
    error = chat.errors[0].data["error"]
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise chat.failed("`error` is not an object with a message.", chat.errors[0])


@case(
    "openai.error-ends",
    CUSTOM,
    ERROR,
    "An error ends the answer: no text and no finish_reason follow it.",
    code="servers/llm/faults/stream_faults.py: def _error_event",
    lesson=5,
    cause="Clients have raised their exception then. Close the stream after the error.",
)
async def error_ends(target: Target) -> None:
    chat = Chat(await failing(target))
    if not chat.errors:
        raise Skipped("no event has the error")
    late = [one for one in chat.chunks if one.number > chat.errors[0].number]
    if late:
        raise chat.failed("A chunk follows the error.", late[0])


# What this file does not do: the errors of the Responses API (responses_errors.py).
