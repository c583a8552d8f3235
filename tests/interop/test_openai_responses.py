"""Tests `POST /v1/responses` with the official Python client, which is strict about the order of
the events, because it builds the response from them."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from servers.llm.model.models import MODEL

from .peers import RunningServer, running
from .simulated import calls, response, text
from .test_openai_sdk import sync_client

HELLO: dict[str, Any] = {"model": MODEL, "input": "你好 👋🏽"}
WEATHER: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
    "strict": True,
}
CLOCK = {**WEATHER, "name": "clock"}
SEALED = "reasoning.encrypted_content"


class Weather(BaseModel):
    city: str
    days: int


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--ttft", "0", "--itl", "0") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[OpenAI]:
    with sync_client(server.url) as client:
        yield client


def test_stream(client: OpenAI) -> None:
    """Every token is one event, the events are numbered, and the last has the whole response."""
    said = response(HELLO)
    events = list(client.responses.create(**HELLO, stream=True))

    assert [event.sequence_number for event in events] == list(range(len(events)))
    thinking = [e.delta for e in events if e.type == "response.reasoning_summary_text.delta"]
    assert thinking == list(said.thinking)
    assert [e.delta for e in events if e.type == "response.output_text.delta"] == list(said.text)
    assert [event.type for event in (events[0], events[-1])] == [
        "response.created",
        "response.completed",
    ]
    assert events[-1].response.output_text == text(said)


def test_not_streamed(client: OpenAI) -> None:
    said = response(HELLO)
    whole = client.responses.create(**HELLO)
    assert (whole.status, whole.output_text, whole.error) == ("completed", text(said), None)
    assert [item.type for item in whole.output] == ["reasoning", "message"]
    assert [part.text for part in whole.output[0].summary] == ["".join(said.thinking)]
    assert whole.usage.output_tokens == said.completion_tokens
    assert whole.usage.output_tokens_details.reasoning_tokens == len(said.thinking)
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens


def test_stream_helper(client: OpenAI) -> None:
    """`.stream()` builds the response itself, item by item and part by part."""
    said = response(HELLO)
    snapshot = ""
    with client.responses.stream(**HELLO) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                snapshot += event.delta
                assert event.snapshot == snapshot
        final = stream.get_final_response()
    assert snapshot == final.output_text == text(said)


def test_parse(client: OpenAI) -> None:
    """A structured answer, whole and streamed."""
    schema = {"type": "json_schema", "name": "Weather", "schema": WEATHER["parameters"]}
    said = response({**HELLO, "text": {"format": schema}})
    weather = Weather.model_validate_json(text(said))
    assert client.responses.parse(**HELLO, text_format=Weather).output_parsed == weather

    with client.responses.stream(**HELLO, text_format=Weather) as stream:
        (done,) = [event for event in stream if event.type == "response.output_text.done"]
        assert stream.get_final_response().output_parsed == done.parsed == weather


def test_tools(client: OpenAI) -> None:
    """The client gets two calls in pieces, sends their results, and gets a text with the last
    result.

    The input of the second request contains the items of the first answer, with the reasoning.
    """
    request = {**HELLO, "tools": [WEATHER, CLOCK]}
    request["input"] = [{"role": "user", "content": "The weather and the clock, please."}]
    said = response(request)
    assert [call.name for call in said.calls] == ["weather", "clock"]

    pieces: dict[int, list[str]] = {}
    with client.responses.stream(**request) as stream:
        for event in stream:
            if event.type == "response.function_call_arguments.delta":
                pieces.setdefault(event.output_index, []).append(event.delta)
        final = stream.get_final_response()
    assert list(pieces.values()) == [list(call.arguments) for call in said.calls]
    called = [item for item in final.output if item.type == "function_call"]
    assert [(item.name, item.arguments) for item in called] == calls(said)

    request["input"] += final.output
    for item in called:
        result = {"type": "function_call_output", "call_id": item.call_id}
        request["input"].append({**result, "output": f"☔ {item.name}"})
    plain = {**request, "input": [as_json(item) for item in request["input"]]}
    said = response(plain)
    assert "☔ clock" in text(said)
    assert client.responses.create(**request).output_text == text(said)


@pytest.mark.parametrize("options", [{}, {"store": False}, {"include": [SEALED]}])
def test_reasoning_that_the_client_keeps(client: OpenAI, options: dict[str, Any]) -> None:
    """A stateless client sends the reasoning back with the tool call. Changed reasoning is refused
    with OpenAI's code."""
    request = {**HELLO, **options, "tools": [WEATHER]}
    thought, call = client.responses.create(**request).output
    assert thought.encrypted_content
    *_, streamed = client.responses.create(**request, stream=True)
    assert streamed.response.output[0].encrypted_content == thought.encrypted_content

    result = {"type": "function_call_output", "call_id": call.call_id, "output": "☔"}
    request["input"] = [{"role": "user", "content": "Weather?"}, thought, call, result]
    assert "☔" in client.responses.create(**request).output_text

    request["input"][1] = {**thought.to_dict(), "encrypted_content": thought.encrypted_content[4:]}
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**request)
    assert (caught.value.code, caught.value.param) == (
        "invalid_encrypted_content",
        "input[1].encrypted_content",
    )


def test_a_custom_tool(client: OpenAI) -> None:
    """The model calls the custom tool with a text, whole and in pieces, and then reads the tool's
    result."""
    request: dict[str, Any] = {**HELLO, "tools": [{"type": "custom", "name": "code"}]}
    request["input"] = [{"role": "user", "content": "run it"}]
    with client.responses.stream(**request) as stream:
        events: list[Any] = list(stream)
        output: Any = stream.get_final_response().output
    _, call = output
    name = "response.custom_tool_call_input.delta"
    assert "".join(event.delta for event in events if event.type == name) == "run it"
    assert (call.type, call.name, call.input) == ("custom_tool_call", "code", "run it")
    result = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done ☔"}
    request["input"] += [call, result]
    assert "done ☔" in client.responses.create(**request).output_text


def test_allowed_tools(client: OpenAI) -> None:
    """The prompt names both tools. The tool that is not allowed is not called."""
    clock = {"type": "function", "name": "clock"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [clock]}
    request = {**HELLO, "input": "weather, clock", "tools": [WEATHER, CLOCK], "tool_choice": choice}
    whole = client.responses.create(**request)
    assert [item.name for item in whole.output if item.type == "function_call"] == ["clock"]
    assert whole.to_dict()["tool_choice"] == choice


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ],
)
def test_what_the_simulator_cannot_do(client: OpenAI, field: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**HELLO, **field)
    assert caught.value.param == param
    assert "imulator" in caught.value.message


def as_json(item: Any) -> Any:
    return item if isinstance(item, dict) else item.to_dict()


@pytest.mark.parametrize("limit", ["in the thinking", "in the text"])
def test_incomplete(client: OpenAI, limit: str) -> None:
    """A token limit ends a response as incomplete, neither as an error nor as completed."""
    thinking = len(response(HELLO).thinking)
    tokens = 3 if limit == "in the thinking" else thinking + 3
    request = {**HELLO, "max_output_tokens": tokens}
    said = response(request)

    *_, last = client.responses.create(**request, stream=True)
    assert last.type == "response.incomplete"
    for whole in (last.response, client.responses.create(**request)):
        assert whole.status == "incomplete"
        assert whole.incomplete_details.reason == "max_output_tokens"
        assert whole.output_text == text(said)
        assert whole.usage.output_tokens == tokens


def test_without_thinking(client: OpenAI) -> None:
    whole = client.responses.create(**HELLO, reasoning={"effort": "none"})
    assert [item.type for item in whole.output] == ["message"]


@pytest.mark.parametrize("streaming", [True, False])
def test_bad_request(client: OpenAI, streaming: bool) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{**HELLO, "input": {}, "stream": streaming})
    assert caught.value.param == "input"
