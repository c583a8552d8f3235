"""The wire pane in Chromium: each write of the server, while the answer runs and later."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from protocol.recording import read_recording
from servers import chat
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace
from workshop.xray.meter.exchange import exchanges
from workshop.xray.route import xray_routes

from .held import Held, hold
from .peers import RunningServer
from .visiting import Visit

# The test page loads the pane and calls it as the chat page does.
DRIVE = """([path, init]) => {
    const run = async () => {
        const { wirePane } = await import("/page/wire/wire.js");
        document.querySelector("#pane")?.remove();
        const element = document.createElement("section");
        element.id = "pane";
        element.style.height = "1200px";
        document.querySelector("main").append(element);
        const pane = wirePane(element);
        globalThis.pane = pane;
        pane.start();
        const askedAt = performance.now();
        const response = await fetch(path, init);
        pane.opened(response, askedAt, init);
        try {
            for await (const bytes of response.body) pane.received(bytes, performance.now());
            pane.closed();
            pane.ended("complete", "complete");
        } catch {
            pane.ended("cut", "cut");
        }
    };
    globalThis.driven = run();
}"""
QUESTION = """\
{"model":"sim-1","stream":true,"max_tokens":12,"messages":[{"role":"user","content":"你好"}]}
"""


def drive(page: Page, url: str, path: str, **init: Any) -> Locator:
    """Ask, with the pane open. Returns its locator."""
    page.goto(url)
    init.setdefault("headers", {})["X-Wire"] = "1"
    page.evaluate(DRIVE, [path, init])
    return page.locator("#pane")


def ask(page: Page, url: str, **headers: str) -> Locator:
    """The same for a chat completion."""
    path = "/v1/chat/completions"
    return drive(page, url, path, method="POST", body=QUESTION, headers=dict(headers))


def depth(pane: Locator, name: str) -> None:
    pane.get_by_role("button", name=name, exact=True).click()


def test_each_write_is_shown_while_the_answer_runs(visit: Visit, held: Held) -> None:
    """Each write is shown before the next one exists, with its chunk, its text and its read. The
    request is the first row."""
    pane = drive(visit.page, held.url, "/")
    depth(pane, "Bytes")
    rows = pane.locator(".rows li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("GET / HTTP/1.1\\r\\nHost: localhost")
    expect(rows.last.locator(".head")).to_contain_text("HTTP/1.1 200 OK\\r\\n")
    for count, word in enumerate(tokenize(chat.GREETING)[:4], 1):
        held.release()
        expect(rows).to_have_count(count + 2)
        shown = word.replace("\n", "\\n")
        row = rows.nth(count + 1)
        expect(row.locator(".text")).to_have_js_property("textContent", shown)
        size = row.locator("[data-open]")
        expect(size).to_have_attribute("data-open", f"⟦chunk {count} ")
        expect(size).to_have_js_property("textContent", f"{len(word.encode()):x}")
        expect(row).to_contain_text(f"read {count} at ")
    expect(pane).not_to_contain_text("server: done")

    held.release(1000)
    expect(pane).to_contain_text("server: done")
    expect(pane).to_contain_text("page: complete")
    text = len(chat.GREETING.encode())
    expect(pane.locator(".cost")).to_contain_text(f"{text} bytes of text cost ")
    assert visit.problems == []


def test_time_stops_while_the_answer_goes_on(visit: Visit, held: Held) -> None:
    """Pause, or scroll up: the rows stand still, and new ones are counted. Steps lead through
    those that are known; the button leads back to the present."""
    pane = drive(visit.page, held.url, "/")
    rows = pane.locator(".rows li")
    fresh = pane.locator(".fresh")
    held.release(3)
    expect(rows).to_have_count(5)
    pane.get_by_role("button", name="Pause").click()
    held.release(2)
    expect(fresh).to_have_text("2 new ↓")
    expect(rows).to_have_count(5)
    pane.get_by_role("button", name="Next read").click()
    expect(rows).to_have_count(6)
    expect(fresh).to_have_text("1 new ↓")
    pane.get_by_role("button", name="Previous read").click()
    pane.get_by_role("button", name="Previous read").click()
    expect(rows).to_have_count(4)
    fresh.click()
    expect(rows).to_have_count(7)
    expect(fresh).to_be_hidden()
    depth(pane, "Hex")
    held.release(60)
    expect(rows.last.locator("strong")).to_have_text("#66")
    pane.locator(".rows").hover()
    visit.page.mouse.wheel(0, -100_000)
    expect(pane.get_by_role("button", name="Play")).to_be_visible()  # it stands still
    expect(rows.first.locator("strong")).to_have_text("#0")
    held.release(2)
    expect(fresh).to_have_text("2 new ↓")
    expect(rows.first.locator("strong")).to_have_text("#0")
    visit.page.mouse.wheel(0, 100_000)
    expect(fresh).to_be_hidden()
    expect(rows.last.locator("strong")).to_have_text("#68")
    held.release(1000)
    expect(pane).to_contain_text("server: done")


class Tap:
    """Relays bytes between a browser and a server, and records what the server sends.

    Attributes:
        streams: what came from the server, by connection.
    """

    def __init__(self, port: int) -> None:
        self.streams: list[bytearray] = []
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets = [self._listener]
        Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [client, server]
                self.streams.append(bytearray())
                Thread(target=pump, args=(client, server, bytearray()), daemon=True).start()
                Thread(target=pump, args=(server, client, self.streams[-1]), daemon=True).start()
        except OSError:
            pass  # closed

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    try:
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def tapped(server: RunningServer) -> Iterator[Tap]:
    tap = Tap(server.port)
    try:
        yield tap
    finally:
        tap.close()


def export(page: Page, pane: Locator, kind: str) -> bytes:
    """Click, and read what was saved."""
    with page.expect_download() as started:
        depth(pane, f"Export {kind}")
    assert started.value.suggested_filename.startswith("req_")
    return Path(started.value.path()).read_bytes()


def test_the_exports_are_what_was_on_the_wire(visit: Visit, chat_server: RunningServer) -> None:
    """The same bytes as on the socket between them, as a recording that x-ray reads; the page's
    reads are beside them. HAR has the request and the decoded body."""
    with tapped(chat_server) as tap:
        pane = ask(visit.page, tap.url)
        expect(pane).to_contain_text("server: done")
        expect(pane).to_contain_text("page: complete")
        lines = export(visit.page, pane, "JSON lines").splitlines()
        reads = list(read_recording(lines))
        raw = b"".join(read.bytes for read in reads if read.sender == "server")
        assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
        assert raw.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert any(raw in stream for stream in tap.streams)
        assert (reads[-1].end, reads[0].url) == ("", f"{tap.url}/v1/chat/completions")
        (exchange,) = exchanges(reads)  # x-ray finds one request with its response
        assert exchange.request.endswith(QUESTION.encode())
        told = [json.loads(line) for line in lines]
        assert told[0]["text"].endswith(QUESTION)
        assert next(line["read"] for line in told if "read" in line) == 1
        har = json.loads(export(visit.page, pane, "HAR"))["log"]
        (entry,) = har["entries"]
        assert entry["request"]["postData"]["text"] == QUESTION
        assert entry["response"]["content"]["text"].startswith('data: {"id":"chatcmpl-')
    # The pane works with the page's policy, and makes no HTML from strings and no style from
    # attributes.
    assert visit.problems == []


FAULTS = {
    "split-utf8-chunks": "⚠ …event ",
    "bad-chunk-size": "expected a hex digit of the chunk-size, not b'x'",
    "fin-mid-chunk": "server: cut off on purpose",
    "id-comment": "♥ comment",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_can_be_seen(fault: str, visit: Visit, chat_server: RunningServer) -> None:
    visit.page.set_viewport_size({"width": 1280, "height": 4000})
    pane = ask(visit.page, chat_server.url, **{"X-Fault": fault})
    expect(pane).to_contain_text("server: ")
    pane.evaluate("(pane) => (pane.style.height = '3500px')")
    depth(pane, "Bytes")
    if fault == "split-utf8-chunks":
        expect(pane.locator("[data-torn^='⚠ …event ']").first).to_be_attached()
        expect(pane.locator(".text").get_by_text("‹").first).to_be_attached()
    else:
        expect(pane).to_contain_text(FAULTS[fault])
    bad = pane.locator("code .bad")
    if fault == "id-comment":
        expect(bad).to_have_count(0)
    elif fault != "split-utf8-chunks":
        expect(bad.first).to_be_attached()


@pytest.mark.parametrize(
    ("fault", "language", "says"),
    [
        ("", "en", "done sending, "),
        ("fin@5", "zh-CN", "x-ray 的结论：响应没有结束，连接就断开了，此前有 "),
    ],
    ids=["whole", "cut, in Chinese"],
)
def test_the_verdict_on_an_answer(fault: str, language: str, says: str, visit: Visit) -> None:
    """The page sends what it read, and shows what x-ray says: its own reads, its own ending."""
    visit.page.add_init_script(f"localStorage['workshop.page-language'] = '\"{language}\"'")
    with hold(chat.routes(Pace(0, 0), pages=xray_routes())) as server:
        server.release(1000)
        visit.open(server.url, model="echo", fault=fault)
        with visit.page.expect_response("**/xray") as answered:
            visit.ask("one two three")
        verdict = answered.value.json()["verdicts"][0]
        assert (verdict["code"] == "cut-transport") == bool(fault)
        expect(visit.page.locator("#wire")).to_contain_text(says)
        if not fault:
            expect(visit.page.locator("#wire")).to_contain_text(f"x-ray: {verdict['say']}")
    recording = answered.value.request.post_data
    assert recording
    reads = list(read_recording(recording.encode().splitlines()))
    assert (reads[0].sender, reads[0].at) == ("client", 0)
    assert reads[1].bytes.startswith(b"HTTP/1.1 200 \r\n")
    assert reads[-1].end == ("truncated" if fault else "")  # the page stops reading at [DONE]


def test_a_server_without_x_ray(visit: Visit) -> None:
    requested = visit.note_requests()
    with hold(chat.routes(Pace(0, 0))) as server:
        server.release(1000)
        visit.open(server.url, model="echo")
        visit.ask("one two three")
        expect(visit.page.locator("#wire")).to_contain_text("page: Answer complete")
    assert not any("xray" in url for url in requested)
    assert visit.problems == []


def test_a_server_without_a_wire(visit: Visit, chat_server: RunningServer) -> None:
    """If the reply has no X-Wire, the pane says so, and sends no request."""
    requested = visit.note_requests()
    pane = drive(visit.page, chat_server.url, "/health")
    visit.page.evaluate("() => driven")
    expect(pane).to_contain_text("This answer was not recorded")
    expect(pane.locator(".viewer")).to_have_count(0)
    visit.page.evaluate(DRIVE, ["/faults", {}])
    visit.page.evaluate("() => driven")
    assert not [url for url in requested if "/wire/req_" in url]


def test_a_recording_that_cannot_be_read(visit: Visit, chat_server: RunningServer) -> None:
    """The pane says so, and shows nothing of the previous answer."""
    visit.page.set_viewport_size({"width": 1400, "height": 800})
    visit.open(chat_server.url, model="echo")
    pane = visit.page.locator("#wire")
    visit.ask("one two three")
    expect(pane).to_contain_text("server: done")
    expect(pane).to_contain_text("3 tokens")
    visit.page.route("**/wire/req_*", lambda route: route.fulfill(status=404))
    visit.ask("one two")
    expect(pane).to_contain_text("no recording: HTTP 404")
    expect(pane.locator(".rows li")).to_have_count(1)  # the request
    expect(pane.locator(".cost")).to_be_empty()
    expect(pane).not_to_contain_text("server: done")
    expect(pane).not_to_contain_text("first token ")  # there was none


def test_a_narrow_screen_and_a_closed_pane(visit: Visit, chat_server: RunningServer) -> None:
    """The pane fits the window. While closed, it uses no connection of the browser."""
    visit.page.set_viewport_size({"width": 340, "height": 700})
    pane = ask(visit.page, chat_server.url)
    expect(pane).to_contain_text("server: done")
    width = "document.documentElement.scrollWidth"
    assert visit.page.evaluate(width) == 340
