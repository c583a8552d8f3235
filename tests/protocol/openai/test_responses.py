"""The Responses API: the fields of a request, and the error for each bad request."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.openai.common import InvalidRequest
from protocol.openai.responses_request import (
    FunctionChoice,
    InputItem,
    JSONObjectFormat,
    JSONSchemaFormat,
    PlainFormat,
    ResponsesFunctionTool,
    read_responses_request,
)


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "input": "Hi", **fields}).encode()


def test_the_smallest_request() -> None:
    request = read_responses_request(body())
    assert (request.model, request.stream, request.tools) == ("m", None, None)
    assert request.items == [InputItem(role="user", content="Hi")]


def test_unknown_fields_are_ignored() -> None:
    ignored = {"store": True, "top_k": 5, "stream_options": {"include_obfuscation": False}}
    assert read_responses_request(body(**ignored, stream=True)).stream is True


TEXTS: list[tuple[dict[str, object], str]] = [
    ({"role": "user", "content": "a"}, "a"),
    ({"type": "message", "role": "developer", "content": "a"}, "a"),
    ({"role": "user", "content": []}, ""),
    (
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "你"},
                {"type": "input_image", "image_url": "data:,"},
                {"type": "input_text", "text": "好"},
            ],
        },
        "你好",
    ),
    (
        {
            "id": "msg_1",
            "type": "message",
            "status": "completed",
            "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "a"}],
            "role": "assistant",
        },
        "a",
    ),
    ({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}]}, ""),
    ({"type": "reasoning", "content": [{"type": "reasoning_text", "text": "a"}]}, ""),
    ({"type": "item_reference", "id": "msg_1"}, ""),
    (
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        "",
    ),
]


@pytest.mark.parametrize(("item", "text"), TEXTS)
def test_the_text_of_an_item(item: dict[str, object], text: str) -> None:
    (read,) = read_responses_request(body(input=[item])).items
    assert read.text == text


CALLS: list[tuple[dict[str, object], dict[str, object], list[str]]] = [
    (
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "4 °C"},
        ['{"a":1}', "4 °C"],
    ),
    (
        {"type": "custom_tool_call", "call_id": "call_1", "name": "f", "input": "a = 1"},
        {
            "type": "custom_tool_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_text", "text": "4 °C"}],
        },
        ["a = 1", "4 °C"],
    ),
]


@pytest.mark.parametrize(("call", "result", "texts"), CALLS)
def test_the_texts_of_a_call_and_of_its_result(
    call: dict[str, object], result: dict[str, object], texts: list[str]
) -> None:
    request = read_responses_request(body(input=[call, result]))
    assert [item.text for item in request.items] == texts


def test_the_named_function() -> None:
    choice = {"type": "function", "name": "f"}
    request = read_responses_request(
        body(tools=[{"type": "function", "name": "f"}], tool_choice=choice)
    )
    assert request.tools == [ResponsesFunctionTool(name="f")]
    assert request.tool_choice == FunctionChoice("f")


FORMATS: list[tuple[dict[str, object], object]] = [
    ({"type": "text"}, PlainFormat()),
    ({"type": "json_object"}, JSONObjectFormat()),
    (
        {"type": "json_schema", "name": "x", "schema": {"a": 1}, "strict": True},
        JSONSchemaFormat(name="x", schema={"a": 1}, strict=True),
    ),
]


@pytest.mark.parametrize(("sent", "read"), FORMATS)
def test_the_format_of_the_text(sent: dict[str, object], read: object) -> None:
    text = read_responses_request(body(text={"format": sent})).text
    assert text is not None
    assert text.format == read


function = {"type": "function", "name": "f"}
THEIRS = None  # a message from msgspec: it must only be there
BAD: list[tuple[bytes, str | None, str | None]] = [
    (b"", "The body is not JSON: ", None),
    (b"[]", THEIRS, None),
    (b"{}", THEIRS, "model"),
    (b'{"model":"m"}', THEIRS, "input"),
    (body(model="m" * 257), THEIRS, "model"),
    (body(input=5), THEIRS, "input"),
    (body(input=[]), THEIRS, "input"),
    (body(input=["Hi"]), THEIRS, "input[0]"),
    (body(input=[{}]), THEIRS, "input[0].role"),
    (body(input=[{"role": "me"}]), THEIRS, "input[0].role"),
    (
        body(input=[{"role": "user"}]),
        THEIRS,
        "input[0].content",
    ),
    (
        body(input=[{"role": "user", "content": [{"type": "input_text", "text": 5}]}]),
        THEIRS,
        "input[0].content[0].text",
    ),
    (body(instructions=5), THEIRS, "instructions"),
    (body(stream="yes"), THEIRS, "stream"),
    (body(max_output_tokens=0), THEIRS, "max_output_tokens"),
    (
        body(tools=[function, {"type": "function"}]),
        THEIRS,
        "tools[1].name",
    ),
    (body(tools=[{**function, "name": "a b"}]), THEIRS, "tools[0].name"),
    (body(tools=[function] * 129), THEIRS, "tools"),
    (body(tool_choice="maybe"), THEIRS, "tool_choice"),
    (
        body(tool_choice={"type": "web_search"}),
        THEIRS,
        "tool_choice.type",
    ),
    (
        body(tools=[function], tool_choice={"type": "function", "name": "g"}),
        "`tools` has no function 'g'",
        "tool_choice.name",
    ),
    (body(text={"format": {"type": "xml"}}), THEIRS, "text.format.type"),
    (
        body(text={"format": {"type": "json_schema", "name": "x"}}),
        THEIRS,
        "text.format.schema",
    ),
    (body(metadata={"a": 5}), THEIRS, "metadata[...]"),
    (body(metadata={"a": "b" * 513}), THEIRS, "metadata[...]"),
    (
        body(metadata={str(number): "" for number in range(17)}),
        THEIRS,
        "metadata",
    ),
    (body(temperature=3), THEIRS, "temperature"),
    (
        body(previous_response_id="resp_1"),
        "This server keeps no responses: send the whole conversation in `input`.",
        "previous_response_id",
    ),
]


@pytest.mark.parametrize(("data", "message", "param"), BAD)
def test_the_error_for_a_bad_request_has_a_reason_and_a_path(
    data: bytes, message: str | None, param: str | None
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_responses_request(data)
    told = str(caught.value)
    assert told.startswith(message) if message else told
    assert caught.value.param == param


def test_an_earlier_response_has_the_code_of_the_api() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_responses_request(body(previous_response_id="resp_1"))
    assert caught.value.code == "previous_response_not_found"


@given(st.binary(max_size=60) | st.integers(0, 40).map(lambda size: body()[:size]))
def test_any_bytes_give_a_request_or_an_invalid_request(data: bytes) -> None:
    try:
        read_responses_request(data)
    except InvalidRequest:
        pass


def test_the_response_repeats_fields_of_the_request() -> None:
    """A tool, a choice and a schema have the field order of the API, not of the request."""
    tool = '{"type":"function","description":"d","name":"f","parameters":{"a":1},"strict":true}'
    schema = '{"type":"json_schema","description":null,"name":"x","schema":{"a":1},"strict":true}'
    asked = read_responses_request(
        body(
            tools=[{"name": "f", "type": "function", "parameters": {"a": 1}, "description": "d"}],
            tool_choice={"name": "f", "type": "function"},
            text={
                "format": {"schema": {"a": 1}, "strict": True, "name": "x", "type": "json_schema"}
            },
        )
    )
    assert msgspec.json.encode(asked.tools).decode() == f"[{tool}]"
    assert msgspec.json.encode(asked.tool_choice) == b'{"type":"function","name":"f"}'
    assert msgspec.json.encode(asked.text).decode() == f'{{"format":{schema},"verbosity":"medium"}}'
