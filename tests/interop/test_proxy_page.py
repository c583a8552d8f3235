"""Pages in Chromium and the proxy: the chat page may use it, other sites cannot spend the key.

Chromium takes this machine for `http://localhost:8000` and for another site's host, on whatever
port the test's servers listen: so origins, preflights and refusals are the real ones. (A request
that the test itself answered would not show them: for those Playwright grants every preflight.)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from .peers import SAFETY, RunningServer, running
from .test_proxy import proxy_of
from .visiting import MILLISECONDS, chromium, flags

PAGE = "http://localhost:8000"  # the chat page's usual place
OTHER = "http://evil.example:8000"

# What the page gets of an answer, or the name of the error that stops it.
ASK = """async ([url, options]) => {
    const body = JSON.stringify({model: "echo", stream: true,
                                 messages: [{role: "user", content: "你好 🌊"}]});
    try {
        const reply = await fetch(url + "/chat/completions", {method: "POST", body, ...options});
        if (!reply.body) return `${reply.status} ${reply.type}`;
        let text = "";
        const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let read; !(read = await reader.read()).done;) text += read.value;
        return `${reply.status} ${text}`;
    } catch (error) { return error.name; }
}"""
COUNT = re.compile(
    r"^workshop_requests_total\{.*POST /v1/chat/completions.*\} (\S+)$", re.MULTILINE
)
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Site:
    """The servers, and the browser that knows them by their usual names.

    Attributes:
        api: the simulated LLM, which counts what reaches it.
        url: the proxy's URL.
    """

    browser: Browser
    api: RunningServer
    url: str

    def open(self, origin: str) -> Page:
        page = self.browser.new_page()
        page.set_default_timeout(SAFETY * MILLISECONDS)
        page.goto(f"{origin}/health")
        return page


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running("servers.chat", "--profile", "instant") as api, proxy_of(api) as url:
        hosts = (f"MAP {name}:8000 127.0.0.1:{api.port}" for name in ("localhost", "evil.example"))
        rules = f"{', '.join(hosts)} , MAP rebound.example 127.0.0.1"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=flags(rules))
            yield Site(browser, api, url)
            browser.close()


def asked(site: Site) -> int:
    """Number of questions that have reached the upstream."""
    with urlopen(f"{site.api.url}/metrics") as reply:
        counts: list[str] = COUNT.findall(reply.read().decode())
    return sum(round(float(count)) for count in counts)


def test_the_chat_page_reads_a_stream(site: Site) -> None:
    """The chat page's request is JSON, so the browser sends a preflight. The answer is complete."""
    page = site.open(PAGE)
    before = asked(site)
    said: str = page.evaluate(ASK, [site.url, {"headers": JSON}])
    assert said.startswith("200 data: {")
    assert "🌊" in said
    assert said.endswith("data: [DONE]\n\n")
    assert asked(site) == before + 1


@pytest.mark.parametrize(
    "options",
    [
        {"headers": JSON},  # a preflight, which is not granted
        {},  # text/plain: a browser sends that of any page, without asking
        {"mode": "no-cors"},
        {"headers": {"Authorization": "Bearer any"}},
    ],
)
def test_a_page_of_another_site_cannot_spend_the_key(
    site: Site, options: dict[str, object]
) -> None:
    """The other site learns nothing, and its question does not reach the upstream."""
    page = site.open(OTHER)
    before = asked(site)
    said: str = page.evaluate(ASK, [site.url, options])
    assert said == ("TypeError" if "mode" not in options else "0 opaque")
    assert asked(site) == before


def test_a_rebound_name_cannot_spend_the_key(site: Site) -> None:
    """With DNS rebinding, the browser treats the page as same-origin, so only Host shows the
    attack."""
    port = site.url.split(":")[2].split("/")[0]
    page = site.open(f"http://rebound.example:{port}")
    before = asked(site)
    said: str = page.evaluate(ASK, ["/v1", {"headers": JSON}])
    assert said.startswith("403 ")
    assert "host_not_allowed" in said
    assert asked(site) == before
