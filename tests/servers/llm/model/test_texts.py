"""The texts of the simulated model: they are true, and the torture text is hard to render."""

import codecs
from io import StringIO
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console
from rich.markdown import Markdown

from servers.llm.model.texts import LONG_LINE, LOREM, MAX_LOREM, TEXTS, TORTURE, lorem
from servers.llm.model.tokens import tokenize

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def parsed(text: str) -> list[Token]:
    """All tokens of a Markdown parser, inline ones included."""
    blocks = MARKDOWN.parse(text)
    return [token for block in blocks for token in [block, *(block.children or [])]]


# ---- the short answers


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.partition("\n")[0])
def test_a_short_answer(text: str) -> None:
    """It is short, with a heading, several kinds of Markdown, two languages and an emoji."""
    kinds = {token.type for token in parsed(text)}
    assert text.startswith("## ")
    assert text.endswith("\n")
    assert {"table_open", "ordered_list_open", "bullet_list_open"} & kinds
    assert {"code_inline", "strong_open"} & kinds
    assert any("\u4e00" <= character <= "\u9fff" for character in text)
    assert any(character >= "\u2600" and not character.isalpha() for character in text)
    assert len(tokenize(text)) < 300


def test_the_short_answers_differ() -> None:
    assert len(set(TEXTS)) == len(TEXTS) == 6


def test_their_statements_about_utf_8_are_true() -> None:
    assert "你".encode().hex(" ") == "e4 bd a0"
    assert "好".encode().hex(" ") == "e5 a5 bd"
    assert [part.decode(errors="replace") for part in (b"\xe4\xbd", b"\xa0")] == ["\ufffd"] * 2
    assert any(
        "| 1 | `e4 bd` | \ufffd | waits |\n| 2 | `a0` | \ufffd | 你 |" in text for text in TEXTS
    )
    decoder = codecs.getincrementaldecoder("utf-8")()
    assert [decoder.decode(part) for part in (b"\xe4\xbd", b"\xa0")] == ["", "你"]


# ---- the torture text


def test_torture_in_tokens_is_the_text() -> None:
    tokens = tokenize(TORTURE)
    assert "".join(tokens) == TORTURE
    assert len(tokens) < 2500  # about a minute at the default pace


def test_torture_can_be_sent() -> None:
    """The text has no lone surrogates, so it has a UTF-8 form."""
    assert TORTURE.encode().decode() == TORTURE


MARKUPS: dict[str, set[str]] = {
    "heading_open": {"#", "######", "=", "-"},
    "fence": {"```", "~~~", "````"},
    "code_block": set(),
    "table_open": set(),
    "hr": set(),
    "html_block": set(),
    "image": set(),
    "hardbreak": set(),
    "html_inline": set(),
    "s_open": {"~~"},
    "em_open": {"*", "_"},
    "strong_open": {"**", "__"},
}


@pytest.mark.parametrize(("kind", "markups"), MARKUPS.items(), ids=MARKUPS)
def test_torture_has(kind: str, markups: set[str]) -> None:
    """Markdown elements that a parser finds, with the characters that mark them."""
    found = {token.markup for token in parsed(TORTURE) if token.type == kind}
    assert found
    assert markups <= found


def test_lists_four_deep() -> None:
    """Ordered and unordered lists alternate, and the innermost has a code fence."""
    depth = deepest = fence_at = 0
    for token in MARKDOWN.parse(TORTURE):
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            depth += 1
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            depth -= 1
        elif token.type == "fence":
            fence_at = max(fence_at, depth)
        deepest = max(deepest, depth)
    assert (deepest, fence_at) == (4, 4)


def test_an_unclosed_fence_swallows_nothing() -> None:
    """The fence ends with the quotation around it, so the last heading is a heading."""
    inside = [token for token in MARKDOWN.parse(TORTURE) if token.type == "fence" and token.level]
    assert any("this fence is never closed" in token.content for token in inside)
    headings = [token for token in MARKDOWN.parse(TORTURE) if token.type == "heading_open"]
    assert headings[-1].level == 0
    assert "\n## The end\n\nIf you can read this" in TORTURE


def test_a_long_info_string_and_fences_in_fences() -> None:
    fences = {token.markup: token for token in MARKDOWN.parse(TORTURE) if token.type == "fence"}
    assert "```python\n" in fences["````"].content
    assert "```" in fences["~~~"].content
    assert any(len(token.info) > 80 for token in MARKDOWN.parse(TORTURE))


def test_a_long_line() -> None:
    lines = TORTURE.split("\n")
    assert LONG_LINE in lines
    assert len(LONG_LINE) == 4000
    assert len(LONG_LINE.split()) == 1


HOSTILE = [
    "(javascript:alert(",
    "(JaVaScRiPt:alert(",
    "(javascript&#58;alert(",
    "(vbscript:",
    "(data:text/html,",
    "<javascript:",
    "<script>",
    "onerror=",
    "</body></html>",
    "\x1b[31m",
]


@pytest.mark.parametrize("part", HOSTILE)
def test_torture_tempts(part: str) -> None:
    assert part in TORTURE


def test_links_go_only_to_reserved_names() -> None:
    """Every link and picture goes to a host name that nobody can own (RFC 2606)."""
    targets = [str(t.attrs.get("href", t.attrs.get("src", ""))) for t in parsed(TORTURE)]
    found = [target for target in targets if target]
    assert len(found) == 8
    for target in found:
        assert target.startswith(("https://example.org/", "https://example.invalid/")), target


CHARACTERS = {
    "a family": "👨\u200d👩\u200d👧\u200d👦",
    "a flag": "🇩🇪",
    "a flag of tags": "🏴" + "".join(chr(0xE0000 + ord(c)) for c in "gbeng\x7f"),
    "skin tones": "👍🏻👍🏼👍🏽👍🏾👍🏿",
    "Arabic": "مرحبا",
    "Hebrew": "שלום",
    "an override of direction": "\u202e",
    "zero width": "\u200b",
    "a byte order mark": "\ufeff",
    "a line separator": "Markdown,\u2028although",
    "a next line": "separator,\u0085a",
    "a paragraph separator": "line,\u2029and",
    "a tab, then code": "\n\n\ta block",
    "Hangul, decomposed": "\u1112\u1161\u11ab",
    "a footnote": "[^1]: ",
    "a task": "- [x] ",
    "a reference": "[by reference][there]",
    "an escaped pipe": r"`a \| b`",
}


@pytest.mark.parametrize("part", CHARACTERS.values(), ids=CHARACTERS)
def test_torture_holds(part: str) -> None:
    assert part in TORTURE


def test_characters_stay_whole() -> None:
    """Each hard character is one token, including the letter with many accents."""
    tokens = tokenize(TORTURE)
    assert CHARACTERS["a family"] in tokens
    assert CHARACTERS["a flag of tags"] in tokens
    assert any(token[0] == "Z" and len(token) > 10 for token in tokens)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 1])
def test_a_terminal_survives_it(share: float) -> None:
    """Rich renders it, wherever it is cut."""
    out = StringIO()
    text = TORTURE[: int(len(TORTURE) * share)]
    Console(file=out, width=80).print(Markdown(text))
    assert "A heading of the other kind" in out.getvalue()


# ---- lorem


class TestLorem:
    WORDS: ClassVar[list[str]] = LOREM.split()

    def test_first_words(self) -> None:
        assert lorem(3) == ("Lorem", " ipsum", " dolor")
        assert 60 <= len(self.WORDS) <= 100

    def test_it_starts_again(self) -> None:
        length = len(self.WORDS)
        assert lorem(length + 2)[-3:] == (" laborum", " lorem", " ipsum")
        assert lorem(2 * length + 1)[-1] == " lorem"

    @settings(deadline=None)
    @given(st.integers(0, 2000))
    def test_it_has_exactly_that_many_tokens(self, count: int) -> None:
        assert len(lorem(count)) == count
        assert tokenize("".join(lorem(count))) == list(lorem(count))

    def test_the_largest_count(self) -> None:
        assert len(lorem(MAX_LOREM)) == 100_000

    @pytest.mark.parametrize("count", [-1, 100_001])
    def test_a_count_out_of_range(self, count: int) -> None:
        with pytest.raises(ValueError, match="lorem makes from") as info:
            lorem(count)
        assert str(info.value) == f"lorem makes from 0 to 100,000 tokens, not {count:,}"

    def test_a_repeated_length_is_cached(self) -> None:
        """The cache has a limit."""
        assert lorem(50) is lorem(50)
        assert lorem.cache_info().maxsize == 16
