"""Answers of the Responses API: the bytes of each step, and that the stream and the single JSON
object have the same content."""

import json
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent

from protocol.openai.encrypted_content import seal
from protocol.openai.responses_request import ResponsesRequest, read_responses_request
from protocol.sse import EventStreamParser
from servers.llm.model.conversation import Answer, ToolCall
from servers.llm.writers.responses import ResponsesWriter

from ....at_once import at_once


def asked(**fields: object) -> ResponsesRequest:
    return read_responses_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def writer(answer: Answer, **fields: object) -> ResponsesWriter:
    return ResponsesWriter(asked(**fields), [answer], 3, id="resp_1", created=5, now=lambda: 9.5)


def event(number: int, name: str, fields: str) -> bytes:
    data = f'{{"type":"response.{name}","sequence_number":{number},{fields}}}'
    return f"event: response.{name}\ndata: {data}\n\n".encode()


def response(status: str, output: str = "", usage: str = "null", reason: str = "") -> str:
    details = f'{{"reason":"{reason}"}}' if reason else "null"
    completed = "9" if status == "completed" else "null"
    return (
        f'"response":{{"id":"resp_1","object":"response","created_at":5,"status":"{status}",'
        f'"background":false,"completed_at":{completed},"error":null,"frequency_penalty":0.0,'
        f'"incomplete_details":{details},"instructions":null,'
        f'"max_output_tokens":null,"max_tool_calls":null,"model":"m","output":[{output}],'
        '"parallel_tool_calls":true,"presence_penalty":0.0,'
        '"previous_response_id":null,"prompt_cache_key":null,'
        '"reasoning":{"effort":null,"summary":null},"safety_identifier":null,'
        '"service_tier":"default","store":false,"temperature":1.0,'
        '"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],'
        f'"top_logprobs":0,"top_p":1.0,"truncation":"disabled","usage":{usage},"user":null,'
        '"metadata":{}}'
    )


def usage(output: int, reasoning: int) -> str:
    return (
        '{"input_tokens":3,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":0},'
        f'"output_tokens":{output},"output_tokens_details":{{"reasoning_tokens":{reasoning}}},'
        f'"total_tokens":{3 + output}}}'
    )


SUMMARY = '"item_id":"rs_1","output_index":0,"summary_index":0'


def summary_part(text: str) -> str:
    return f'"part":{{"type":"summary_text","text":"{text}"}}'


def reasoning(text: str, status: str = "") -> str:
    summary = f'{{"type":"summary_text","text":"{text}"}}'
    sealed = f'"encrypted_content":"{seal(text)}"'
    return f'{{"id":"rs_1","type":"reasoning",{sealed},"summary":[{summary}]{status}}}'


def text_part(text: str) -> str:
    return f'{{"type":"output_text","annotations":[],"logprobs":[],"text":"{text}"}}'


def message(status: str, content: str) -> str:
    return (
        f'{{"id":"msg_1","type":"message","status":"{status}","content":[{content}],'
        '"role":"assistant"}'
    )


def call(number: int, status: str, arguments: str) -> str:
    return (
        f'{{"id":"fc_10{number}","type":"function_call","status":"{status}",'
        f'"arguments":{json.dumps(arguments)},"call_id":"call_10{number}","name":"f"}}'
    )


def test_the_opening() -> None:
    assert writer(Answer((), ["a"])).opening == (
        event(0, "created", response("in_progress"))
        + event(1, "in_progress", response("in_progress"))
    )


def test_each_step() -> None:
    """Thinking, then text. The events that open an item are sent with its first token, those that
    close it with the first token of the next. A step whose text is held back writes nothing."""
    written = writer(Answer(["Hm", "."], ["你", "", " go"]))
    in_message = '"item_id":"msg_1","output_index":1,"content_index":0'
    empty = '{"id":"rs_1","type":"reasoning","summary":[]}'
    assert list(written.steps()) == [
        event(2, "output_item.added", f'"output_index":0,"item":{empty}')
        + event(3, "reasoning_summary_part.added", f"{SUMMARY},{summary_part('')}")
        + event(4, "reasoning_summary_text.delta", f'{SUMMARY},"delta":"Hm"'),
        event(5, "reasoning_summary_text.delta", f'{SUMMARY},"delta":"."'),
        event(6, "reasoning_summary_text.done", f'{SUMMARY},"text":"Hm."')
        + event(7, "reasoning_summary_part.done", f"{SUMMARY},{summary_part('Hm.')}")
        + event(8, "output_item.done", f'"output_index":0,"item":{reasoning("Hm.")}')
        + event(9, "output_item.added", f'"output_index":1,"item":{message("in_progress", "")}')
        + event(10, "content_part.added", f'{in_message},"part":{text_part("")}')
        + event(11, "output_text.delta", f'{in_message},"delta":"你","logprobs":[]'),
        b"",
        event(12, "output_text.delta", f'{in_message},"delta":" go","logprobs":[]'),
    ]  # fmt: skip
    whole = message("completed", text_part("你 go"))
    assert written.last == (
        event(13, "output_text.done", f'{in_message},"text":"你 go","logprobs":[]')
        + event(14, "content_part.done", f'{in_message},"part":{text_part("你 go")}')
        + event(15, "output_item.done", f'"output_index":1,"item":{whole}')
        + event(16, "completed", response("completed", f"{reasoning('Hm.')},{whole}", usage(5, 2)))
    )


def test_an_item_that_begins_with_a_token_held_back() -> None:
    written = writer(Answer((), ["", "a"]))
    in_message = '"item_id":"msg_1","output_index":0,"content_index":0'
    assert list(written.steps()) == [
        event(2, "output_item.added", f'"output_index":0,"item":{message("in_progress", "")}')
        + event(3, "content_part.added", f'{in_message},"part":{text_part("")}'),
        event(4, "output_text.delta", f'{in_message},"delta":"a","logprobs":[]'),
    ]


def test_tool_calls() -> None:
    """Each call is an item. A call without arguments has a step for its name."""
    written = writer(Answer((), (), [ToolCall("f", ['{"a', '":1}']), ToolCall("f", [])]))
    first, second = '"item_id":"fc_100","output_index":0', '"item_id":"fc_101","output_index":1'
    assert list(written.steps()) == [
        event(2, "output_item.added", f'"output_index":0,"item":{call(0, "in_progress", "")}')
        + event(3, "function_call_arguments.delta", first + r',"delta":"{\"a"'),
        event(4, "function_call_arguments.delta", first + r',"delta":"\":1}"'),
        event(5, "function_call_arguments.done", first + r',"arguments":"{\"a\":1}","name":"f"')
        + event(6, "output_item.done", f'"output_index":0,"item":{call(0, "completed", CALLED)}')
        + event(7, "output_item.added", f'"output_index":1,"item":{call(1, "in_progress", "")}'),
    ]
    calls = f"{call(0, 'completed', CALLED)},{call(1, 'completed', '')}"
    assert written.last == (
        event(8, "function_call_arguments.done", second + ',"arguments":"","name":"f"')
        + event(9, "output_item.done", f'"output_index":1,"item":{call(1, "completed", "")}')
        + event(10, "completed", response("completed", calls, usage(2, 0)))
    )


CALLED = '{"a":1}'


def test_a_call_of_a_custom_tool() -> None:
    written = writer(Answer((), (), [ToolCall("g", ["a =", " 1"], is_custom=True)]))
    place = '"item_id":"ctc_100","output_index":0'

    def item(status: str, input: str) -> str:
        return (
            f'"output_index":0,"item":{{"id":"ctc_100","type":"custom_tool_call","status":"{status}",'
            f'"call_id":"call_100","input":"{input}","name":"g"}}'
        )

    assert list(written.steps()) == [
        event(2, "output_item.added", item("in_progress", ""))
        + event(3, "custom_tool_call_input.delta", f'{place},"delta":"a ="'),
        event(4, "custom_tool_call_input.delta", f'{place},"delta":" 1"'),
    ]
    assert written.last.startswith(
        event(5, "custom_tool_call_input.done", f'{place},"input":"a = 1"')
        + event(6, "output_item.done", item("completed", "a = 1"))
    )


@pytest.mark.parametrize(
    ("finish_reason", "reason"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
def test_an_answer_cut_short(finish_reason: Any, reason: str) -> None:
    """The response and its last item are incomplete."""
    written = writer(Answer(["Hm"], ["a"], finish_reason=finish_reason))
    whole = message("incomplete", text_part("a"))
    output = f"{reasoning('Hm')},{whole}"
    assert written.last.endswith(
        event(13, "output_item.done", f'"output_index":1,"item":{whole}')
        + event(14, "incomplete", response("incomplete", output, usage(2, 1), reason))
    )


def test_thinking_cut_short() -> None:
    """No message is opened, and the last event is response.incomplete."""
    written = writer(Answer(["Hm"], finish_reason="length"))
    assert len(list(written.steps())) == 1
    cut = ',"status":"incomplete"'
    whole = reasoning("Hm", cut)
    assert written.last == (
        event(5, "reasoning_summary_text.done", f'{SUMMARY},"text":"Hm"')
        + event(6, "reasoning_summary_part.done", f"{SUMMARY},{summary_part('Hm')}{cut}")
        + event(7, "output_item.done", f'"output_index":0,"item":{whole}')
        + event(8, "incomplete", response("incomplete", whole, usage(1, 1), "max_output_tokens"))
    )


def test_an_answer_without_a_token() -> None:
    written = writer(Answer())
    assert list(written.steps()) == []
    assert written.last == event(2, "completed", response("completed", "", usage(0, 0)))


def test_the_response_repeats_the_request() -> None:
    """In the first events and in the last one."""
    fields = {
        "instructions": "Be brief.",
        "frequency_penalty": 0.5,
        "max_output_tokens": 9,
        "max_tool_calls": 3,
        "presence_penalty": -0.5,
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "s",
        "temperature": 0.0,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": {"type": "function", "name": "f"},
        "top_p": 0.0,
        "truncation": "auto",
        "user": "u",
        "metadata": {"a": "b"},
    }
    function = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    custom = {"type": "custom", "name": "g"}
    written = writer(Answer((), ["a"]), **fields, tools=[function, custom])
    for wire in (written.opening, written.last):
        for each in EventStreamParser().receive_data(wire):
            said = json.loads(each.data).get("response")
            if said is not None:
                assert {name: said[name] for name in fields} == fields
                assert said["tools"] == [
                    {**function, "description": None},
                    {**custom, "description": None, "format": {"type": "text"}},
                ]


# ---- The stream and the single JSON object have the same content

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=5)
calls = st.builds(ToolCall, st.sampled_from("fg"), texts, st.booleans())
reasons = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])
answers = st.builds(Answer, texts, texts, st.lists(calls, max_size=3), reasons)
# Built by the first test that needs it, not by each worker.
EVENT: pydantic.TypeAdapter[ResponseStreamEvent] = pydantic.TypeAdapter(
    ResponseStreamEvent, config=pydantic.ConfigDict(defer_build=True)
)


@given(answers)
def test_the_order_of_the_events(answer: Answer) -> None:
    """The sequence numbers have no gap, and each added item is done. The deltas join to the text of
    the done events, of the last event and of the single object. The client's types accept all."""
    written = writer(answer)
    steps = list(written.steps())
    named = sum(not each.arguments for each in answer.calls)
    assert len(steps) == answer.completion_tokens + named

    events = EventStreamParser().receive_data(b"".join([written.opening, *steps, written.last]))
    for each in events:
        EVENT.validate_json(each.data, strict=True)
    data = [json.loads(each.data) for each in events]
    assert [each["type"] for each in data] == [each.event for each in events]
    assert [each["sequence_number"] for each in data] == list(range(len(data)))
    assert [each["type"] for each in data[:2]] == ["response.created", "response.in_progress"]
    cut_short = answer.finish_reason in ("length", "content_filter")
    terminal = ("response.completed", "response.incomplete")
    assert [each["type"] for each in data if each["type"] in terminal] == [terminal[cut_short]]
    assert data[-1]["response"] == msgspec.to_builtins(at_once(written.whole()))
    assert data[-1]["response"]["output"] == list(items_of(data[2:-1]))


def items_of(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The items that a client builds from the events between the first two and the last."""
    for count, (index, group) in enumerate(groupby(events, itemgetter("output_index"))):
        added, *inside, done = group
        item = done["item"]
        assert index == count
        assert (added["type"], done["type"]) == (f"{ITEM}.added", f"{ITEM}.done")
        assert {each["item_id"] for each in inside} | {item["id"]} == {added["item"]["id"]}
        said = "".join(each.get("delta", "") for each in inside)
        names = [name for name, _ in groupby(each["type"] for each in inside)]
        assert names == [name for name in INSIDE[item["type"]] if said or ".delta" not in name]
        for each in inside:
            if each["type"].endswith(".done"):
                assert said_by(each) == said
        assert said_by(item) == said
        yield item


ITEM = "response.output_item"
INSIDE = {
    "reasoning": [
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
    ],
    "message": [
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
    ],
    "function_call": [
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    ],
    "custom_tool_call": [
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
    ],
}


def said_by(value: dict[str, Any]) -> str:
    """The text of an item, or of an event that closes a part of one."""
    match value:
        case {"text": str(text)} | {"arguments": str(text)} | {"part": {"text": str(text)}}:
            return text
        case {"input": str(text)}:
            return text
        case {"summary": [{"text": str(text)}]} | {"content": [{"text": str(text)}]}:
            return text
        case _:
            raise AssertionError(value)
