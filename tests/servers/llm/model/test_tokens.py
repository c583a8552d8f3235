"""How text is cut into tokens."""

import sys
import unicodedata
from collections.abc import Iterator
from itertools import groupby

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from servers.llm.model.tokens import MARKS, MAX_TOKEN, clusters, tokenize, tokenized

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
    """A word is a token with the space before it; everything else is cut into characters."""
    assert tokenize(text) == tokens


def test_the_skipped_ranges_have_no_marks() -> None:
    codes = range(0x300, 0xE01F0)
    marks = [code for code in codes if unicodedata.category(chr(code))[0] == "M"]
    assert marks == MARKS


# Single characters to a reader (UAX #29) that have several code points and must not be cut.
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
    """Alone, in a text, and twice in a row."""
    assert tokenize(cluster) == [cluster]
    assert tokenize(f"你{cluster}好") == ["你", cluster, "好"]
    assert tokenize(cluster * 3) == [cluster] * 3


NOT_YET = {
    "the flag of a region, by tags": "🏴" + "".join(chr(0xE0000 + ord(c)) for c in "gbeng\x7f"),
    "a syllable of Hangul, decomposed": unicodedata.normalize("NFD", "한"),
    "a line end": "\r\n",
}


@pytest.mark.parametrize("cluster", NOT_YET.values(), ids=NOT_YET)
def test_these_clusters_are_cut(cluster: str) -> None:
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
    """No text is lost or added, no token is empty, and no token begins inside a character."""
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
    """Whatever the text around it, each token ends at the end of a character."""
    text = "".join(clusters)
    borders = {0}
    for cluster in clusters:
        borders.add(max(borders) + len(cluster))
    place = 0
    for token in tokenize(text):
        assert place in borders
        place += len(token)


# ---- The same by the rules of UAX #29, one character at a time


EXTENDS = {"\u200d", *map(chr, [*range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080)])}
REGIONAL_INDICATORS = {chr(code) for code in range(0x1F1E6, 0x1F200)}


def joins(cluster: str, character: str) -> bool:
    """Whether a character belongs to the cluster before it: rules GB3, GB6 to GB9, GB11, GB12."""
    if character.isascii():
        return cluster == "\r" and character == "\n"
    return (
        character in EXTENDS
        or unicodedata.category(character).startswith("M")
        or cluster.endswith("\u200d")
        or (character in REGIONAL_INDICATORS and cluster in REGIONAL_INDICATORS)
        or ("\u1160" <= character <= "\u11ff" and "HANGUL" in unicodedata.name(cluster[-1], ""))
    )


def clusters_by_rule(text: str) -> Iterator[str]:
    cluster = ""
    for character in text:
        if cluster and not joins(cluster, character):
            yield cluster
            cluster = ""
        cluster += character
    if cluster:
        yield cluster


def tokenize_by_rule(text: str) -> list[str]:
    tokens: list[str] = []
    is_letter = lambda cluster: cluster.isascii() and cluster.isalnum()  # noqa: E731
    for is_word, run in groupby(clusters_by_rule(text), key=is_letter):
        if not is_word:
            tokens += run
        elif tokens and tokens[-1] == " ":
            tokens[-1] += "".join(run)
        else:
            tokens.append("".join(run))
    return tokens


difficult = st.text(
    "aab \r\n.你é가\u1161\u11a8한\u302e\u3131😀👩🏽🇩🇪\u0301\u200d\ufe0f\U000e0067\U00011000"
)


@settings(deadline=None)
@given(difficult | st.text(max_size=20))
def test_the_expression_equals_the_rules(text: str) -> None:
    assert tokenize(text) == tokenize_by_rule(text)
    assert list(clusters(text)) == list(clusters_by_rule(text))


@pytest.mark.parametrize("before", ["a", "가", "\u200d", "🇩"])
def test_every_character_by_the_rules(before: str) -> None:
    """The regular expression lists the marks by planes. It has all marks of the Unicode version
    that this Python knows. Of letters, which are too many, one in a thousand is tried."""
    for code in range(0x80, sys.maxunicode + 1):
        text = before + chr(code)
        if code % 1024 == 0 or unicodedata.category(chr(code))[0] not in "LC":
            assert tokenize(text) == tokenize_by_rule(text), hex(code)


# ---- The size of a token


LONG = {
    "a word": "a" * 100_000,
    "accents": "a" + "\u0301" * 100_000,
    "a family": "👩" + "\u200d👩" * 50_000,
    "Hangul": "가" + "\u1161" * 100_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_token_has_a_limit(text: str) -> None:
    """For any text, a limit in tokens is also a limit in bytes."""
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert max(map(len, tokens)) <= MAX_TOKEN
    assert len(tokens) > len(text) / MAX_TOKEN


@settings(deadline=None)
@given(difficult.map(lambda text: text * 20) | st.text(), st.integers(MAX_TOKEN + 1, 99))
@example("a" * 1000, MAX_TOKEN + 1)
def test_cut_list_by_list(text: str, size: int) -> None:
    """The size of the lists changes no token, and no list is larger than requested."""
    pieces = list(tokenized(text, size))
    assert [token for piece in pieces for token in piece] == tokenize(text)
    assert all(len("".join(piece)) <= size for piece in pieces)
