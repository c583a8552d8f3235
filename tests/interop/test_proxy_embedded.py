"""CSRF in Chromium: a page of another site embeds URLs that the proxy would fetch with its key.

An image, a script, a frame, a prefetch, a form: a browser sends each of them to any server without
a preflight, and a GET without Origin. None may reach the upstream.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from .peers import SAFETY, Address
from .test_proxy import proxy_of
from .visiting import MILLISECONDS, chromium, flags

KEY = "sk-of-the-proxy-0123456789"

# Ends when the browser has had its answer.
ATTACK = """async ([kind, url]) => {
    const add = (tag, fields) => new Promise((ended) => {
        const element = document.createElement(tag);
        element.onload = element.onerror = ended;
        Object.assign(element, fields);
        document.body.append(element);
    });
    const submit = (method) => {
        const ended = add("iframe", {name: "target"});
        const form = document.createElement("form");
        Object.assign(form, {method, action: url, target: "target"});
        document.body.append(form);
        return ended.then(() => new Promise((answered) => {
            document.querySelector("iframe").onload = answered;
            form.submit();
        }));
    };
    const attacks = {
        "image": () => add("img", {src: url}),
        "script": () => add("script", {src: url}),
        "module": () => add("script", {src: url, type: "module"}),
        "style sheet": () => add("link", {rel: "stylesheet", href: url}),
        "frame": () => add("iframe", {src: url}),
        "prefetch": () => add("link", {rel: "prefetch", href: url}),
        "preload": () => add("link", {rel: "preload", as: "script", href: url}),
        "object": () => add("object", {data: url}),
        "form GET": () => submit("GET"),
        "form POST": () => submit("POST"),
        "fetch": () => fetch(url).catch(String),
        "fetch no-cors": () => fetch(url, {mode: "no-cors"}).catch(String),
        "fetch no-cors POST": () => fetch(url, {mode: "no-cors", method: "POST"}).catch(String),
    };
    document.body.replaceChildren();
    await attacks[kind]();
}"""
KINDS = (
    *("image", "script", "module", "style sheet", "frame", "prefetch", "preload", "object"),
    *("form GET", "form POST", "fetch", "fetch no-cors", "fetch no-cors POST"),
)


class Upstream:
    """An API that records the requests and their keys."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                path = self.path.partition("?")[0]
                if path.startswith("/v1/"):
                    asked.append((self.command, path, self.headers["Authorization"]))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = answer

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"


@contextmanager
def upstream() -> Iterator[Upstream]:
    api = Upstream()
    thread = Thread(target=api.server.serve_forever)
    thread.start()
    try:
        yield api
    finally:
        api.server.shutdown()
        thread.join()
        api.server.server_close()


@dataclass(frozen=True)
class Site:
    """Attributes: api: behind the proxy; url: of the proxy; port: its own."""

    browser: Browser
    api: Upstream
    url: str

    @contextmanager
    def page(self, origin: str) -> Iterator[Page]:
        with self.browser.new_page() as page:
            page.set_default_timeout(SAFETY * MILLISECONDS)
            page.goto(f"{origin}/page")
            yield page


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    key: Path = tmp_path_factory.mktemp("key") / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    with upstream() as api:
        behind = Address(api.port)
        hosts = ("localhost:8000", "evil.example:8000")
        rules = ", ".join(f"MAP {host} 127.0.0.1:{api.port}" for host in hosts)
        with proxy_of(behind, "--key-file", str(key)) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=flags(rules))
            yield Site(browser, api, url)
            browser.close()


def attack(page: Page, kind: str, base: str) -> None:
    path = "/chat/completions" if "POST" in kind else "/models"
    page.evaluate(ATTACK, [kind, f"{base}{path}?{kind.replace(' ', '-')}"])


ATTACKERS = {
    "another site": "http://evil.example:8000",
    "this machine by its number": "http://127.0.0.1:{port}",
    "another port of localhost": "http://localhost:{port}",
}


@pytest.mark.parametrize("attacker", ATTACKERS.values(), ids=ATTACKERS)
def test_no_page_reaches_the_api_with_the_key(site: Site, attacker: str) -> None:
    """Each attack reaches a server without checks; through the proxy, none reaches it."""
    with site.page(attacker.format(port=site.api.port)) as page:
        for kind in KINDS:
            site.api.asked.clear()
            attack(page, kind, site.api.url + "/v1")
            assert [key for _, _, key in site.api.asked] == [None], kind  # it was sent
            site.api.asked.clear()
            attack(page, kind, site.url)
            assert site.api.asked == [], kind


def test_the_chat_page_reaches_it(site: Site) -> None:
    """The chat page may use fetch(), which CORS allows, but even the chat page may not embed the
    URLs."""
    site.api.asked.clear()
    with site.page("http://localhost:8000") as page:
        attack(page, "fetch", site.url)
        assert site.api.asked == [("GET", "/v1/models", f"Bearer {KEY}")]
        attack(page, "image", site.url)
        assert len(site.api.asked) == 1
