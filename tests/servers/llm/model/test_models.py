"""What the simulated model says: its sources, limits and tools. Only seeds vary it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.openai.common import InvalidRequest
from servers.llm.model.conversation import Answer, Question, Tool, ToolCall, Turn
from servers.llm.model.models import MODEL, Model, count_tokens
from servers.llm.model.texts import TEXTS, TORTURE
from servers.llm.model.tokens import tokenize

from ....at_once import at_once
from ....saying import answer


def asked(prompt: str = "hi", model: str = MODEL, **more: Any) -> Question:
    return Question(model=model, turns=[Turn("user", prompt)], **more)


def said(question: Question, seed: int = 0) -> Answer:
    """The only answer."""
    (only,) = at_once(Model(seed).answers(question))
    return only


def text(answer: Answer) -> str:
    return "".join(answer.text)


def test_same_prompt_same_answer() -> None:
    assert answer("hi") == answer("hi")
    assert "".join(answer("hi").thinking) == (
        "The user says “hi”. I know one thing well: how this answer travels. 想清楚再回答。"
    )
    assert "".join(answer("hi").text) in TEXTS


def test_all_answers_are_given() -> None:
    """The prompt selects one of them."""
    given = {"".join(answer(f"prompt {number}").text) for number in range(50)}
    assert given == set(TEXTS)


PROMPTS = {
    "": "“”",
    "  two \n words\t": "“two words”",
    "x" * 60: "“" + "x" * 60 + "”",
    "x" * 61: "“" + "x" * 60 + "…”",
}


@pytest.mark.parametrize(("prompt", "quoted"), PROMPTS.items(), ids=lambda text: text[:12])
def test_thinking_quotes_the_prompt(prompt: str, quoted: str) -> None:
    assert "".join(answer(prompt).thinking).startswith(f"The user says {quoted}. ")


def test_a_short_prompt_is_not_marked_as_cut() -> None:
    """30 families are 210 code points but 30 characters. Nothing is left out, so no ellipsis."""
    said = "".join(answer("👨‍👩‍👧‍👦" * 30).thinking)
    assert said.startswith("The user says “" + "👨‍👩‍👧‍👦" * 30 + "”. ")


def test_a_long_prompt_is_cut_between_characters() -> None:
    said = "".join(answer("👨‍👩‍👧‍👦" * 100).thinking)
    assert said.startswith("The user says “" + "👨‍👩‍👧‍👦" * 60 + "…”. ")


def test_echo() -> None:
    assert said(asked("Hi 你好", "echo")) == Answer((), ["Hi", " ", "你", "好"])


@pytest.mark.parametrize("count", [1, 7, 300])
def test_lorem_has_the_requested_length(count: int) -> None:
    lorem = said(asked(model="lorem", max_tokens=count))
    assert (len(lorem.text), lorem.finish_reason) == (count, "length")


def test_lorem_without_a_limit() -> None:
    lorem = said(asked(model="lorem"))
    assert (len(lorem.text), lorem.finish_reason) == (256, "stop")
    assert len(said(asked(model="lorem", max_tokens=10**9)).text) == 100_000


def test_torture() -> None:
    assert text(said(asked(model="torture"))) == TORTURE


@pytest.mark.parametrize("model", ["gpt-4o-mini", "fault-rst@5", "", "scripts"])
def test_an_unknown_model_answers_as_sim_1(model: str) -> None:
    assert said(asked(model=model)) == answer("hi")


def test_scripts() -> None:
    """An unknown script has no answer."""
    with pytest.raises(InvalidRequest, match="there is no script 'x'"):
        said(asked(model="script:x"))


def test_seeds_decide_the_answer() -> None:
    """The same seeds of the server and the request give the same answer."""
    texts = {text(said(asked(), seed)) for seed in range(20)}
    assert texts == set(TEXTS)
    assert {text(said(asked(seed=seed))) for seed in range(20)} == texts
    assert said(asked(seed=3), 4) == said(asked(seed=3), 4)


def test_several_answers_differ() -> None:
    answers = at_once(Model().answers(asked(n=3)))
    assert len({text(each) for each in answers}) == 3
    assert answers[0] == answer("hi")


def test_thinking_is_optional() -> None:
    quiet = said(asked(thinks=False))
    assert (list(quiet.thinking), quiet.text) == ([], answer("hi").text)


WEATHER = Tool("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}})
CLOCK = Tool("get_time", {"type": "object", "properties": {"zone": {"enum": ["UTC"]}}})


def called(question: Question) -> list[str]:
    answer = said(question)
    assert answer.finish_reason == ("tool_calls" if answer.calls else "stop")
    assert bool(answer.text) != bool(answer.calls)
    for call in answer.calls:
        assert isinstance(json.loads("".join(call.arguments)), dict)
    return [call.name for call in answer.calls]


def test_tools() -> None:
    """The tools that the user names, else the first; none if `tool_choice` forbids them."""
    tools = [WEATHER, CLOCK]
    assert called(asked(tools=tools)) == ["get_weather"]
    assert called(asked("get_time, please", tools=tools)) == ["get_time"]
    both = "call get_weather and get_time"
    assert called(asked(both, tools=tools)) == ["get_weather", "get_time"]
    assert called(asked(both, tools=tools, parallel_tool_calls=False)) == ["get_weather"]
    assert called(asked(both, tools=tools, tool_choice="none")) == []
    assert called(asked(both, tools=tools, tool_choice="get_time")) == ["get_time"]


def test_the_answer_has_the_result_of_a_tool() -> None:
    turns = [Turn("tool", "old"), Turn("user", "how warm?"), Turn("assistant", "")]
    turns += [Turn("tool", "20 °C"), Turn("tool", "dry")]
    question = Question(model=MODEL, turns=turns, tools=[WEATHER])
    assert called(question) == []
    assert text(said(question)) == "The tool says: 20 °C\nThe tool says: dry\n"
    again = msgspec.structs.replace(question, tool_choice="required")
    assert called(again) == ["get_weather"]


def test_a_choice_of_an_unknown_tool() -> None:
    with pytest.raises(InvalidRequest, match="there is no tool 'f'"):
        said(asked(tools=[WEATHER], tool_choice="f"))
    for choice in ("required", "f"):
        with pytest.raises(InvalidRequest, match="a tool must be called, and there are no `tools`"):
            said(asked(tool_choice=choice))
    assert called(asked(tool_choice="none")) == []


def test_a_tool_without_parameters_takes_an_empty_object() -> None:
    answer = said(asked(tools=[Tool("f")]))
    assert "".join(answer.calls[0].arguments) == "{}"


def test_a_schema_that_nothing_satisfies() -> None:
    never = {"properties": {"a": False}, "required": ["a"]}
    with pytest.raises(InvalidRequest, match="a JSON Schema that cannot be satisfied: ") as caught:
        said(asked(tools=[Tool("f", never)]))
    assert caught.value.param == "tools"
    with pytest.raises(InvalidRequest, match="a JSON Schema that cannot be satisfied: ") as caught:
        said(asked(schema=never))
    assert caught.value.param == "response_format"


def test_text_of_a_schema() -> None:
    schema = {"type": "object", "properties": {"warm": {"type": "boolean"}}, "required": ["warm"]}
    value = json.loads(text(said(asked(schema=schema))))
    assert list(value) == ["warm"]
    assert isinstance(value["warm"], bool)
    assert json.loads(text(said(asked(schema={})))) == {"answer": "hi"}


@given(st.integers(1, 200))
def test_a_limit_counts_thinking_text_and_arguments(limit: int) -> None:
    whole = said(asked(tools=[WEATHER]))
    cut = said(asked(tools=[WEATHER], max_tokens=limit))
    assert cut.completion_tokens == min(limit, whole.completion_tokens)
    assert (cut.finish_reason == "length") == (limit < whole.completion_tokens)
    assert list(whole.thinking[:limit]) == list(cut.thinking)
    assert "".join(cut.calls[0].arguments if cut.calls else ()) == "".join(
        whole.calls[0].arguments[: max(0, limit - len(whole.thinking))]
    )


@given(
    st.sampled_from([*TEXTS, TORTURE]),
    st.lists(st.text("# abe\n你", min_size=1, max_size=3), max_size=4),
    st.integers(1, 200) | st.none(),
)
def test_stop_sequences(prompt: str, stops: list[str], limit: int | None) -> None:
    """The text ends before the first stop sequence, and every token until then is a step."""
    plain = said(asked(prompt, "echo", max_tokens=limit))
    stopped = said(asked(prompt, "echo", max_tokens=limit, stop=stops))
    found = [place for stop in stops if (place := text(plain).find(stop)) >= 0]
    if found:
        assert text(stopped) == text(plain)[: min(found)]
        assert stopped.finish_reason == "stop"
        assert len(stopped.text) <= len(plain.text)
    else:
        assert text(stopped) == text(plain)
        assert (len(stopped.text), stopped.finish_reason) == (
            len(plain.text),
            plain.finish_reason,
        )


def test_count_tokens() -> None:
    for words in ("", "one two", "你好" * 2000):
        assert at_once(count_tokens(words)) == len(tokenize(words))


def test_large_answers_are_made_once() -> None:
    """Clients choose `n`, so 128 answers of a megabyte must share one copy."""
    long = asked("你" * 300_000, "echo", n=128)
    answers = at_once(Model().answers(long))
    assert len(answers) == 128
    assert all(each is answers[0] for each in answers)
    assert sum(len(each.text) for each in answers) <= 100_000
    assert answers[0].finish_reason == "length"


def test_the_number_of_tools_called_at_once() -> None:
    tools = [Tool(f"tool_{number}") for number in range(20)]
    names = called(asked(" ".join(tool.name for tool in tools), tools=tools))
    assert names == [tool.name for tool in tools[:8]]


def test_a_custom_tool_gets_the_last_message() -> None:
    """Any text, not JSON. Cut to `max_tokens`, it is still a call of a custom tool."""
    question = msgspec.structs.replace(asked("run it now"), tools=[Tool("code", None)])
    (answer,) = at_once(Model().answers(question))
    (call,) = answer.calls
    assert ("".join(call.arguments), call.is_custom) == ("run it now", True)
    limit = len(answer.thinking) + 1
    (cut,) = at_once(Model().answers(msgspec.structs.replace(question, max_tokens=limit)))
    assert cut.calls == [ToolCall("code", call.arguments[:1], is_custom=True)]
