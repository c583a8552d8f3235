"""Chat requests: fields that need each other, tools and their choice, calls and their results. A
request that OpenAI's API refuses is refused with the same field; all others are accepted."""

import json
from typing import Any

import pytest

from protocol.openai.chat_request import (
    AllowedToolsChoice,
    ChatCustomTool,
    ChosenCustom,
    read_chat_request,
)
from protocol.openai.common import InvalidRequest

HI = {"role": "user", "content": "Hi"}
FUNCTION = {"type": "function", "function": {"name": "f"}}
CUSTOM = {"type": "custom", "custom": {"name": "g"}}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}


def call(*ids: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": id, "type": "function", "function": function} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": "4 °C"}


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": [HI]} | fields).encode()


def among(*tools: dict[str, Any], mode: str = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


TAKEN: dict[str, dict[str, Any]] = {
    "null is as good as absent": {
        "stream_options": None,
        "tools": None,
        "tool_choice": None,
        "parallel_tool_calls": None,
        "top_logprobs": None,
        "max_tokens": None,
        "functions": None,
        "response_format": None,
    },
    "options of a stream": {"stream": True, "stream_options": {"include_obfuscation": False}},
    "top_logprobs with logprobs": {"logprobs": True, "top_logprobs": 0},
    "no tool of no tools": {"tool_choice": "none"},
    "text only": {"modalities": ["text"]},
    "a schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
    "custom tools": {"tools": [CUSTOM, {"type": "custom", "custom": {"name": "h", "format": {
        "type": "text"}}}], "parallel_tool_calls": True},
    "one call, one result": {"messages": [HI, call("1"), result("1"), HI]},
    "results in another order": {"messages": [HI, call("1", "2"), result("2"), result("1")]},
    "two rounds": {"messages": [HI, call("1"), result("1"), call("1"), result("1")]},
    "an assistant without content": {
        "messages": [
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": None},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "assistant", "audio": {"id": "audio_1"}},
            HI,
        ]
    },
    "parts that say nothing here": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:,"}},
                    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "file_1"}},
                ],
            },
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            HI,
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("fields", TAKEN.values(), ids=TAKEN)
def test_accepted_requests(fields: dict[str, Any]) -> None:
    read_chat_request(body(**fields))


def test_a_custom_tool_and_its_choice() -> None:
    choice = {"type": "custom", "custom": {"name": "g"}}
    request = read_chat_request(body(tools=[FUNCTION, CUSTOM], tool_choice=choice))
    assert request.tools is not None
    assert [(tool.name, isinstance(tool, ChatCustomTool)) for tool in request.tools] == [
        ("f", False),
        ("g", True),
    ]
    assert isinstance(request.tool_choice, ChosenCustom)
    assert request.tool_choice.name == "g"


def test_allowed_tools() -> None:
    choice = among(CUSTOM, FUNCTION, mode="required")
    chosen = read_chat_request(body(tools=[FUNCTION, CUSTOM], tool_choice=choice)).tool_choice
    assert isinstance(chosen, AllowedToolsChoice)
    assert chosen.allowed_tools.mode == "required"
    assert [each.name for each in chosen.allowed_tools.tools] == ["g", "f"]


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "stream_options without a stream": (
        {"stream_options": {"include_usage": True}},
        "`stream_options` needs `stream: true`.",
        "stream_options",
    ),
    "empty stream_options with stream: false": (
        {"stream_options": {}, "stream": False},
        "`stream_options` needs `stream: true`.",
        "stream_options",
    ),
    "top_logprobs alone": (
        {"top_logprobs": 2},
        "`top_logprobs` needs `logprobs: true`.",
        "top_logprobs",
    ),
    "top_logprobs with logprobs: false": (
        {"top_logprobs": 0, "logprobs": False},
        "`top_logprobs` needs `logprobs: true`.",
        "top_logprobs",
    ),
    "both names of the limit": (
        {"max_tokens": 5, "max_completion_tokens": 5},
        "`max_tokens` is the old name of `max_completion_tokens`: set one of them.",
        "max_tokens",
    ),
    "json_schema without one": (
        {"response_format": {"type": "json_schema"}},
        "Object missing required field `json_schema`",
        "response_format.json_schema",
    ),
    "a choice of no tools": (
        {"tool_choice": "required"},
        "`tool_choice` needs `tools`.",
        "tool_choice",
    ),
    "any choice of no tools": (
        {"tool_choice": "auto"},
        "`tool_choice` needs `tools`.",
        "tool_choice",
    ),
    "a function of no tools": (
        {"tool_choice": FUNCTION},
        "`tool_choice` needs `tools`.",
        "tool_choice",
    ),
    "parallel calls of no tools": (
        {"parallel_tool_calls": False},
        "`parallel_tool_calls` needs `tools`.",
        "parallel_tool_calls",
    ),
    "another function": (
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "`tools` has no function 'g'",
        "tool_choice",
    ),
    "a function of that name is not a custom tool": (
        {"tools": [FUNCTION], "tool_choice": {"type": "custom", "custom": {"name": "f"}}},
        "`tools` has no custom tool 'f'",
        "tool_choice",
    ),
    "an allowed tool that is not there": (
        {"tools": [FUNCTION], "tool_choice": among(FUNCTION, CUSTOM)},
        "`tools` has no custom tool 'g'",
        "tool_choice",
    ),
    "a grammar": (
        {"tools": [FUNCTION, {"type": "custom", "custom": {"name": "g", "format": GRAMMAR}}]},
        "This simulator cannot write text of a grammar: the format may be `text`.",
        "tools[1].custom.format.type",
    ),
    "a user who says null": (
        {"messages": [{"role": "user", "content": None}]},
        "Expected `str | array`",
        "messages[0].content",
    ),
    "a system without content": (
        {"messages": [{"role": "system"}, HI]},
        "Expected `str | array`",
        "messages[0].content",
    ),
    "an assistant who says and calls nothing": (
        {"messages": [HI, {"role": "assistant", "content": None}, HI]},
        "Expected `str | array`",
        "messages[1].content",
    ),
    "a result of null": (
        {"messages": [HI, call("1"), result("1") | {"content": None}]},
        "Expected `str | array`",
        "messages[2].content",
    ),
    "a result without a call": (
        {"messages": [HI, {"role": "tool", "content": "orphan"}]},
        "A message of role `tool` must follow one with the `tool_calls` it answers.",
        "messages[1].role",
    ),
    "a result after another message": (
        {"messages": [HI, call("1"), result("1"), HI, result("1")]},
        "A message of role `tool` must follow one with the `tool_calls` it answers.",
        "messages[4].role",
    ),
    "a result that does not say of what": (
        {"messages": [HI, call("1"), {"role": "tool", "content": "x"}]},
        "Object missing required field `tool_call_id`",
        "messages[2].tool_call_id",
    ),
    "a result of another call": (
        {"messages": [HI, call("1"), result("2")]},
        "The `tool_calls` before it have no id '2'",
        "messages[2].tool_call_id",
    ),
    "a call without a result, and a message after it": (
        {"messages": [HI, call("1"), HI]},
        "Each of these calls needs a message of role `tool` after it: 1",
        "messages[1].tool_calls",
    ),
    "two calls without a result at the end": (
        {"messages": [HI, call("1", "2", "3"), result("2")]},
        "Each of these calls needs a message of role `tool` after it: 1, 3",
        "messages[1].tool_calls",
    ),
    "obfuscation": (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "This simulator does not obfuscate its streams.",
        "stream_options.include_obfuscation",
    ),
    "spoken answers": (
        {"modalities": ["text", "audio"]},
        "This simulator's model does not speak: `modalities` may only name `text`.",
        "modalities",
    ),
    "functions, as they once were": (
        {"functions": [{"name": "f"}]},
        "This simulator does not support `functions`. They are deprecated: say `tools`.",
        "functions",
    ),
    "a search, with no options": (
        {"web_search_options": {}},
        "This simulator does not support `web_search_options`. It does not search.",
        "web_search_options",
    ),
}


@pytest.mark.parametrize(("fields", "message", "param"), REFUSED.values(), ids=REFUSED)
def test_refused_requests(fields: dict[str, Any], message: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body(**fields))
    assert (str(caught.value), caught.value.param) == (message, param)
    assert caught.value.status == 400


# Refused by the types of the fields: the message is from msgspec, the path is ours.
PLACES: list[tuple[dict[str, Any], str]] = [
    ({"tools": []}, "tools"),
    ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"type": "custom"}]}, "tools[0].custom"),
    ({"tools": [FUNCTION], "tool_choice": among()}, "tool_choice.allowed_tools.tools"),
    ({"tools": [FUNCTION], "tool_choice": among(FUNCTION, mode="none")},
     "tool_choice.allowed_tools.mode"),
    ({"messages": [HI, call()]}, "messages[1].tool_calls"),
    ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
     "messages[0].content[0].type"),
    ({"response_format": {"type": "json_schema", "json_schema": {}}},
     "response_format.json_schema.name"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param"), PLACES)
def test_the_path_of_a_wrong_value(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body(**fields))
    assert caught.value.param == param


CODES: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 5, "max_completion_tokens": 5}, "invalid_parameter_combination"),
    ({"functions": []}, "unsupported_parameter"),
    ({"modalities": ["audio"]}, "unsupported_value"),
    ({"response_format": {"type": "json_schema"}}, "missing_required_parameter"),
]


@pytest.mark.parametrize(("fields", "code"), CODES)
def test_codes(fields: dict[str, Any], code: str) -> None:
    """They are exact, because clients branch on them."""
    with pytest.raises(InvalidRequest) as caught:
        read_chat_request(body(**fields))
    assert caught.value.code == code
