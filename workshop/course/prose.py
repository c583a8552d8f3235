"""Prose as HTML: Markdown pages, docstrings and comments, with their links.

    # Lesson 3: a chunk …       an `h1`, and an entry in the page's table of contents
    [it](../a.py#receive)       a link; alone in its paragraph, an excerpt of that code
    <!-- figure: chunk -->      a figure (figures/), in a paragraph of its own
    RFC 9112 §7.1               a link to the RFC's section
        6\\r\\n                   an indented sample is code
    ␍␊                          a marked \\r\\n, because many systems have no picture for ␍

The rules this file keeps:

1. No text in a file becomes markup: HTML in Markdown is text, and an address that is not http(s) is
   not a link. An image becomes a link to the image, because a page loads nothing from other sites.
2. Comments and docstrings are not full Markdown: `*`, `_` and `\\` have no special meaning in them.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from .colours import highlight, language_of
from .in_step import MARK, sections
from .links import WORD, Links, LinkTarget, Standard
from .terms import Terms
from .tree import slug
from .weave import LineRange, split_lines
from .words import Words

__all__ = ["Heading", "Prose", "anchor_for", "code_lines"]

# The sections of a docstring in Google's style, as this project writes them.
FIELDS = re.compile(
    r"^(Args|Attributes|Returns|Raises|Yields):\n((?:[ ]{4}.*(?:\n|\Z)|[ ]*\n)+)", re.MULTILINE
)
FIELD = re.compile(
    r"^ {4}(?! )(?:([\w.`*, ]+): )?(.*(?:\n(?: {5,}.*|[ ]*(?=\n {5})))*)", re.MULTILINE
)


# The frame has a switch of its own, which stays at the same place of the page.
SWITCH = re.compile(r"^(?:\[English\]\(\S+\) \| 简体中文|English \| \[简体中文\]\(\S+\))\n", re.M)
FIGURE = re.compile(r"<!-- figure: ([\w-]+) -->")
CONTROL = re.compile("␍?␊|␍|␠|␛")
CONTROLS = {"␍␊": r"\r\n", "␊": r"\n", "␍": r"\r", "␠": "␣", "␛": "ESC"}


class Heading(msgspec.Struct, frozen=True):
    """An entry of a page's table of contents."""

    anchor: str
    text: str
    is_code: bool = False


class RenderState(msgspec.Struct):
    """The state of the renderer for one passage.

    Attributes:
        anchors: The anchor that a translation gives to each heading of the page, or None.
        hinted: The terms that have a hint already. None means that this passage has no hints.
    """

    page: str
    standard: Standard
    headings: list[Heading] = []
    anchors: list[str | None] = []
    open_links: list[str] = []  # end tags of the open links
    hinted: set[str] | None = None


def no_figure(name: str) -> str:
    """Return nothing in place of a figure."""
    return ""


class Prose:
    """Renders the prose of a tree's pages.

    Args:
        links: The links of the tree.
        figure: Returns the HTML of the figure with this name.
    """

    def __init__(self, links: Links, figure: Callable[[str], str] = no_figure) -> None:
        self.links = links
        self._figure = figure
        self._terms = Terms(links.tree, links.language)
        self._pages = self._parser()
        self._comments = self._parser().disable(["emphasis", "escape", "entity", "lheading"])

    def page(self, name: str) -> tuple[str, list[Heading]]:
        """Return a Markdown file as HTML, and its headings except the first."""
        text = self.links.tree.document(name, self.links.language)
        anchors = [section.mark["anchor"] if section.mark else None for section in sections(text)]
        state = RenderState(name, Standard(), anchors=anchors)
        text = SWITCH.sub("", MARK.sub("", text))
        tokens = self._pages.parse(text, {"state": state})
        tokens = list(self._with_code(tokens, state))
        return self._render(self._pages, tokens, state), state.headings

    def comment(self, page: str, text: str, context: str = "") -> str:
        """Return a docstring or comment as HTML.

        Args:
            page: The file that contains the docstring or comment.
            text: The text, as in `Block.text`.
            context: The module's docstring, which names the standard to which "§7.1" refers.
        """
        state = RenderState(page, Standard(context), hinted=set())
        html, end = "", 0
        for fields in FIELDS.finditer(text):
            html += self._markdown(text[end : fields.start()], state)
            html += self._fields(fields[1], fields[2], state)
            end = fields.end()
        return html + self._markdown(text[end:], state)

    def inline(self, page: str, text: str) -> str:
        """Return one line of prose as HTML, without a `p` element."""
        return self._inline(text, RenderState(page, Standard()))

    def excerpt(self, page: str, target: LinkTarget, caption: str) -> str | None:
        """Return the code at a link's target, with its file and lines, or None if there is no such
        target.

        Args:
            page: The page that shows the code.
            target: The region, class, function or line to show.
            caption: The caption, as HTML.
        """
        tree = self.links.tree
        span = tree.span(target.page, target.fragment)
        if span is None:
            return None
        lines = highlight(tree.text(target.page), language_of(target.page))
        marks = tree.woven(target.page).marks
        numbers = [number for number in range(span.first, span.last + 1) if number not in marks]
        code = split_lines(tree.text(target.page))
        # The common margin is removed, even if it is inside a `span` of a multi-line string.
        margin = min(
            (len(line) - len(line.lstrip(" ")) for n in numbers if (line := code[n - 1]).strip()),
            default=0,
        )
        indented = re.compile(rf"^((?:<[^>]*>)*) {{{margin}}}")
        shown = [(number, indented.sub(r"\1", lines[number - 1])) for number in numbers]
        href = escape(self.links.href(page, target))
        name = f"<code>{escape(target.page)}</code>"
        about = "" if caption == name else f"{caption} "
        return (
            f'<figure class="excerpt"><figcaption>{about}<a href="{href}">'
            f"{name}{self._lines(span)}</a></figcaption>\n"
            f"{code_lines(shown)}</figure>\n"
        )

    def _lines(self, span: LineRange) -> str:
        say = Words(self.links.language)
        if span.first == span.last:
            return say("excerpt.line", number=span.first)
        return say("excerpt.lines", first=span.first, last=span.last)

    # ---- Markdown

    def _parser(self) -> MarkdownIt:
        parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
        rules = {
            "text": self._text,
            "code_inline": self._code_inline,
            "code_block": self._sample,
            "fence": self._fence,
            "heading_open": self._heading,
            "link_open": self._link_open,
            "link_close": self._link_close,
            "table_open": lambda token, state: '<div class="table"><table>\n',
            "table_close": lambda token, state: "</table></div>\n",
            "th_open": self._cell,
            "td_open": self._cell,
            "excerpt": lambda token, state: token.content,
        }
        for name, rule in rules.items():
            parser.add_render_rule(name, _method(rule))
        return parser

    def _render(self, parser: MarkdownIt, tokens: Sequence[Token], state: RenderState) -> str:
        html: str = parser.renderer.render(tokens, parser.options, {"state": state})
        return html

    def _markdown(self, text: str, state: RenderState) -> str:
        tokens = self._comments.parse(_indent_samples(text), {"state": state})
        return self._render(self._comments, tokens, state)

    def _inline(self, text: str, state: RenderState) -> str:
        return self._render(self._comments, self._comments.parseInline(text, {}), state)

    def _fields(self, title: str, text: str, state: RenderState) -> str:
        """Return a section such as `Args:` as a list of names, each with its description."""
        html = items = ""
        for name, what in FIELD.findall(text):
            about = self._inline(" ".join(what.split()), state)
            if name:
                names = ", ".join(f"<code>{escape(each)}</code>" for each in name.split(", "))
                items += f"<dt>{names}</dt><dd>{about}</dd>\n"
            else:
                html += f'<p class="field">{about}</p>\n'
        html += f"<dl>\n{items}</dl>\n" if items else ""
        return f'<p class="label">{title}</p>\n{html}'

    def _with_code(self, tokens: Sequence[Token], state: RenderState) -> Iterator[Token]:
        """Replace each paragraph that consists of one link to code by that code, and each that
        names a figure by that figure."""
        skip = 0
        for index, token in enumerate(tokens):
            if skip:
                skip -= 1
            elif token.type == "paragraph_open" and (
                html := self._code_instead(tokens[index + 1].children or [], state)
            ):
                yield Token("excerpt", "", 0, content=html)
                skip = 2  # the paragraph's inline token, and its end
            else:
                yield token

    def _code_instead(self, paragraph: Sequence[Token], state: RenderState) -> str | None:
        if len(paragraph) == 1 and (figure := FIGURE.fullmatch(paragraph[0].content)):
            return self._figure(figure[1]) or None
        links = [token for token in paragraph if token.type in ("link_open", "link_close")]
        if len(links) != 2 or links != [paragraph[0], paragraph[-1]]:
            return None
        target = self.links.resolve(state.page, str(paragraph[0].attrs["href"]))
        if target is None or not target.fragment or target.page.endswith(".md"):
            return None
        words = Token("inline", "", 0, children=list(paragraph[1:-1]))
        state.open_links.append("")  # the caption is inside a link: no links within
        caption = self._render(self._pages, [words], state)
        state.open_links.pop()
        return self.excerpt(state.page, target, caption)

    # ---- One rule for each kind of token that is not rendered in the default way

    def _words(self, text: str, state: RenderState) -> str:
        """Return a text as HTML, with links for words such as `RFC 9112` or a file's name."""
        html, end = "", 0
        for match in WORD.finditer(text):
            url = self.links.word(state.page, match, state.standard)
            if url and not state.open_links:
                html += self._plain(text[end : match.start()], state)
                html += f'<a href="{escape(url)}">{escape(match[0])}</a>'
                end = match.end()
        return show_controls(html + self._plain(text[end:], state))

    def _plain(self, text: str, state: RenderState) -> str:
        if state.hinted is None or state.open_links:
            return escape(text)
        return self._terms.html(text, state.hinted)

    def _text(self, token: Token, state: RenderState) -> str:
        return self._words(token.content, state)

    def _code_inline(self, token: Token, state: RenderState) -> str:
        html = f"<code>{show_controls(escape(token.content))}</code>"
        match = WORD.fullmatch(token.content)
        if match is None or state.open_links or not (match["file"] or match["test"]):
            return html
        url = self.links.word(state.page, match, state.standard)
        return f'<a href="{escape(url)}">{html}</a>' if url else html

    def _sample(self, token: Token, state: RenderState) -> str:
        return f"<pre><code>{self._words(token.content, state)}</code></pre>\n"

    def _fence(self, token: Token, state: RenderState) -> str:
        language = token.info.strip() or "text"
        html = show_controls("\n".join(highlight(token.content, language)))
        kind = ' class="console"' if language == "console" else ""
        return f"<pre{kind}><code>{html}\n</code></pre>\n"

    def _heading(self, token: Token, state: RenderState) -> str:
        if token.tag == "h1":
            return "<h1>"
        taken = {heading.anchor for heading in state.headings}
        text = re.sub(r"[`*]|\]\([^)]*\)|\[", "", token.meta["text"])
        own = anchor_for(text, taken)
        # A translated heading has the anchor of the original, so that links hold in both languages.
        number = len(state.headings) + 1
        given = state.anchors[number] if number < len(state.anchors) else None
        anchor = given if given and given not in taken else own
        state.headings.append(Heading(anchor, text))
        also = f'<span id="{escape(own)}"></span>' if own != anchor else ""
        return f'<{token.tag} id="{escape(anchor)}">{also}'

    def _link_open(self, token: Token, state: RenderState) -> str:
        href = str(token.attrs["href"])
        if not re.match(r"https?://", href):
            target = None if re.match(r"[\w.+-]*:", href) else self.links.resolve(state.page, href)
            href = self.links.href(state.page, target) if target else ""
        state.open_links.append("</a>" if href else "</span>")
        return f'<a href="{escape(href)}">' if href else "<span>"

    def _link_close(self, token: Token, state: RenderState) -> str:
        return state.open_links.pop()

    def _cell(self, token: Token, state: RenderState) -> str:
        # By default a style attribute would be written, but the Content-Security-Policy forbids it.
        right = "text-align:right" in str(token.attrs.get("style", ""))
        return f'<{token.tag} class="right">' if right else f"<{token.tag}>"


def _method(rule: Any) -> Any:
    """Adapt a rule to the renderer, which passes itself and more arguments than a rule needs."""

    def render(
        renderer: Any, tokens: Sequence[Token], index: int, options: OptionsDict, env: Any
    ) -> str:
        token = tokens[index]
        if token.type == "heading_open":
            token.meta["text"] = tokens[index + 1].content
        html: str = rule(token, env["state"])
        return html

    return render


def _indent_samples(text: str) -> str:
    """Indent samples far enough for Markdown: in comments they are indented by 2 or 3 spaces."""
    return re.sub(
        r"(?:(?<=\n\n)|\A)(?: {2,3}\S.*(?:\n|\Z)(?: +.*(?:\n|\Z))*)",
        lambda sample: re.sub(r"(?m)^", "    ", sample[0].rstrip("\n")) + "\n",
        text,
    )


def show_controls(html: str) -> str:
    """Mark the pictures of control characters, and write them as in a string of Python."""
    return CONTROL.sub(lambda match: f'<span class="ctl">{CONTROLS[match[0]]}</span>', html)


def anchor_for(text: str, taken: Collection[str]) -> str:
    """Return the anchor of a heading, with a number if an earlier heading of its page has it."""
    anchor = name = slug(text)
    while anchor in taken:
        anchor = f"{name}-{sum(each.startswith(name) for each in taken)}"
    return anchor


def code_lines(lines: Sequence[tuple[int, str]], anchors: Mapping[int, str] | None = None) -> str:
    """Return highlighted lines as a box of code, each line with its number.

    Args:
        lines: Pairs of a line's number and its HTML.
        anchors: The HTML of more anchors in addition to `L12`, by line number. None means no
            anchors.
    """
    html = ""
    for number, line in lines:
        # The number is drawn by the style sheet, so that it is not copied with the code.
        name = f'class="n" data-n="{number}" aria-hidden="true"'
        if anchors is None:
            html += f"<span {name}></span>{line}\n"
        else:
            anchor = f'<a id="L{number}" href="#L{number}" tabindex="-1" {name}></a>'
            html += f"{anchor}{anchors.get(number, '')}{line}\n"
    return f'<pre class="lines"><code>{html}</code></pre>'
