"""Scripts: which turn answers, what is filled in, and the errors of an invalid file."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import servers.llm.model.script
from servers.llm.model.conversation import Answer, Question, ToolCall, Turn
from servers.llm.model.schema import cut
from servers.llm.model.script import MAX_FILE, Script, Scripts, load_scripts

from ....at_once import at_once
from ....saying import says


def question(*turns: str, **options: Any) -> Question:
    """A conversation. Each turn is "role: text", or only the text of a user."""
    parts = [turn.rpartition(": ") for turn in turns]
    said = [Turn(role or "user", text) for role, _, text in parts]
    return Question(model="script:a", turns=said, **options)


def letters(text: str, seed: int) -> list[str]:
    """Cuts arguments into letters, and shows the seed."""
    return [*text, f"#{seed}"]


def scripts(*turns: dict[str, Any]) -> Scripts:
    return Scripts({"a": msgspec.convert({"turns": turns}, Script)}, letters)


def said(answer: Answer) -> str:
    return "".join(answer.text)


def shown(answer: Answer) -> str:
    calls = [f"{call.name}({''.join(call.arguments)})" for call in answer.calls]
    return " ".join([said(answer), *calls, answer.finish_reason, answer.fault]).strip()


# ---- which turn answers

CONDITIONS = {
    "none": ({}, ["hi"], True),
    "none, and no message": ({}, [], True),
    "first turn": ({"turn": 1}, ["system: be kind", "hi"], True),
    "not the first turn": ({"turn": 1}, ["hi", "assistant: yes?", "hi"], False),
    "second turn": ({"turn": 2}, ["hi", "assistant: yes?", "hi"], True),
    "a turn after a call": ({"turn": 2}, ["hi", "assistant: ", "tool: 7"], True),
    "role of the last message": ({"role": "tool"}, ["hi", "assistant: ", "tool: 7"], True),
    "role of an earlier message": ({"role": "tool"}, ["tool: 7", "hi"], False),
    "contains": ({"contains": "Weather"}, ["the WEATHER?"], True),
    "contains, as capitals that have none": ({"contains": "STRASSE"}, ["Straße"], True),
    "does not contain": ({"contains": "weather"}, ["whether"], False),
    "an earlier message contains": ({"contains": "hi"}, ["hi", "assistant: no", "so"], False),
    "matches inside": ({"matches": "b+"}, ["abbc"], True),
    "matches capitals as they are": ({"matches": "b"}, ["B"], False),
    "matches over lines": ({"matches": r"\bend$"}, ["a\nthe end"], True),
    "both": ({"turn": 1, "contains": "a", "matches": "b"}, ["ab"], True),
    "one of both": ({"contains": "a", "matches": "b"}, ["ac"], False),
    "the other of both": ({"contains": "a", "matches": "b"}, ["bc"], False),
    "text, but another turn": ({"turn": 2, "contains": "a"}, ["a"], False),
}


@pytest.mark.parametrize(("when", "turns", "holds"), CONDITIONS.values(), ids=CONDITIONS)
def test_conditions(when: dict[str, Any], turns: list[str], holds: bool) -> None:
    """All given conditions must hold. Those on text and role apply to the last message."""
    script = scripts({"when": when, "text": "yes"}, {"text": "no"})
    assert said(at_once(script.answer("a", question(*turns)))) == ("yes" if holds else "no")


# ---- what it answers


def test_an_answer_in_full() -> None:
    turn = {
        "thinking": "think first",
        "text": "say then",
        "calls": [{"name": "f", "arguments": {"b": [1, None]}}, {"name": "g"}],
        "finish_reason": "content_filter",
        "fault": "rst@5",
    }
    assert at_once(scripts(turn).answer("a", question("hi", seed=7))) == Answer(
        thinking=["think", " first"],
        text=["say", " then"],
        calls=[
            ToolCall("f", ["{", '"', "b", '"', ":", "[", *"1,null", "]", "}", "#7"]),
            ToolCall("g", ["{", "}", "#7"]),
        ],
        finish_reason="content_filter",
        fault="rst@5",
    )


def test_an_empty_turn_is_an_empty_answer() -> None:
    assert at_once(scripts({}).answer("a", question("hi"))) == Answer([], [], [], "stop", "")


def test_calls_finish_with_tool_calls() -> None:
    """Unless the script has another finish_reason. Without a seed, the seed is 0."""
    call = {"name": "f", "arguments": 1}
    answer = at_once(scripts({"text": "wait", "calls": [call]}).answer("a", question("hi")))
    assert answer.finish_reason == "tool_calls"
    assert answer.calls == [ToolCall("f", ["1", "#0"])]
    ended = scripts({"calls": [call], "finish_reason": "stop"})
    answer = at_once(ended.answer("a", question("hi")))
    assert answer.finish_reason == "stop"


def test_a_model_that_must_not_think() -> None:
    script = scripts({"thinking": "hm", "text": "yes"})
    assert at_once(script.answer("a", question("hi", thinks=False))) == Answer((), ["yes"], [])


FILLED = {
    "{prompt}, {prompt}!": "two, two!",
    "{tool}": "7",
    "{{tool}}": "{7}",
    "f(){} {role} {0} {prompt!r} {prompt.x} { prompt } {Prompt}": None,
    '{"json": {"a": 1}} %s $prompt \\1': None,
}


@pytest.mark.parametrize(("text", "filled"), FILLED.items())
def test_placeholders(text: str, filled: str | None) -> None:
    """There are two. All other braces stay as they are."""
    turns = ["one", "assistant: ", "tool: 6", "tool: 7", "assistant: 7.", "two"]
    answer = at_once(scripts({"text": text, "thinking": text}).answer("a", question(*turns)))
    assert said(answer) == (filled or text)
    assert "".join(answer.thinking) == (filled or text)


def test_nothing_to_fill_in() -> None:
    assert said(at_once(scripts({"text": "[{prompt}{tool}]"}).answer("a", question()))) == "[]"


def test_filled_in_text_is_not_filled_again() -> None:
    """A client that writes {tool} gets {tool}."""
    turns = ["{tool} \\g<0>", "assistant: ", "tool: {prompt}"]
    answer = at_once(scripts({"text": "{prompt} {tool}"}).answer("a", question(*turns)))
    assert said(answer) == "{tool} \\g<0> {prompt}"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(deadline=None)
@given(json_values)
def test_arguments_are_compact_json(value: Any) -> None:
    """Any value can be parsed back from the JSON that is sent."""
    turn = {"calls": [{"name": "f", "arguments": value}]}
    tokens = at_once(scripts(turn).answer("a", question(""))).calls[0].arguments
    text = "".join(tokens[:-1])
    assert json.loads(text) == value
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_prompt_stays_in_its_string(prompt: str) -> None:
    """Quotes and line ends in filled-in text do not break out of the arguments."""
    turn = {"calls": [{"name": "f", "arguments": {"q": "<{prompt}>", "{prompt}": [1]}}]}
    asked = Question(model="script:a", turns=[Turn("user", prompt)])
    tokens = at_once(scripts(turn).answer("a", asked)).calls[0].arguments
    assert json.loads("".join(tokens[:-1])) == {"q": f"<{prompt}>"} | {prompt: [1]}


# ---- no answer


def test_an_unknown_name() -> None:
    script = msgspec.convert({"turns": [{}]}, Script)
    both = Scripts({"weather": script, "flaky": script}, letters)
    with pytest.raises(LookupError) as info:
        at_once(both.answer("wether", question("hi")))
    assert str(info.value) == "there is no script 'wether'; there are: weather, flaky"


def test_an_unknown_name_among_very_many() -> None:
    """The error does not list all of them."""
    script = msgspec.convert({"turns": [{}]}, Script)
    many = Scripts({f"name{number}": script for number in range(1000)}, letters)
    with pytest.raises(LookupError, match=r"there are: name0, name1, .*, …$") as info:
        at_once(many.answer("x", question("hi")))
    assert len(str(info.value)) < 550


def test_no_turn_fits() -> None:
    script = scripts({"when": {"turn": 1}}, {"when": {"role": "tool"}})
    with pytest.raises(LookupError) as info:
        at_once(script.answer("a", question("hi", "assistant: yes?", "so")))
    assert str(info.value) == (
        "the script 'a' has no answer to turn 2, a message of role 'user': "
        "give it a last turn without `when`"
    )


# ---- files


def written(path: Path, content: str | bytes) -> Path:
    file = path / "s.json"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_a_file(tmp_path: Path) -> None:
    """A byte order mark, which some editors write, is skipped."""
    path = written(
        tmp_path, b'\xef\xbb\xbf{"a": {"turns": [{"text": "x y"}]}, "b": {"turns": [{}]}}'
    )
    loaded = load_scripts(path)
    assert list(loaded.scripts) == ["a", "b"]
    assert at_once(loaded.answer("a", question("hi"))).text == ["x", " y"]


def test_the_default_cutter_of_arguments(tmp_path: Path) -> None:
    """Without `cut`, the function of schema.py cuts arguments."""
    path = written(tmp_path, '{"a": {"turns": [{"calls": [{"name": "f", "arguments": [10, 2]}]}]}}')
    answer = at_once(load_scripts(path).answer("a", question("hi", seed=3)))
    assert answer.calls == [ToolCall("f", list(cut("[10,2]", 3)))]
    answer = at_once(load_scripts(path, letters).answer("a", question("hi")))
    assert answer.calls == [ToolCall("f", [*"[10,2]", "#0"])]


THEIRS = "…"  # a message of msgspec, json or a codec: any text will do


WRONG_FILES: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", THEIRS),
    "no colon": ('{\n  "a" {"turns": []}}', THEIRS),
    "two values": ("{} {}", THEIRS),
    "not UTF-8": (b'{"\xff": 1}', THEIRS),
    "a list": ("[]", THEIRS),
    "no script": ("{}", 'it contains no script. The form is {"NAME": {"turns": [{"text": "…"}]}}'),
    "a script that is a list": ('{"a": []}', "script 'a': …"),
    "no turns": ('{"a": {}}', "script 'a': …"),
    "empty turns": ('{"b": {"turns": [{}]}, "a": {"turns": []}}', "script 'a': …"),
    "an unknown field": ('{"a": {"turns": [{}], "model": "x"}}', "script 'a': …"),
    "a name twice": ('{"a": {"turns": [{}]}, "a": 1}', "'a' is twice in one object"),
    "NaN": (
        '{"a": {"turns": [{"calls": [{"name": "f", "arguments": NaN}]}]}}',
        "NaN is not JSON",
    ),
    "a deep nest": ("[" * 100_000, "its arrays or objects are nested too deeply"),
    "too long": (b" " * (MAX_FILE + 1), "a file of scripts has at most 10,485,760 bytes"),
}


@pytest.mark.parametrize(("content", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_an_invalid_file(tmp_path: Path, content: str | bytes, message: str) -> None:
    """The message names the file, the script, the path in it, and the error."""
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match="json: ") as info:
        load_scripts(path)
    assert says(str(info.value), f"{path}: {message}")


NOT_REGULAR = "`matches` is not a regular expression: …"

WRONG_TURNS = {
    '{"txt": "x"}': THEIRS,
    '{"text": 7}': THEIRS,
    '{"when": {"says": "x"}}': THEIRS,
    '{"when": {"turn": 0}}': THEIRS,
    '{"calls": [{}]}': THEIRS,
    '{"calls": [{"name": "f", "args": {}}]}': THEIRS,
    '{"when": {"role": "bot"}}': (
        "`role` is one of system, user, assistant, tool, not 'bot'…"
    ),
    '{"finish_reason": "stop\\n"}': (
        "`finish_reason` is one of stop, length, tool_calls, content_filter, "
        "not 'stop\\n'…"
    ),
    '{"when": {"matches": "("}}': NOT_REGULAR,
    '{"when": {"matches": "a{99999999999999}"}}': NOT_REGULAR,
    '{"text": "\\ud83d"}': THEIRS,
}


@pytest.mark.parametrize(("turn", "message"), WRONG_TURNS.items())
def test_an_invalid_turn(tmp_path: Path, turn: str, message: str) -> None:
    path = written(tmp_path, f'{{"a": {{"turns": [{{}}, {turn}]}}}}')
    with pytest.raises(ValueError, match="json: ") as info:
        load_scripts(path)
    assert says(str(info.value), f"{path}: script 'a': {message}")


def test_a_regular_expression_of_too_many_groups(tmp_path: Path) -> None:
    pattern = "(" * 5000 + ")" * 5000
    path = written(tmp_path, f'{{"a": {{"turns": [{{"when": {{"matches": "{pattern}"}}}}]}}}}')
    with pytest.raises(ValueError, match=NOT_REGULAR[:-1]):
        load_scripts(path)


def test_a_file_of_the_largest_size(tmp_path: Path) -> None:
    content = b'{"a": {"turns": [{}]}}'
    assert load_scripts(written(tmp_path, content + b" " * (MAX_FILE - len(content)))).scripts


def test_many_names_with_a_duplicate(tmp_path: Path) -> None:
    """Finding it takes linear time."""
    names = [f'"n{number}": 0' for number in range(100_000)]
    with pytest.raises(ValueError, match="'n99999' is twice"):
        load_scripts(written(tmp_path, "{" + ", ".join([*names, names[-1]]) + "}"))


@pytest.mark.parametrize(
    ("name", "why"), [("no", os.strerror(errno.ENOENT)), ("", os.strerror(errno.EISDIR))]
)
def test_no_file(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as info:
        load_scripts(tmp_path / name)
    assert str(info.value) == f"{tmp_path / name}: {why}"


def test_the_example_above_the_code(tmp_path: Path) -> None:
    """The docstring of the module begins with a valid file."""
    text = str(servers.llm.model.script.__doc__)
    path = written(tmp_path, text[text.index("{") : text.index("\n\nThis is the model")])
    example = load_scripts(path)
    called = shown(at_once(example.answer("weather", question("Weather?"))))
    assert called == 'get_weather({"city":"Paris"}) tool_calls'
    told = question("Weather?", "assistant: ", "tool: 18")
    assert shown(at_once(example.answer("weather", told))) == "The tool says: 18. stop"
    assert said(at_once(example.answer("weather", question("Hi")))) == "Ask me about the weather."
