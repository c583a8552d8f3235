"""The question in a request to the Responses API: turns, tools and the choice of a tool."""

import json

import pytest

from protocol.openai.responses_request import ResponsesRequest, read_responses_request
from servers.llm.model.conversation import Question, Tool, Turn
from servers.llm.writers.responses import question_of


def asked(**fields: object) -> ResponsesRequest:
    return read_responses_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def test_the_question() -> None:
    """The parts of a request that reach the model: the defaults, and all of them."""
    assert question_of(asked()) == Question(model="m", turns=[Turn("user", "Hi")], tools=[])
    schema = {"type": "json_schema", "name": "x", "schema": {"a": 1}}
    everything = asked(
        instructions="Be brief.",
        tools=[
            {"type": "function", "name": "f", "parameters": {"type": "object"}},
            {"type": "function", "name": "g"},
            {"type": "custom", "name": "h"},
        ],
        tool_choice={"type": "function", "name": "f"},
        parallel_tool_calls=False,
        text={"format": schema},
        max_output_tokens=7,
        reasoning={"effort": "none"},
    )
    assert question_of(everything) == Question(
        model="m",
        turns=[Turn("system", "Be brief."), Turn("user", "Hi")],
        tools=[Tool("f", {"type": "object"}), Tool("g"), Tool("h", None)],
        tool_choice="f",
        parallel_tool_calls=False,
        schema={"a": 1},
        max_tokens=7,
        thinks=False,
    )
    assert question_of(asked(text={"format": {"type": "json_object"}})).schema == {}
    assert question_of(asked(text={"format": {"type": "text"}})).schema is None
    function, custom = {"type": "function", "name": "f"}, {"type": "custom", "name": "h"}
    tools = [function, {"type": "function", "name": "g"}, custom]
    for choice, chosen in ("required", "required"), (custom, "h"), ("none", "none"):
        assert question_of(asked(tools=tools, tool_choice=choice)).tool_choice == chosen
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [custom, function]}
    some = question_of(asked(tools=tools, tool_choice=allowed))
    assert (some.tools, some.tool_choice) == ([Tool("f"), Tool("h", None)], "auto")
    assert question_of(asked(reasoning={"summary": "auto"})).thinks is True


def test_the_turns_of_a_conversation() -> None:
    """The items of one answer, a message and two calls, are one turn. Reasoning is ignored."""
    conversation = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": "Let me see. "},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "4 °C"},
        {"type": "function_call_output", "call_id": "call_2", "output": "rain"},
        {"type": "item_reference", "id": "msg_1"},
    ]
    assert question_of(asked(input=conversation)).turns == [
        Turn("system", "Be brief."),
        Turn("user", "Weather?"),
        Turn("assistant", "Let me see. {}{}"),
        Turn("tool", "4 °C"),
        Turn("tool", "rain"),
    ]


def test_a_long_answer_in_many_items_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients choose the number of items. Joined one by one, 10 MB would take half a minute."""
    written = 0

    def counting(role: str, text: str) -> Turn:
        nonlocal written
        written += len(text)
        return Turn(role, text)

    monkeypatch.setattr("servers.llm.writers.responses.Turn", counting)
    items = [{"role": "assistant", "content": "a word, "}] * 100
    assert question_of(asked(input=items)).turns == [Turn("assistant", "a word, " * 100)]
    assert written == 800
