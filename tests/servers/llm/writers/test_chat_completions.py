"""Answers as chat completions: the bytes of each step, and that the stream and the single JSON
object have the same content."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.openai.chat_completions import ChatRequest, read_chat_request
from protocol.openai.common import DONE, InvalidRequest
from protocol.sse import EventStreamParser
from servers.llm.model.conversation import Answer, Question, Tool, ToolCall, Turn
from servers.llm.writers.chat_completions import ChatWriter, ReasoningField, question_of

from ....at_once import at_once


def asked(**fields: object) -> ChatRequest:
    whole: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    return read_chat_request(json.dumps(whole | fields).encode())


def writer(
    *answers: Answer, field: ReasoningField = "reasoning_content", **fields: object
) -> ChatWriter:
    return ChatWriter(
        asked(**fields), answers, 3, id="chatcmpl-1", created=5, reasoning_field=field
    )


def event(
    delta: str, finish: str = "null", usage: str = "", logprobs: str = "null", index: int = 0
) -> bytes:
    return (
        'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m",'
        f'"system_fingerprint":"fp_sim_1","choices":[{{"index":{index},"delta":{delta},'
        f'"logprobs":{logprobs},"finish_reason":{finish}}}]{usage}}}\n\n'
    ).encode()


ROLE = '{"role":"assistant","content":"","refusal":null}'
CALLS = '{"role":"assistant","content":null,"refusal":null}'


def opened(number: int, name: str, id: str) -> str:
    return (
        f'{{"tool_calls":[{{"index":{number},"id":"{id}","type":"function",'
        f'"function":{{"name":"{name}","arguments":""}}}}]}}'
    )


def piece(number: int, text: str) -> str:
    return f'{{"tool_calls":[{{"index":{number},"function":{{"arguments":{json.dumps(text)}}}}}]}}'


def test_each_step() -> None:
    """The role is sent with the first token. A step whose text is held back writes nothing."""
    answer = Answer(["Hm"], ["你", "", " go"])
    written = writer(answer, stream=True)
    assert list(written.steps()) == [
        event(ROLE) + event('{"reasoning_content":"Hm"}'),
        event('{"content":"你"}'),
        b"",
        event('{"content":" go"}'),
    ]
    assert written.last == event("{}", '"stop"') + DONE
    assert written.opening == b""


@pytest.mark.parametrize(
    ("field", "delta"),
    [
        ("reasoning_content", '{"reasoning_content":"Hm"}'),
        ("reasoning", '{"reasoning":"Hm"}'),
        ("both", '{"reasoning_content":"Hm","reasoning":"Hm"}'),
    ],
)
def test_the_field_of_the_reasoning(field: ReasoningField, delta: str) -> None:
    written = writer(Answer(["Hm"], []), field=field)
    assert list(written.steps()) == [event(ROLE) + event(delta)]
    message = msgspec.json.encode(at_once(written.whole()).choices[0].message).decode()
    assert message == '{"role":"assistant","content":"","refusal":null,' + delta[1:]


def test_tool_calls() -> None:
    """Each of several calls begins with its id and name. Its arguments follow token by token."""
    calls = [ToolCall("f", ['{"a', '":1}']), ToolCall("g", ["{}"])]
    written = writer(Answer((), (), calls, "tool_calls"))
    assert list(written.steps()) == [
        event(CALLS) + event(opened(0, "f", "call_10000")) + event(piece(0, '{"a')),
        event(piece(0, '":1}')),
        event(opened(1, "g", "call_10001")) + event(piece(1, "{}")),
    ]
    assert written.last == event("{}", '"tool_calls"') + DONE


def test_a_call_of_a_custom_tool() -> None:
    """In a stream and in one JSON object. Its input is a text, not JSON."""
    written = writer(Answer((), (), [ToolCall("g", ["x = ", '"1"'], is_custom=True)], "tool_calls"))
    opened = '{"index":0,"id":"call_10000","type":"custom","custom":{"name":"g","input":""}}'
    pieces = ['{"index":0,"custom":{"input":"x = "}}', '{"index":0,"custom":{"input":"\\"1\\""}}']
    first, second = [event(f'{{"tool_calls":[{piece}]}}') for piece in pieces]
    assert list(written.steps()) == [
        event(CALLS) + event(f'{{"tool_calls":[{opened}]}}') + first,
        second,
    ]
    message = msgspec.to_builtins(at_once(written.whole()).choices[0].message)
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"id": "call_10000", "type": "custom", "custom": {"name": "g", "input": 'x = "1"'}}
    ]


def test_several_answers_are_stepped_together() -> None:
    """With `n` > 1: a token of each answer per step, then all their ends, and one [DONE]."""
    written = writer(Answer((), ["a"]), Answer((), ["b", "c"], finish_reason="length"), n=2)
    assert list(written.steps()) == [
        event(ROLE) + event('{"content":"a"}')
        + event(ROLE, index=1) + event('{"content":"b"}', index=1),
        event('{"content":"c"}', index=1),
    ]  # fmt: skip
    assert written.last == event("{}", '"stop"') + event("{}", '"length"', index=1) + DONE


def test_usage_is_null_until_the_last_chunk() -> None:
    options = {"include_usage": True}
    written = writer(Answer(["Hm"], ["a"]), stream=True, stream_options=options)
    null = ',"usage":null'
    assert list(written.steps()) == [
        event(ROLE, usage=null) + event('{"reasoning_content":"Hm"}', usage=null),
        event('{"content":"a"}', usage=null),
    ]
    usage = (
        b'"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,'
        b'"completion_tokens_details":{"reasoning_tokens":1}}}\n\n'
    )
    assert written.last.startswith(event("{}", '"stop"', usage=null))
    assert written.last.endswith(usage + DONE)


def test_log_probabilities() -> None:
    written = writer(Answer((), ["a", ""]), logprobs=True, top_logprobs=2)
    most = '{"token":"a","logprob":-0.907,"bytes":[97]}'
    second = '{"token":" the","logprob":-2.407,"bytes":[32,116,104,101]}'
    logprobs = (
        f'{{"content":[{most[:-1]},"top_logprobs":[{most},{second}]}}],"refusal":null}}'
    )
    nothing = '{"content":[],"refusal":null}'
    assert list(written.steps()) == [
        event(ROLE, logprobs=nothing) + event('{"content":"a"}', logprobs=logprobs),
        b"",
    ]
    whole = at_once(written.whole())
    assert msgspec.json.encode(whole.choices[0].logprobs).decode() == logprobs


@pytest.mark.parametrize(
    ("answer", "wire"),
    [
        (Answer(), event(ROLE)),
        (
            Answer((), (), [ToolCall("f", ())]),
            event(CALLS) + event(opened(0, "f", "call_10000")),
        ),
    ],
)
def test_an_answer_without_a_token_has_a_role(answer: Answer, wire: bytes) -> None:
    assert list(writer(answer).steps()) == [wire]


texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=5)
calls = st.builds(ToolCall, st.sampled_from("fg"), texts)
answers = st.builds(Answer, texts, texts, st.lists(calls, max_size=3))


def joined(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a client builds from the deltas of one answer."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "calls": []}
    for choice in choices:
        delta = choice["delta"]
        message["content"] += delta.get("content") or ""
        message["reasoning_content"] += delta.get("reasoning_content") or ""
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                message["calls"].append([call["id"], call["function"]["name"], ""])
            message["calls"][call["index"]][2] += call["function"]["arguments"]
    return message


@given(st.lists(answers, min_size=1, max_size=3))
def test_stream_and_single_object_are_equal(said: Sequence[Answer]) -> None:
    written = writer(*said, n=len(said))
    events = EventStreamParser().receive_data(b"".join(written.steps()) + written.last)
    assert events.pop().data == "[DONE]"
    chunks = [choice for event in events for choice in json.loads(event.data)["choices"]]
    for choice in at_once(written.whole()).choices:
        mine = [each for each in chunks if each["index"] == choice.index]
        assert mine[0]["delta"]["role"] == "assistant"
        assert [each["finish_reason"] for each in mine if each["finish_reason"]] == ["stop"]
        message = msgspec.to_builtins(choice.message)
        assert joined(mine) == {
            "content": message["content"] or "",
            "reasoning_content": message.get("reasoning_content", ""),
            "calls": [
                [call["id"], call["function"]["name"], call["function"]["arguments"]]
                for call in message.get("tool_calls", ())
            ],
        }


def test_the_question() -> None:
    """The parts of a request that reach the model: the defaults, and all of them."""
    assert question_of(asked()) == Question(model="m", turns=[Turn("user", "Hi")], tools=[])
    function = {"name": "f", "parameters": {"type": "object"}}
    everything = asked(
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        parallel_tool_calls=False,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"a": 1}}},
        max_completion_tokens=7,
        stop="x",
        seed=4,
        n=2,
        reasoning_effort="none",
    )
    assert question_of(everything) == Question(
        model="m",
        turns=[Turn("user", "Hi")],
        tools=[Tool("f", {"type": "object"})],
        tool_choice="f",
        parallel_tool_calls=False,
        schema={"a": 1},
        max_tokens=7,
        stop=["x"],
        seed=4,
        n=2,
        thinks=False,
    )
    assert question_of(asked(response_format={"type": "json_object"})).schema == {}
    assert question_of(asked(response_format={"type": "text"})).schema is None
    assert question_of(asked(stop=["a", "b"])).stop == ["a", "b"]


def test_allowed_tools() -> None:
    """The model gets only the allowed tools. A custom tool has no parameters."""
    function, custom = {"type": "function", "function": {"name": "f"}}, {"type": "custom"}
    tools = [function, custom | {"custom": {"name": "g"}}, custom | {"custom": {"name": "h"}}]
    allowed = {"mode": "required", "tools": [tools[2], tools[0]]}
    some = question_of(
        asked(tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    )
    assert (some.tools, some.tool_choice) == ([Tool("f"), Tool("h", None)], "required")
    one = question_of(asked(tools=tools, tool_choice=tools[1]))
    assert (one.tools, one.tool_choice) == ([Tool("f"), Tool("g", None), Tool("h", None)], "g")


def test_log_probabilities_of_a_large_answer() -> None:
    """Each token may have twenty alternatives: too large for one body, but not for events."""
    large = Answer((), ["a"] * 5001)
    with pytest.raises(InvalidRequest, match="5001 tokens with `logprobs` are too many"):
        writer(large, logprobs=True)
    assert next(writer(large, logprobs=True, stream=True).steps())
