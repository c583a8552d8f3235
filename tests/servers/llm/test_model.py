"""The simulated model: what it says, how it is cut, and when each token is due."""

import time
import unicodedata

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from servers.llm.model import TEXTS, answer
from servers.llm.tokens import tokenize
from servers.pace import Pace

TOKENS = {
    "": [],
    " ": [" "],
    "one": ["one"],
    "one two  three": ["one", " two", " ", " three"],
    "a,b.": ["a", ",", "b", "."],
    "x1 2y": ["x1", " 2y"],
    "a\nb": ["a", "\n", "b"],
    "你好 hi": ["你", "好", " hi"],
    "hi你": ["hi", "你"],
    " 你": [" ", "你"],
    "naïve": ["na", "ï", "ve"],
}


@pytest.mark.parametrize(("text", "tokens"), TOKENS.items())
def test_tokenize(text: str, tokens: list[str]) -> None:
    """Words with the space before them; anything else one character at a time."""
    assert tokenize(text) == tokens


# One character to a reader (UAX #29), several code points: cut, it would fall apart on a screen.
CLUSTERS = {
    "a letter with an accent": "e\u0301",
    "a letter with three": "a\u0323\u0302\u0301",
    "a vowel sign of Devanagari": "कि",
    "a skin tone": "👍🏽",
    "a heart, as an emoji": "❤\ufe0f",
    "a keycap": "1\ufe0f\u20e3",
    "a family": "👨‍👩‍👧‍👦",
    "an astronaut": "👩🏽‍🚀",
    "a face": "😵‍💫",
    "a detective": "🕵️‍♀️",
    "a flag": "🇩🇪",
    "a rainbow flag": "🏳️‍🌈",
}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_clusters_stay_whole(cluster: str) -> None:
    """Alone, in a text, twice in a row."""
    assert tokenize(cluster) == [cluster]
    assert tokenize(f"你{cluster}好") == ["你", cluster, "好"]
    assert tokenize(cluster * 3) == [cluster] * 3


NOT_YET = {
    "the flag of a region, by tags": "🏴" + "".join(chr(0xE0000 + ord(c)) for c in "gbeng\x7f"),
    "a syllable of Hangul, decomposed": unicodedata.normalize("NFD", "한"),
    "a line end": "\r\n",
}


@pytest.mark.parametrize("cluster", NOT_YET.values(), ids=NOT_YET)
def test_these_clusters_fall_apart(cluster: str) -> None:
    assert tokenize(cluster) == [cluster]


pieces_of_text = st.sampled_from(
    [*CLUSTERS.values(), "a", "B", "7", " ", "\n", ".", "你", "\u200d", "🏽", "🇩", "\u0301"]
)


@settings(deadline=None, max_examples=60)
@given(st.text() | st.lists(pieces_of_text).map("".join))
@example("\u0301")
@example("\u200d")
@example("🇩🇪🇫")
def test_tokens_join_to_the_text(text: str) -> None:
    """Nothing is lost or invented, no token is empty, and none begins inside a character."""
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert all(tokens)
    for token in tokens[1:]:
        assert not unicodedata.category(token[0]).startswith("M")
        assert token[0] != "\u200d"
        assert token[0] not in "🏻🏼🏽🏾🏿"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*CLUSTERS.values(), "你", ".", "x", " "])))
def test_no_cluster_is_cut(clusters: list[str]) -> None:
    """Whatever stands beside it: each border of a token is a border between two characters."""
    text = "".join(clusters)
    borders = {0}
    for cluster in clusters:
        borders.add(max(borders) + len(cluster))
    place = 0
    for token in tokenize(text):
        assert place in borders
        place += len(token)


def seconds_for(text: str) -> float:
    start = time.perf_counter()
    tokenize(text)
    return time.perf_counter() - start


def test_a_long_word_costs_no_more_than_many_short_ones() -> None:
    """A prompt is the client's to choose, and no other stream moves while it is counted."""
    assert seconds_for("a" * 400_000) < 5 * seconds_for("a " * 200_000)


def test_same_prompt_same_answer() -> None:
    assert answer("hi") == answer("hi")
    assert "".join(answer("hi").thinking) == (
        "The user says “hi”. I know one thing well: how this answer travels. 想清楚再回答。"
    )
    assert "".join(answer("hi").text) in TEXTS


def test_all_answers_are_given() -> None:
    """The prompt chooses one."""
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
    """30 families are 210 code points and 30 characters: nothing is left out, so no ellipsis."""
    said = "".join(answer("👨‍👩‍👧‍👦" * 30).thinking)
    assert said.startswith("The user says “" + "👨‍👩‍👧‍👦" * 30 + "”. ")


def test_a_long_prompt_is_cut_between_characters() -> None:
    said = "".join(answer("👨‍👩‍👧‍👦" * 100).thinking)
    assert said.startswith("The user says “" + "👨‍👩‍👧‍👦" * 60 + "…”. ")


async def test_pace(autojump_clock: MockClock) -> None:
    """The first token after `ttft`, each later one `itl` after the one before was due."""
    clock = Pace(ttft=2, itl=0.5).start()
    times = []
    for _ in range(4):
        await clock.next_token()
        times.append(trio.current_time())
    assert times == [2, 2.5, 3, 3.5]


async def test_a_late_token_does_not_delay_the_next(autojump_clock: MockClock) -> None:
    """A reader that stalls gets what was due at once, and then the old pace again."""
    clock = Pace(ttft=1, itl=1).start()
    times: list[float] = []
    for _ in range(6):
        await clock.next_token()
        if not times:
            await trio.sleep(2.5)
        times.append(trio.current_time())
    assert times == [3.5, 3.5, 3.5, 4, 5, 6]
