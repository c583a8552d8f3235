"""Tests tools, structured answers and other parameters with the official Python client.

Each test sends `request`, and compares the answer with that of the simulated model's own code.
"""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI, pydantic_function_tool
from openai.lib.streaming.chat import ChatCompletionStreamEvent
from openai.types.chat import ParsedChatCompletion
from pydantic import BaseModel

from servers.llm.model.models import MODEL

from .peers import RunningServer, running
from .simulated import answers, calls, text
from .test_openai_sdk import sync_client


class Weather(BaseModel):
    """The weather somewhere."""

    city: str
    days: int


class Clock(BaseModel):
    """The time somewhere."""

    zone: str


WEATHER = pydantic_function_tool(Weather, name="weather")
CLOCK = pydantic_function_tool(Clock, name="clock")
RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "Weather", "schema": WEATHER["function"]["parameters"]},
}


def ask(content: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": content}]} | more


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--ttft", "0", "--itl", "0") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[OpenAI]:
    with sync_client(server.url) as client:
        yield client


# ---- Tools


def test_a_tool_is_called_and_its_result_answered(client: OpenAI) -> None:
    """The client gets a call, sends its result, and gets a text that contains the result."""
    request = ask("The weather in 北京?", tools=[WEATHER])
    (said,) = answers(request)
    assert said.finish_reason == "tool_calls"

    choice = client.chat.completions.create(**request).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert [(call.function.name, call.function.arguments)] == calls(said)
    Weather.model_validate_json(call.function.arguments)

    result = {"role": "tool", "tool_call_id": call.id, "content": "rain ☔"}
    request["messages"] += [choice.message.model_dump(), result]
    (said,) = answers(request)
    assert "rain ☔" in text(said)
    choice = client.chat.completions.create(**request).choices[0]
    assert (choice.message.content, choice.finish_reason) == (text(said), "stop")


def test_parallel_calls_are_streamed_in_pieces(client: OpenAI) -> None:
    """Every piece of an argument is an event, with the `index` of its call."""
    request = ask("The weather and the clock, please.", tools=[WEATHER, CLOCK])
    (said,) = answers(request)
    assert [call.name for call in said.calls] == ["weather", "clock"]

    pieces: list[list[str]] = [[], []]
    with client.chat.completions.stream(**request) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta" and event.arguments_delta:
                pieces[event.index].append(event.arguments_delta)
        message = stream.get_final_completion().choices[0].message

    assert pieces == [list(call.arguments) for call in said.calls]
    parsed = [call.function.parsed_arguments for call in message.tool_calls or ()]
    assert [type(each) for each in parsed] == [Weather, Clock]
    assert len({call.id for call in message.tool_calls or ()}) == 2


def test_one_call_at_a_time(client: OpenAI) -> None:
    request = ask("weather, clock", tools=[WEATHER, CLOCK], parallel_tool_calls=False)
    message = client.chat.completions.create(**request).choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["weather"]


@pytest.mark.parametrize("streaming", [True, False])
def test_tool_choice(client: OpenAI, streaming: bool) -> None:
    """The required tool is called, although the prompt names the other tool. With "none", no tool
    is called."""
    chosen = {"type": "function", "function": {"name": "clock"}}
    request = ask("weather", tools=[WEATHER, CLOCK], tool_choice=chosen)
    assert [name for name, _ in calls(answers(request)[0])] == ["clock"]
    assert said_by(client, request, streaming) == ("", calls(answers(request)[0]))

    request = ask("weather", tools=[WEATHER, CLOCK], tool_choice="none")
    assert said_by(client, request, streaming) == (text(answers(request)[0]), [])


@pytest.mark.parametrize("streaming", [True, False])
def test_allowed_tools(client: OpenAI, streaming: bool) -> None:
    """The prompt names both tools. The tool that is not allowed is not called."""
    allowed = {"mode": "required", "tools": [CLOCK]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    request = ask("weather, clock", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [name for name, _ in calls(answers(request)[0])] == ["clock"]
    assert said_by(client, request, streaming) == ("", calls(answers(request)[0]))


def test_a_custom_tool(client: OpenAI) -> None:
    """The model calls the custom tool with a text, whole and in pieces, and then reads the tool's
    result."""
    request = ask("run it", tools=[{"type": "custom", "custom": {"name": "code"}}])
    message = client.chat.completions.create(**request).choices[0].message
    (call,) = message.tool_calls
    assert (call.type, call.custom.name, call.custom.input) == ("custom", "code", "run it")

    text_ = ""
    for chunk in client.chat.completions.create(**request, stream=True):
        for piece in chunk.choices[0].delta.tool_calls or ():
            text_ += piece.to_dict()["custom"]["input"]
    assert text_ == "run it"

    result = {"role": "tool", "tool_call_id": call.id, "content": "done ☔"}
    request["messages"] += [message.model_dump(exclude_none=True), result]
    assert "done ☔" in client.chat.completions.create(**request).choices[0].message.content


def said_by(client: OpenAI, request: dict[str, Any], streaming: bool) -> tuple[str, Any]:
    """The text and the calls of an answer, in either form."""
    if streaming:
        with client.chat.completions.stream(**request) as stream:
            message = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**request).choices[0].message
    functions = [call.function for call in message.tool_calls or ()]
    return message.content or "", [(each.name, each.arguments) for each in functions]


# ---- Structured answers


def object_by(
    client: OpenAI, request: dict[str, Any], streaming: bool
) -> ParsedChatCompletion[Weather]:
    """A structured answer, in either form."""
    if not streaming:
        return client.chat.completions.parse(**request, response_format=Weather)
    with client.chat.completions.stream(**request, response_format=Weather) as stream:
        return stream.get_final_completion()


@pytest.mark.parametrize("streaming", [True, False])
def test_object(client: OpenAI, streaming: bool) -> None:
    (said,) = answers(ask("hi", response_format=RESPONSE_FORMAT))
    message = object_by(client, ask("hi"), streaming).choices[0].message
    assert message.content == text(said)
    assert message.parsed == Weather.model_validate_json(text(said))


@pytest.mark.parametrize("streaming", [True, False])
def test_a_truncated_object_is_an_error(client: OpenAI, streaming: bool) -> None:
    """If `length` ends the JSON in the middle, the SDK does not parse the JSON, but shows its
    text."""
    (whole,) = answers(ask("hi", response_format=RESPONSE_FORMAT))
    limited = ask("hi", max_tokens=len(whole.thinking) + 3)
    with pytest.raises(openai.LengthFinishReasonError) as caught:
        object_by(client, limited, streaming)
    assert caught.value.completion.choices[0].message.content == "".join(whole.text[:3])


def test_partial_objects(client: OpenAI) -> None:
    """The helper parses the JSON while it arrives, and reports when it is complete."""
    (said,) = answers(ask("hi", response_format=RESPONSE_FORMAT))
    events: list[ChatCompletionStreamEvent[Weather]] = []
    with client.chat.completions.stream(**ask("hi"), response_format=Weather) as stream:
        events += stream
    deltas = [event for event in events if event.type == "content.delta"]
    assert [event.delta for event in deltas if event.delta] == list(said.text)
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.parsed == Weather.model_validate_json(text(said))


def test_any_object(client: OpenAI) -> None:
    request = ask("Answer in JSON.", response_format={"type": "json_object"})
    (said,) = answers(request)
    message = client.chat.completions.create(**request).choices[0].message
    assert message.content == text(said)
    assert message.content.startswith("{")


# ---- n, logprobs, stop, seed, reasoning_effort, model


def test_several_answers(client: OpenAI) -> None:
    """The chunks of three answers alternate; each answer has its own index and end."""
    request = ask("hi", n=3)
    whole = client.chat.completions.create(**request)
    assert [choice.message.content for choice in whole.choices] == [*map(text, answers(request))]

    texts = ["", "", ""]
    ends = []
    for chunk in client.chat.completions.create(**request, stream=True):
        (choice,) = chunk.choices
        texts[choice.index] += choice.delta.content or ""
        if choice.finish_reason:
            ends.append((choice.index, choice.finish_reason))
    assert texts == [*map(text, answers(request))]
    assert ends == [(0, "stop"), (1, "stop"), (2, "stop")]


@pytest.mark.parametrize("streaming", [True, False])
def test_log_probabilities(client: OpenAI, streaming: bool) -> None:
    """There is a log probability for each token of the text, with the token's bytes and the most
    likely alternatives."""
    request = ask("hi", logprobs=True, top_logprobs=2)
    if streaming:
        chunks = client.chat.completions.create(**request, stream=True)
        found = [chunk.choices[0].logprobs for chunk in chunks]
        tokens = [token for logprobs in found if logprobs for token in logprobs.content]
    else:
        tokens = client.chat.completions.create(**request).choices[0].logprobs.content
    assert [token.token for token in tokens] == list(answers(request)[0].text)
    assert all(bytes(token.bytes) == token.token.encode() for token in tokens)
    assert {len(token.top_logprobs) for token in tokens} == {2}
    assert all(token.logprob <= 0 for token in tokens)


@pytest.mark.parametrize("streaming", [True, False])
def test_stop(client: OpenAI, streaming: bool) -> None:
    """The text ends before the stop sequence, even if two tokens share it."""
    (whole,) = map(text, answers(ask("hi")))
    sequence = whole[20:31]
    request = ask("hi", stop=["never said", sequence])
    assert text(answers(request)[0]) == whole.partition(sequence)[0]
    assert said_by(client, request, streaming) == (whole.partition(sequence)[0], [])


def test_seed(client: OpenAI) -> None:
    """The same seed gives the same text; another seed gives another text here."""
    request = ask("hi", seed=7)
    first, second = (said_by(client, request, streaming) for streaming in (True, False))
    assert first == second == (text(answers(request)[0]), [])
    assert said_by(client, ask("hi", seed=8), streaming=True) != first


@pytest.mark.parametrize("model", ["echo", "lorem", "torture"])
def test_other_models(client: OpenAI, model: str) -> None:
    """Their text arrives unchanged, even if it is hard to stream."""
    request = ask("你好 👋🏽", model=model)
    stream = client.chat.completions.create(**request, stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert [piece for piece in pieces if piece] == list(answers(request)[0].text)


def test_lorem_has_as_many_tokens_as_asked_for(client: OpenAI) -> None:
    request = ask("hi", model="lorem", max_tokens=17)
    completion = client.chat.completions.create(**request)
    assert completion.choices[0].message.content == text(answers(request)[0])
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 17


def test_without_thinking(client: OpenAI) -> None:
    request = ask("hi", reasoning_effort="none")
    completion = client.chat.completions.create(**request)
    message = completion.choices[0].message
    assert message.content == text(answers(request)[0])
    assert getattr(message, "reasoning_content", None) is None
    assert completion.usage.completion_tokens_details.reasoning_tokens == 0
