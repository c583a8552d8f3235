"""Checks the answers of the Responses API, whole and event by event, with the schema of Open
Responses, which several servers share. The official client is less strict."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import msgspec
import pytest

from protocol.openai.responses_request import read_responses_request
from protocol.sse import EventStreamParser
from servers.chat import routes
from servers.llm.model.conversation import Answer, ToolCall
from servers.llm.pace import Pace
from servers.llm.writers.responses import ResponsesWriter

from ..at_once import at_once
from ..servers.llm.asking import response_events
from .peers import unavailable

THOUGHT, TEXT = ["Hm", "."], ["你", "", "好"]
CALL = ToolCall("f", ['{"city', '":"北京"}'])
ANSWERS = {
    "thinking and text": Answer(THOUGHT, TEXT),
    "text cut short": Answer((), TEXT, finish_reason="length"),
    "thinking cut short": Answer(THOUGHT, finish_reason="length"),
    "filtered": Answer(THOUGHT, TEXT, finish_reason="content_filter"),
    "calls": Answer(THOUGHT, (), [CALL, ToolCall("f", ())], "tool_calls"),
    "nothing": Answer(),
}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
REQUESTS: dict[str, dict[str, Any]] = {
    "the smallest": {},
    "with all there is to repeat": {
        "instructions": "Be brief.",
        "max_output_tokens": 16,
        "max_tool_calls": 1,
        "metadata": {"a": "b"},
        "frequency_penalty": 0.5,
        "presence_penalty": 0.5,
        "prompt_cache_key": "key",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "id",
        "temperature": 0,
        # json_schema is not tested, because Open Responses has no field for the schema, which
        # OpenAI repeats.
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [FUNCTION],
        "truncation": "auto",
    },
    "with allowed tools": {
        "tools": [FUNCTION],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [FUNCTION]},
    },
}


@pytest.fixture(scope="module")
def schema() -> Any:
    if not find_spec("openresponses_types"):
        unavailable("openresponses-types is missing: pip install -c .ci/locked.txt -e '.[clients]'")
    return import_module("openresponses_types")


def writer(answer: Answer, request: dict[str, Any]) -> ResponsesWriter:
    asked = read_responses_request(msgspec.json.encode({"model": "m", "input": "Hi"} | request))
    return ResponsesWriter(asked, [answer], 3, id="resp_1", created=5)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_the_whole_answer(schema: Any, answer: Answer, request_: dict[str, Any]) -> None:
    whole = msgspec.json.encode(at_once(writer(answer, request_).whole()))
    schema.ResponseResource.model_validate_json(whole)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_each_event(schema: Any, answer: Answer, request_: dict[str, Any]) -> None:
    events = [kind for name, kind in vars(schema).items() if name.endswith("StreamingEvent")]
    by_type = {next(iter(kind.model_fields["type"].annotation)): kind for kind in events}
    written = writer(answer, request_)
    wire = b"".join([written.opening, *written.steps(), written.last])
    for event in EventStreamParser().receive_data(wire):
        by_type[event.event].model_validate_json(event.data)


async def test_its_error_event(schema: Any) -> None:
    """The fault `error-nested` follows the schema. (`error-flat` has the event of OpenAI's own
    type.)"""
    (*_, last) = await response_events(routes(Pace(0, 0)), "error-nested")
    schema.ErrorStreamingEvent.model_validate_json(last.data)
