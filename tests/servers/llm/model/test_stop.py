"""Stop sequences, spread over tokens in every way."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from servers.llm.model.stop import StopSequences, cut_at_stop

from ....at_once import at_once


def up_to_stop(text: str, stops: list[str]) -> str:
    """The rule in other words: the text up to the start of the first stop sequence."""
    return text[: min([text.index(stop) for stop in stops if stop in text], default=None)]


def longest_beginning(text: str, stops: list[str]) -> str:
    """The longest end of a text that begins a stop sequence, but is not all of it."""
    ends = [text[place:] for place in range(len(text) + 1)]
    return next(e for e in ends if not e or any(s.startswith(e) and s != e for s in stops))


# Tokens, stop sequences, the text that each step shows, whether a stop sequence was found.
TABLE: dict[str, tuple[list[str], list[str], list[str], bool]] = {
    "no tokens": ([], ["x"], [], False),
    "no stop sequences": (["a", "b"], [], ["a", "b"], False),
    "not in the text": (["a", "b"], ["x"], ["a", "b"], False),
    "a token": (["a", "x", "b"], ["x"], ["a", ""], True),
    "in a token": (["a", "bxc", "d"], ["x"], ["a", "b"], True),
    "all": (["x"], ["x"], [""], True),
    "over two tokens": (["a1", "2b"], ["12"], ["a", ""], True),
    "over three": (["a1", "2", "3b"], ["123"], ["a", "", ""], True),
    "not after all": (["a1", "2", "4"], ["123"], ["a", "", "124"], False),
    "not by the end": (["a1", "2"], ["123"], ["a", "12"], False),
    "the beginning again": (["1", "1", "2"], ["12"], ["", "1", ""], True),
    "inside itself": (["aab", "aa", "c"], ["aabaac"], ["", "", ""], True),
    "inside itself, shifted": (["aab", "aab", "aac"], ["aabaac"], ["", "aab", ""], True),
    "the first of two": (["a", "y", "x"], ["x", "y"], ["a", ""], True),
    "one begins with the other": (["a1", "2"], ["12", "1"], ["a"], True),
    "one ends with the other": (["a1", "2"], ["2", "12"], ["a", ""], True),
    "one inside the other, which comes": (["ab", "c", "d"], ["bc", "abcd"], ["", "", ""], True),
    "one inside the other, which does not": (["ab", "c", "x"], ["bc", "abcd"], ["", "", "a"], True),
    "the same, at the end": (["xab", "c"], ["bc", "abcd"], ["x", "a"], True),
    "two in one token": (["a2b1"], ["1", "2"], ["a"], True),
    "empty tokens": (["", "x", ""], ["xy"], ["", "", "x"], False),
    "the documentation's": (
        [" done", ".", " E", "N", "D of"],
        ["END", "\n\n"],
        [" done", ".", " ", "", ""],
        True,
    ),
    "inside what a reader sees as one character": (["👩🏽", "‍🚀"], ["\u200d"], ["👩🏽", ""], True),
}


@pytest.mark.parametrize(("tokens", "stops", "shown", "found"), TABLE.values(), ids=TABLE)
def test_table(tokens: list[str], stops: list[str], shown: list[str], found: bool) -> None:
    assert at_once(cut_at_stop(tokens, stops)) == (shown, found)
    assert "".join(shown) == up_to_stop("".join(tokens), stops)


def test_nothing_comes_after_a_stop_sequence() -> None:
    sequences = StopSequences(["x"])
    assert (sequences.feed("a"), sequences.stopped) == ("a", False)
    assert (sequences.feed("bxc"), sequences.stopped) == ("b", True)
    assert (sequences.feed("d"), sequences.flush(), sequences.stopped) == ("", "", True)


def test_flush() -> None:
    """Only the first call returns text."""
    sequences = StopSequences(["xyz"])
    assert (sequences.feed("axy"), sequences.flush(), sequences.flush()) == ("a", "xy", "")
    assert not sequences.stopped


def test_an_empty_stop_sequence() -> None:
    with pytest.raises(ValueError, match=r"^a stop sequence has at least one character$"):
        StopSequences(["a", ""])
    with pytest.raises(ValueError, match=r"^a stop sequence has at least one character$"):
        at_once(cut_at_stop([], [""]))


def test_a_step_ends_with_the_text_it_completes() -> None:
    """The list has one item for each step."""
    assert at_once(cut_at_stop(["a", "b", "cd", "e"], ["bc"])) == (["a", "", ""], True)
    assert at_once(cut_at_stop(["a", "b", "x", "e"], ["bc"])) == (["a", "", "bx", "e"], False)


class CountingStop(str):
    """A stop sequence that counts comparisons with its characters."""

    compared = 0

    def startswith(self, *args: object) -> bool:
        self.compared += 1
        return super().startswith(*args)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ("a" * 1024 + "b", "a" * 5_000),
        ("a" * 1024 + "b", ("a" * 1024 + "c") * 5),
        ("ab" * 512 + "c", "ab" * 2_500),
    ],
    ids=["all of it", "nearly", "in pairs"],
)
def test_no_character_is_read_twice(stop: str, text: str) -> None:
    """Even the worst text needs at most two comparisons per character, for any sequence."""
    counting = CountingStop(stop)
    sequences = StopSequences([counting])
    counting.compared = 0
    shown = "".join(sequences.feed(character) for character in text) + sequences.flush()
    assert shown == text
    assert counting.compared <= 2 * len(text)


few_letters = st.text("ab", max_size=12) | st.text("abc", max_size=12)


@given(
    st.lists(few_letters, max_size=12),
    st.lists(few_letters.filter(bool), max_size=4),
)
@example(["abab", "", "c"], ["bab", "ababc"])
@example(["aabaab", "aac"], ["aabaac", "baab"])
def test_any_text_in_any_tokens(tokens: list[str], stops: list[str]) -> None:
    """The text is shown up to the first stop sequence. At every moment, the longest end of it that
    begins a stop sequence is held back."""
    sequences = StopSequences(stops)
    fed, shown = "", ""
    for token in tokens:
        shown += sequences.feed(token)
        fed += token
        if sequences.stopped:
            assert shown == up_to_stop(fed, stops)
        else:
            assert shown + longest_beginning(fed, stops) == fed
    shown += sequences.flush()
    assert shown == up_to_stop(fed, stops)
    assert sequences.stopped == any(stop in fed for stop in stops)
    assert sequences.flush() == ""

    steps, found = at_once(cut_at_stop(tokens, stops))
    assert ("".join(steps), found) == (shown if tokens else "", sequences.stopped)
    assert len(steps) <= len(tokens)
    assert found or len(steps) == len(tokens)


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=6), max_size=4))
def test_the_cut_does_not_matter(text: str, stops: list[str]) -> None:
    """The text whole, and one character at a time."""
    for tokens in ([text], list(text)):
        steps, found = at_once(cut_at_stop(tokens, stops))
        assert "".join(steps) == up_to_stop(text, stops)
        assert found == any(stop in text for stop in stops)
