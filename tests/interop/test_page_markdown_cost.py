"""What the chat page's Markdown costs, as work that is counted, not timed. Under Node: the work for
an endless answer is linear. In Chromium: a frame changes only the end of the answer.
"""

import re

from servers.llm.model.texts import TEXTS
from servers.llm.model.tokens import tokenize

from .peers import ROOT, RunningServer
from .test_page_markdown import URL, markdown
from .visiting import Visit

# An opening, and what can follow it for ever. None of them has a blank line.
ENDLESS = {
    "a paragraph": ("", "word "),
    "a word": ("", "w"),
    "lines": ("", "a line\n"),
    "Chinese": ("", "你好，世界。"),
    "open marks": ("", "**a "),
    "open brackets": ("", "["),
    "closed marks": ("", "**a** "),
    "marks that only open and only close": ("", "*a b* "),
    "marks of two kinds": ("", "*a _b "),
    "marks that do both": ("", "*a*"),
    "one mark": ("**", "word "),
    "marks in marks": ("", "*a **b c** d* "),
    "links": ("", f"[a]({URL}) "),
    "marks that end in a link": ("**a ", f"[b** c]({URL}) "),
    "links that do not end": ("", f"[a]({URL} "),
    "parentheses": ("", "[a]((((("),
    "backticks": ("", "`a ``b ```c "),
    "spaces": ("a", " "),
    "escapes": ("", "\\"),
    "an address": ("https://e.org/", "w"),
    "a long row": ("|a|b|\n|-|-|\n|", "word "),
    "a list": ("", "- an item\n"),
    "a quotation": ("", "> a line\n"),
    "a table": ("| a | b |\n|---|---|\n", "| 1 | 2 |\n"),
    "nested blocks": ("", "> - a\n"),
    "code": ("```\n", "a line\n"),
    "a line of code": ("```\n", "word "),
    "a heading": ("# ", "word "),
    "headings": ("", "a\n=\n"),
    "code by indentation": ("", "    a\n\n"),
    "definitions": ("", f"[a]: {URL}\n"),
    "definitions that do not end": ("", f'[a]: {URL} "\n'),
    "references": (f"[a]: {URL}\n\n", "[a][a] "),
    "references to what comes later": ("", f"[a]\n\n[a]: {URL}\n\n"),
    "labels": ("", "[a][b "),
    "formulas": ("", "$a$ \\(b\\) "),
    "formulas that do not end": ("", "$$a \\(b "),
    "bare addresses": ("", "a@b.org www.a.org "),
    "words that may be addresses": ("", "a_b.c-d+"),
}


def test_cost_is_linear() -> None:
    """An answer of twice the length takes at most 2.2 times the work, so no open block is read
    again from its start."""
    texts = [
        opening + piece * (length // len(piece))
        for opening, piece in ENDLESS.values()
        for length in (6_000, 12_000)
    ]
    work = markdown("work", texts)
    ratios = zip(ENDLESS, work[::2], work[1::2], strict=True)
    assert {name: long / short for name, short, long in ratios if long / short > 2.2} == {}


PATIENCE = [
    "[" + "[x](y)" * 400,  # each inner link in two ways: 2^400
    ("# a" + " " * 1900 + "x\n") * 60,  # the closing sequence of a heading, in cubic time
]


def test_no_text_is_tried_in_many_ways() -> None:
    """A pattern with catastrophic backtracking would need longer than `SAFETY`."""
    assert len(markdown("render", PATIENCE)) == 2


# Shows an answer, with 20 tokens in each frame, and does not wait for the screen. Returns how many
# nodes each frame has changed; how many changes were in finished boxes of blocks; how many such
# boxes there are; and how many of them the browser lays out at the end.
FRAMES = """async ([tokens, rounds]) => {
    const { showAnswer } = await import("/page/conversation/message.js");
    const frames = [];
    const inTime = requestAnimationFrame;
    globalThis.requestAnimationFrame = (callback) => frames.push(callback);
    const view = showAnswer(document.querySelector("#conversation"));
    const answer = view.element.querySelector(".answer");
    const observer = new MutationObserver(() => {});
    observer.observe(answer, { childList: true, characterData: true, subtree: true });
    const touched = [];
    let late = 0;
    const show = () => {
        for (const callback of frames.splice(0)) callback(performance.now());
        const changed = observer.takeRecords();
        const finished = [...answer.children].slice(0, -2);
        late += changed.filter(({ target }) => finished.some((box) => box.contains(target))).length;
        touched.push(changed.reduce((sum, { addedNodes, removedNodes }) =>
            sum + 1 + addedNodes.length + removedNodes.length, 0));
    };
    for (let at = 0; at < rounds * tokens.length; at += 1) {
        const text = tokens[at % tokens.length];
        view.receive({ text, thinking: "", refusal: "", calls: [] });
        if (at % 20 === 19) show();
    }
    globalThis.requestAnimationFrame = inTime;
    scrollTo(0, document.documentElement.scrollHeight);
    await new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
    const boxes = [...answer.children].slice(0, -2);
    const isLaidOut = (box) => box.firstChild.checkVisibility({ contentVisibilityAuto: true });
    return [touched, late, boxes.length, boxes.filter(isLaidOut).length];
}"""


def test_a_frame_changes_only_the_end(visit: Visit, chat_server: RunningServer) -> None:
    visit.open(chat_server.url)
    tokens = tokenize("\n".join(TEXTS) + "\n\n")
    touched, late, boxes, laid_out = visit.evaluate(FRAMES, [tokens, 12])
    assert max(touched) < 100
    assert late == 0  # a finished block is never changed again
    assert boxes >= 4
    assert laid_out <= 1  # those above the window cost the browser nothing


def test_no_style_looks_for_what_an_answer_contains() -> None:
    """With :has() on an element around a running answer, the browser checks the rule again for each
    new element. That took half of the time for computing styles."""
    found = set()
    for path in (ROOT / "servers" / "page").rglob("*.css"):
        styles = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found |= set(re.findall(r"([^\s,:]*):has\(", styles))
    assert found == {".option"}  # of a menu
