"""What a model may say to the chat page, and what the page says to everybody: no script runs, no
text is lost, no length of it stops the browser, and a screen reader finds its way."""

import re
from collections.abc import Iterator
from html.entities import html5

import pytest
from playwright.sync_api import expect

from servers.llm.model.texts import TORTURE

from .hostile_markdown import HOSTILE
from .peers import RunningServer, running
from .visiting import Visit


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


# ---- What a model may say


def test_hostile_text_in_chromium(visit: Visit, server: RunningServer) -> None:
    """All of it in one answer: no script runs, nothing is loaded, nothing leaves for elsewhere,
    and no element comes that is not on the list."""
    requested = visit.note_requests()
    visit.open(server.url, model="echo")
    visit.page.on("dialog", lambda dialog: visit.problems.append("a dialog"))
    message = visit.ask("\n\n".join(HOSTILE))
    expect(message).to_have_attribute("data-ending", "complete")
    tags = message.locator(".answer *").evaluate_all("all => all.map(e => e.localName)")
    allowed = "p h1 h2 ul ol li blockquote hr div pre code table tr th td span button a em strong"
    assert set(tags) <= set(f"{allowed} del br b i u".split())
    attributes = message.locator(".answer *").evaluate_all(
        "all => all.flatMap(e => e.getAttributeNames())"
    )
    names = "aria-level class dir href rel start tabindex target title type"
    assert set(attributes) <= set(names.split())
    links = message.locator(".answer a").evaluate_all("all => all.map(e => e.protocol)")
    assert set(links) <= {"http:", "https:", "mailto:"}
    expect(message.locator(".answer")).to_contain_text("<script>alert(1)</script>")
    assert {url[: len(server.url) + 1] for url in requested} == {f"{server.url}/"}
    assert visit.problems == []
    policy = visit.page.request.get(server.url, headers={"accept": "text/html"}).headers[
        "content-security-policy"
    ]
    assert "unsafe" not in policy


WHOLE = """async ([text]) => {
    const { markdownView } = await import("/page/markdown/render.js");
    const element = document.createElement("div");
    const view = markdownView(element);
    view.append(text);
    view.end();
    return element.innerHTML;
}"""


def test_the_torture_text(visit: Visit, server: RunningServer) -> None:
    """At its end, a streamed answer looks the same as one that arrived at once. Only the levels of
    its headings, which a screen reader says, are set afterwards."""
    visit.page.set_viewport_size({"width": 1180, "height": 720})  # without the wire pane
    visit.open(server.url, model="torture")
    message = visit.ask("Hi")
    expect(message).to_have_attribute("data-ending", "complete")
    shown = message.locator(".answer").inner_html()
    assert re.sub(r' aria-level="\d"', "", shown) == visit.evaluate(WHOLE, [TORTURE])


def test_the_names_of_characters(visit: Visit, server: RunningServer) -> None:
    """All names of HTML that end in ";", and what is none although HTML would read a part of it."""
    visit.open(server.url)
    names = {name: text for name, text in html5.items() if name.endswith(";")}
    names |= {"notit;": "&notit;", "nope;": "&nope;", "constructor;": "&constructor;"}
    script = """async ([names]) => {
        const { unescaped } = await import("/page/markdown/entities.js");
        return names.map((name) => unescaped("&" + name));
    }"""
    found = visit.evaluate(script, [list(names)])
    assert dict(zip(names, found, strict=True)) == names


# An opening, and what can follow it many times. None of them has a letter, because the first letter
# ends the search for a text's direction.
LONG = {
    "rows of a table": ("|1|2|\n|-|-|\n", "|1|2|\n"),
    "items": ("", "- 1\n"),
    "numbered items": ("", "1. 1\n"),
    "a quotation": ("", "> 1\n>\n"),
    "items in a quotation": ("", "> - 1\n"),
}
SHOW = """async ([text]) => {
    const { markdownView } = await import("/page/markdown/render.js");
    const element = document.createElement("div");
    element.className = "markdown";
    document.querySelector("#conversation").replaceChildren(element);
    const view = markdownView(element);
    view.append(text);
    view.end();
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
}"""


@pytest.mark.parametrize("kind", LONG)
def test_the_browsers_own_work_is_linear(kind: str, visit: Visit, server: RunningServer) -> None:
    """Four times as many blocks cost four times as much, not sixteen: at most six. The processor
    time of Chromium's main thread is compared, because other programs do not lengthen it."""
    opening, piece = LONG[kind]
    visit.open(server.url)
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def cost(count: int) -> float:
        def spent() -> float:
            metrics = devtools.send("Performance.getMetrics")["metrics"]
            return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

        before = spent()
        visit.evaluate(SHOW, [opening + piece * count])
        return spent() - before

    cost(100)  # scripts are compiled
    assert cost(12_000) < 6 * cost(3_000)
