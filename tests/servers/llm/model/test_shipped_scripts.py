"""The file of scripts that comes with the project."""

import pytest

from servers.llm.model.schema import cut
from servers.llm.model.script import SHIPPED, Scripts, load_scripts

from ....at_once import at_once
from .test_script import question, shown


@pytest.fixture(scope="module")
def shipped() -> Scripts:
    return load_scripts(SHIPPED)


ASKED = "assistant: ?"

SHIPPED_TURNS = {
    ("weather", 0): ["weather?", "assistant: ", 'tool: {"sky":"rain"}'],
    ("weather", 1): ["Do I need an UMBRELLA?"],
    ("weather", 2): ["Hi!"],
    ("support", 0): ["help", ASKED, "Thanks!"],
    ("support", 1): ["help"],
    ("support", 2): ["help", ASKED, "All at once"],
    ("support", 3): ["help", ASKED, "It stops"],
    ("support", 4): ["help", ASKED, "It stops", ASKED, "Yes, 60"],
    ("support", 5): ["help", ASKED, "no idea"],
    ("flaky", 0): ["A story, please"],
    ("flaky", 1): ["A story"],
    ("refusal", 0): ["How?"],
}


@pytest.mark.parametrize(("name", "number"), SHIPPED_TURNS)
def test_shipped(shipped: Scripts, name: str, number: int) -> None:
    """Each conversation is answered by the expected turn."""
    asked = question(*SHIPPED_TURNS[name, number])
    expected = at_once(shipped.scripts[name].turns[number].answer(asked, cut))
    assert at_once(shipped.answer(name, asked)) == expected
    assert expected.text or expected.calls


def test_every_shipped_turn_is_tested(shipped: Scripts) -> None:
    turns = {
        (name, n) for name, script in shipped.scripts.items() for n in range(len(script.turns))
    }
    assert turns == set(SHIPPED_TURNS)


SHIPPED_ANSWERS = {
    ("weather", 0): 'The weather station says `{"sky":"rain"}`. 雨也是一种流。 ☔ stop',
    ("weather", 1): 'get_weather({"city":"Paris","unit":"celsius"}) tool_calls',
    ("flaky", 1): "I will tell you everything, and it begins like this: once upon a stop rst@5",
    ("refusal", 0): "To hold back a stream so that nobody notices, first content_filter",
}


@pytest.mark.parametrize(("key", "expected"), SHIPPED_ANSWERS.items())
def test_what_is_shipped(shipped: Scripts, key: tuple[str, int], expected: str) -> None:
    assert shown(at_once(shipped.answer(key[0], question(*SHIPPED_TURNS[key])))) == expected
