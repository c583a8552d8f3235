"""Requests to the Responses API: items and tools that are accepted, fields and pairs that are
refused by their name, and reasoning that a client sends back unchanged."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.openai.common import InvalidRequest
from protocol.openai.encrypted_content import seal, unseal
from protocol.openai.responses_request import (
    AllowedChoice,
    CustomChoice,
    FunctionChoice,
    ResponsesCustomTool,
    read_responses_request,
)

HI = {"role": "user", "content": "Hi"}
FUNCTION = {"type": "function", "name": "f"}
CUSTOM = {"type": "custom", "name": "g"}
CALL = {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "1", "output": "4 °C"}
REFERENCE = {"type": "item_reference", "id": "fc_1"}


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "input": "Hi"} | fields).encode()


def without(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def allowed(*tools: dict[str, Any], mode: str = "auto") -> dict[str, Any]:
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


TAKEN: dict[str, dict[str, Any]] = {
    "what asks for nothing": {
        "background": False,
        "conversation": None,
        "prompt": None,
        "top_logprobs": 0,
        "stream_options": {"include_obfuscation": False},
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    },
    "a call and its result": {"input": [HI, CALL, RESULT]},
    "a result of what may be behind a reference": {"input": [HI, REFERENCE, RESULT]},
    "reasoning without content": {"input": [HI, {"type": "reasoning", "summary": []}]},
    "reasoning that came from here": {
        "input": [{"type": "reasoning", "summary": [], "encrypted_content": seal("Hm, 你好.")}]
    },
    "nothing to show": {"input": [{"type": "reasoning", "encrypted_content": None}]},
}


@pytest.mark.parametrize("fields", TAKEN.values(), ids=TAKEN)
def test_accepted_requests(fields: dict[str, Any]) -> None:
    read_responses_request(body(**fields))


def test_custom_tools_and_their_choice() -> None:
    text = {**CUSTOM, "name": "h", "format": {"type": "text"}}
    request = read_responses_request(body(tools=[CUSTOM, text], tool_choice=CUSTOM))
    assert request.tools == [ResponsesCustomTool(name="g"), ResponsesCustomTool(name="h")]
    assert request.tool_choice == CustomChoice("g")


def test_allowed_tools() -> None:
    choice = allowed(CUSTOM, FUNCTION, mode="required")
    request = read_responses_request(body(tools=[FUNCTION, CUSTOM], tool_choice=choice))
    expected = AllowedChoice("required", [CustomChoice("g"), FunctionChoice("f")])
    assert request.tool_choice == expected


def test_an_item_without_a_type_is_a_message() -> None:
    request = read_responses_request(body(input=[HI, {**HI, "type": "message"}, CALL, RESULT]))
    assert [item.is_message for item in request.items] == [True, True, False, False]


NO_TOOL_OF_OURS = (
    "A tool is a `function` or `custom`, which the client runs: this simulator has none of its own."
)
UNSUPPORTED = "This simulator does not support `%s`. "
KNOWN = "message, reasoning, item_reference, function_call, custom_tool_call, "
KNOWN += "function_call_output, custom_tool_call_output"

REFUSED: dict[str, tuple[dict[str, Any], str, str, str | None]] = {
    "an answer in the background": (
        {"background": True},
        UNSUPPORTED % "background" + "It answers while the client waits.",
        "background",
        "unsupported_parameter",
    ),
    "a conversation": (
        {"conversation": "conv_1"},
        UNSUPPORTED % "conversation"
        + "It keeps no conversations: send the whole of it in `input`.",
        "conversation",
        "unsupported_parameter",
    ),
    "a prompt": (
        {"prompt": {"id": "pmpt_1"}},
        UNSUPPORTED % "prompt" + "It keeps no prompts: say `instructions` and `input`.",
        "prompt",
        "unsupported_parameter",
    ),
    "log probabilities": (
        {"top_logprobs": 2},
        UNSUPPORTED % "top_logprobs" + "It gives log probabilities at /v1/chat/completions only.",
        "top_logprobs",
        "unsupported_parameter",
    ),
    "log probabilities, included": (
        {"include": ["reasoning.encrypted_content", "message.output_text.logprobs"]},
        "This simulator gives log probabilities at /v1/chat/completions only.",
        "include",
        "unsupported_value",
    ),
    "obfuscation": (
        {"stream": True, "stream_options": {"include_obfuscation": True}},
        "This simulator does not obfuscate its streams.",
        "stream_options.include_obfuscation",
        "unsupported_parameter",
    ),
    "a tool of the server's": (
        {"tools": [FUNCTION, {"type": "web_search"}]},
        NO_TOOL_OF_OURS,
        "tools[1].type",
        "unsupported_value",
    ),
    "a tool without a type": (
        {"tools": [{}]},
        NO_TOOL_OF_OURS,
        "tools[0].type",
        "unsupported_value",
    ),
    "a grammar": (
        {"tools": [{**CUSTOM, "format": {"type": "grammar", "syntax": "lark", "definition": ""}}]},
        "This simulator cannot write text of a grammar: the format may be `text`.",
        "tools[0].format.type",
        "unsupported_value",
    ),
    "a call of no tools": (
        {"tool_choice": "required"},
        "A tool must be called, and there are no `tools`",
        "tool_choice",
        None,
    ),
    "a function of an empty list of tools": (
        {"tool_choice": FUNCTION, "tools": []},
        "A tool must be called, and there are no `tools`",
        "tool_choice",
        None,
    ),
    "a function of that name is not a custom tool": (
        {"tools": [FUNCTION], "tool_choice": {"type": "custom", "name": "f"}},
        "`tools` has no custom tool 'f'",
        "tool_choice.name",
        None,
    ),
    "an allowed tool that is not there": (
        {"tools": [CUSTOM], "tool_choice": allowed(CUSTOM, FUNCTION)},
        "`tools` has no function 'f'",
        "tool_choice.tools",
        None,
    ),
    "an item of the server's tools": (
        {"input": [HI, {"type": "web_search_call", "id": "ws_1", "status": "completed"}]},
        f"This simulator reads no items of type 'web_search_call': it knows {KNOWN}",
        "input[1].type",
        "unsupported_value",
    ),
    "a call without its name": (
        {"input": [without(CALL, "name"), RESULT]},
        "Object missing required field `name`",
        "input[0].name",
        "missing_required_parameter",
    ),
    "a result that does not say of what": (
        {"input": [CALL, without(RESULT, "call_id")]},
        "Object missing required field `call_id`",
        "input[1].call_id",
        "missing_required_parameter",
    ),
    "a result without its call": (
        {"input": [HI, RESULT]},
        "There is no call before this result of '1'",
        "input[1].call_id",
        None,
    ),
    "a result before its call": (
        {"input": [RESULT, CALL]},
        "There is no call before this result of '1'",
        "input[0].call_id",
        None,
    ),
    "a call without its result": (
        {"input": [CALL, RESULT, {**CALL, "call_id": "2"}, HI]},
        "There is no result of the call '2'",
        "input[2].call_id",
        None,
    ),
    "reasoning of another server": (
        {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABo"}]},
        "This is not the `encrypted_content` of an item that this simulator sent.",
        "input[0].encrypted_content",
        "invalid_encrypted_content",
    ),
}


@pytest.mark.parametrize(("fields", "message", "param", "code"), REFUSED.values(), ids=REFUSED)
def test_refused_requests(
    fields: dict[str, Any], message: str, param: str, code: str | None
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_responses_request(body(**fields))
    error = caught.value
    assert (str(error), error.param, error.code, error.status) == (message, param, code, 400)


# Refused by the types of the fields: the message is from msgspec, the path is ours.
PLACES: list[tuple[dict[str, Any], str]] = [
    ({"include": ["everything"]}, "include[0]"),
    ({"tools": [{"type": "custom"}]}, "tools[0].name"),
    ({"tools": [FUNCTION], "tool_choice": allowed()}, "tool_choice.tools"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "mcp"}}, "tool_choice.type"),
    ({"input": [{"role": "user", "content": [{"type": "x"}]}]}, "input[0].content[0].type"),
    ({"presence_penalty": 3}, "presence_penalty"),
]


@pytest.mark.parametrize(("fields", "param"), PLACES)
def test_the_path_of_a_wrong_value(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_responses_request(body(**fields))
    assert caught.value.param == param


# ---- encrypted_content


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_unseal_undoes_seal(text: str) -> None:
    assert unseal(seal(text)) == text


HM = seal("Hm")
BROKEN = ["", "a", "not base64", HM[:-4], HM + "=", HM + "\n", "AAAA" + HM, "é", "-" * 8]


@pytest.mark.parametrize("sealed", BROKEN)
def test_a_text_that_was_not_sealed_here(sealed: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        unseal(sealed)


@given(st.text(max_size=20))
def test_unseal_returns_what_was_sealed_or_raises(sealed: str) -> None:
    try:
        text = unseal(sealed)
    except ValueError:
        return
    assert seal(text) == sealed
