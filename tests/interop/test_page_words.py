"""The words of the chat page in two languages: both tables say the same, and no English is left on
the Chinese page."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from servers.llm.faults import FAULTS
from servers.llm.pace import PROFILES
from servers.llm.teaching import GROUPS, lesson_of

from .peers import SAFETY, RunningServer, running
from .visiting import MILLISECONDS, NARROW, Visit, shows


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


@pytest.fixture(scope="module")
def words(browser: Browser, server: RunningServer) -> Iterator[Visit]:
    """A window for tests that only read the page's modules of words."""
    with browser.new_context(locale="en-US", viewport=NARROW) as context:
        visit = Visit(context.new_page())
        visit.page.goto(server.url)
        yield visit


@pytest.fixture
def viewport() -> ViewportSize:
    return NARROW


WIDE = ViewportSize(width=1440, height=900)

# Both tables as one list of [name, English, Chinese], and the words of index.html.
TABLES = """async () => {
    const read = (language) => import(`/page/words/${language}.js`);
    const [english, chinese] = [await read("english"), await read("chinese")];
    const flat = (value, name = "") => typeof value === "object"
        ? Object.entries(value).flatMap(([key, each]) => flat(each, `${name}.${key}`))
        : [[name, value]];
    const others = new Map(flat(chinese.words));
    const pairs = flat(english.words).map(([name, text]) => [name, text, others.get(name)]);
    const html = await (await fetch("/", { headers: { Accept: "text/html" } })).text();
    const written = new DOMParser().parseFromString(html, "text/html");
    for (const [name, text] of flat(chinese.page)) {
        const [key] = name.slice(1).split(".");
        const element = written.querySelector(`[data-word="${key}"], [data-label="${key}"]`);
        pairs.push([name, element?.textContent || element?.ariaLabel || "", text]);
    }
    return pairs;
}"""

# What a reader of Chinese sees and hears: texts, names and placeholders. Words of a model, of the
# wire and of code are not the page's.
SEEN = """() => {
    const skipped = "code, pre, noscript, option, .answer, .thought, .question, .option b,"
        + "#wire ol";
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const seen = [];
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (data.trim() && !parentElement.closest(skipped)) seen.push(data);
    }
    for (const element of document.body.querySelectorAll("[aria-label], [placeholder], [title]")) {
        for (const name of ["aria-label", "placeholder", "title"]) {
            if (element.hasAttribute(name)) seen.push(element.getAttribute(name));
        }
    }
    return seen;
}"""

# Names that are the same in every language.
NAMES = re.findall(
    r"\w+",
    """
    token JSON HTTP SSE API LLM OpenAI RFC WHATWG curl Node SDK Markdown Enter Shift Esc Alt
    Streaming workshop event DONE ms finish reason length content filter tool calls script weather
    get CR LF CRLF BOM UTF RST FIN TCP HTML FF MiB json Retry After response completed Lines HAR
    done rst Hello openai python
    """,
)


def english_in(text: str) -> list[str]:
    """Words that are not names; bytes of the wire, paths and ids are not words."""
    text = re.sub(r"\{.*?\}|/[a-z0-9/]+|req_\w+|chunk-size|故障 \w+", "", text)
    return [word for word in re.findall(r"[A-Za-z]{2,}", text) if word not in NAMES]


def test_the_tables_are_translated(words: Visit) -> None:
    """Each text has Chinese characters, no English words, and the same places for values."""
    pairs: list[list[Any]] = words.evaluate(TABLES)
    assert len(pairs) > 150
    for name, english, chinese in pairs:
        if isinstance(english, str) and re.search("[A-Za-z]{2}", english) and english not in NAMES:
            assert re.search("[\u4e00-\u9fff]", chinese), (name, chinese)
            assert english_in(chinese.replace("{}", "")) == [], (name, chinese)
            assert english.count("{}") == chinese.count("{}"), name


KEYS = """async () => {
    const keys = (value) => typeof value === "object"
        ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, keys(each)])) : 0;
    const english = await import("/page/words/english.js");
    const chinese = await import("/page/words/chinese.js");
    return [keys(english.words), keys(chinese.words)];
}"""


def test_both_languages_say_the_same(words: Visit) -> None:
    """Every word has its translation, also inside the lists of models, paces and groups."""
    english, chinese = words.evaluate(KEYS)
    assert english == chinese
    assert len(english) > 40
    assert english["paces"].keys() == {"", *PROFILES}
    assert english["groups"].keys() == GROUPS.keys()


CHINESE = "async () => (await import('/page/words/chinese-faults.js')).sentences"


def test_every_fault_in_chinese(words: Visit) -> None:
    """What it does, and its lesson. Faults that share a lesson in English share it in Chinese."""
    sentences = words.evaluate(CHINESE)
    assert sentences.keys() == FAULTS.keys()
    pairs = {(lesson_of(name), lesson) for name, (_, lesson) in sentences.items()}
    english, chinese = zip(*pairs, strict=True)
    assert len(set(english)) == len(set(chinese)) == len(pairs)


def test_a_language_is_chosen(visit: Visit, server: RunningServer) -> None:
    """It is kept, and the course is told of it. The words change when the settings are closed."""
    visit.open(server.url)
    page = visit.page
    kept = "() => localStorage['workshop.language'] ?? null"
    for language, word in (("zh-CN", "发送"), ("en", "Send"), ("", "Send")):
        page.locator("[popovertarget=settings]").click()
        page.locator("[name=language]").select_option(language)
        page.locator("#settings .close").click()
        shows(page.locator("#send"), word)
        visit.reload()
        shows(page.locator("#send"), word)
        expect(page.locator("[name=language]")).to_have_value(language)
        assert visit.evaluate(kept) == (language or None)


def test_no_english_is_on_the_page(browser: Browser, server: RunningServer) -> None:
    """In the first screen, the menus, the history, tool calls, endings, a fault's card."""
    with browser.new_context(locale="zh-CN", viewport=WIDE) as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        context.add_init_script("localStorage['workshop.chat.bad'] ??= '{'")
        visit = Visit(context.new_page())
        page = visit.page
        visit.open(server.url, model="script:weather")
        found = {"first": visit.evaluate(SEEN)}
        message = visit.ask("天气？")
        expect(message.locator(".tool form")).to_be_visible()
        page.locator(".edit").click()
        page.locator("[popovertarget=history]").click()
        expect(page.locator("#history li")).to_have_count(1)
        found["call"] = visit.evaluate(SEEN)
        page.locator("#history li button").last.click()
        expect(page.locator(".undo")).to_be_visible()
        for name in ("models", "paces"):
            page.locator(f"[popovertarget={name}]").click()
            expect(page.locator(f"#{name} .option").first).to_be_visible()
        found["menus"] = visit.evaluate(SEEN)
        page.keyboard.press("Escape")
        page.goto(f"{server.url}/?chat=nobody")
        expect(page.locator("#notice")).to_be_visible()
        page.locator("[popovertarget=faults]").click()
        expect(page.locator("#faults .option").first).to_be_attached()
        page.locator("#faults [value=rst]").evaluate("radio => radio.click()")
        page.keyboard.press("Escape")
        message = visit.ask("你好")
        expect(message).to_have_attribute("data-ending", "cut")
        expect(message.locator(".card")).to_be_visible()
        expect(page.locator("#wire .note")).to_contain_text("服务器：已重置（RST）")
        found["fault"] = visit.evaluate(SEEN)
        left = {name: [text for text in texts if english_in(text)] for name, texts in found.items()}
        assert left == {name: [] for name in found}
