"""How text is cut into tokens."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from servers.llm.tokens import tokenize

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
