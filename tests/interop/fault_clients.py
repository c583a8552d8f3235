"""Four of the clients: each requests one answer with every fault, and describes what it received.

    with_ours(port, names, text)       {"fin": "2 events, then DecodeError: …", …}

No outcome depends on a race. A client that must give up has plenty of time to do so. The page in
the browser reports each event that it has read, and only then the server sends the next one.
Otherwise, when the connection breaks, a browser would discard events that its page has not read.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import h11
import openai
import trio
from openai import OpenAI
from playwright.sync_api import sync_playwright

from clients.http.client import request
from protocol.sse import EventStreamParser

from .peers import SAFETY
from .visiting import chromium, flags

__all__ = [
    "PATIENCE",
    "TEXT",
    "WAITS",
    "Outcomes",
    "Seen",
    "Threads",
    "with_browser",
    "with_curl",
    "with_openai",
    "with_ours",
]

TEXT = "Hello 你好!"
"""The text of the healthy answer."""

PATIENCE = 5.0
"""Timeout of each client, in seconds. Each client applies it to something different."""

WAITS = "waits"


def long(patience: float) -> float:
    """Seconds without any outcome after which we assume that the other clients wait for ever."""
    return 1.6 * patience


Outcomes = dict[str, str]
"""The outcome of each fault, by its name."""


@dataclass
class Seen:
    """The part of an answer that a client has received.

    Attributes:
        chunks: Chunk objects with choices.
        hollow: Chunk objects without choices.
        text: The text of all deltas.
        finished: Whether a finish_reason has arrived.
    """

    chunks: int = 0
    hollow: int = 0
    text: str = ""
    finished: bool = False

    def add(self, chunk: dict[str, Any]) -> None:
        if not chunk.get("choices"):
            self.hollow += 1
            return
        (choice,) = chunk["choices"]
        self.chunks += 1
        self.text += choice["delta"].get("content") or ""
        self.finished |= choice["finish_reason"] is not None

    def then(self, end: str = "") -> str:
        """Describe the received events and the end in words. An empty `end` means a normal end."""
        came = f"{self.chunks} chunks" + (f", {self.hollow} hollow" if self.hollow else "")
        if end:
            return f"{came}, then {end}"
        if not self.finished or len(self.text) < len(TEXT):
            return f"{came}, normal end: **silent loss**"
        return f"{came}: all" if self.text == TEXT else f"{came}: **wrong text**"


# ---- Clients that block


class Threads:
    """Runs a blocking client for all faults at once.

    Args:
        client: A function that requests one fault from a port, notes the events, and returns the
            outcome.
        patience: The timeout of each client, in seconds.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        client: Callable[[int, str, Seen, float], str],
        port: int,
        names: Sequence[str],
        patience: float,
    ) -> None:
        self._long = long(patience)
        self._seen = {name: Seen() for name in names}
        self._last_outcome = time.monotonic()
        self._futures: dict[str, Future[str]] = {
            name: pool.submit(client, port, name, self._seen[name], patience) for name in names
        }
        for future in self._futures.values():
            future.add_done_callback(self._note_outcome)

    def _note_outcome(self, future: Future[str]) -> None:
        self._last_outcome = time.monotonic()

    def outcomes(self) -> Outcomes:
        """Wait until all clients have ended, or none has ended for `long` seconds."""
        while left := [future for future in self._futures.values() if not future.done()]:
            patience = self._last_outcome + self._long - time.monotonic()
            if patience <= 0:
                break
            wait(left, patience, FIRST_COMPLETED)
        return {
            name: future.result() if future.done() else self._seen[name].then(WAITS)
            for name, future in self._futures.items()
        }


def with_openai(port: int, name: str, seen: Seen, patience: float) -> str:
    """The official client. Its timeout limits the time between two reads."""
    url = f"http://localhost:{port}/v1"
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=patience) as client:
        try:
            for chunk in client.chat.completions.create(
                model="sim-1",
                messages=[{"role": "user", "content": "Hi"}],
                stream=True,
                extra_headers={"X-Fault": name},
            ):
                seen.add(chunk.to_dict())
        except openai.APIStatusError as error:
            return type(error).__name__
        except openai.APIConnectionError as error:
            return seen.then(f"{type(error).__name__} from {type(error.__cause__).__name__}")
        except openai.APIError as error:
            return seen.then(f"{type(error).__name__}: {error}")
        except Exception as error:  # the exception is not an error class of the client
            return seen.then(type(error).__name__)
        return seen.then()


def with_curl(port: int, name: str, seen: Seen, patience: float) -> str:
    """`curl -N`. The outcome has the events that it printed, the status, and its exit code."""
    url = f"localhost:{port}/answer"
    limits = ("--max-time", str(patience), "-w", "%{stderr}%{http_code}")
    command = ["curl", "-sN", url, "-H", f"X-Fault: {name}", *limits]
    done = subprocess.run(command, capture_output=True, timeout=SAFETY)
    events = len(EventStreamParser().receive_data(done.stdout))
    status = done.stderr.decode()
    came = f"{events} events" if status in ("200", "000") else f"status {status}"
    return f"{came}, exit code {done.returncode}"


# ---- This project's client


def with_ours(port: int, names: Sequence[str], patience: float) -> Outcomes:
    """This project's client, `clients/http/client.py`. It has no timeout for a body. If no client
    has ended for `long` seconds, the outcome of the remaining ones is that they wait."""
    outcomes: Outcomes = {}
    all_left = trio.CancelScope()

    async def ask(name: str) -> None:
        came: list[str] = []
        end = WAITS
        try:
            end = await receive(name, came)
        except h11.RemoteProtocolError as error:
            end = f"DecodeError: {error}"
        except trio.BrokenResourceError as error:
            end = f"BrokenResourceError: {str(error).partition(': [')[0]}"
        finally:
            outcomes[name] = f"{len(came)} events{end and f', then {end}'}"
            all_left.deadline = trio.current_time() + long(patience)

    async def receive(name: str, came: list[str]) -> str:
        parser = EventStreamParser()
        url = f"http://localhost:{port}/answer"
        async with request("GET", url, (("X-Fault", name),)) as response:
            async for piece in response:
                came += [event.data for event in parser.receive_data(piece)]
        if response.status != 200:
            return f"status {response.status}"
        return "" if "[DONE]" in came else "a normal end without [DONE]"

    async def ask_all() -> None:
        all_left.deadline = trio.current_time() + long(patience)
        with all_left:
            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(ask, name)

    trio.run(ask_all)
    return outcomes


# ---- The browser

# The page sends its reports to 127.0.0.1, because a browser opens only six connections to one host,
# and those to localhost may all be waiting.
FETCH = """async ([names, patience, seenUrl]) => {
    const { readEvents } = await import("/sse.js");

    async function ask(name) {
        const chunks = [];
        const seen = () => fetch(`${seenUrl}/${name}`, { method: "POST", mode: "no-cors" });
        try {
            const headers = { "X-Fault": name, "X-Held": name };
            const signal = AbortSignal.timeout(patience);
            // With its cache, a browser runs only one request for a URL at a time.
            const response = await fetch("/answer", { headers, signal, cache: "no-store" });
            const type = response.headers.get("Content-Type");
            if (!response.ok) return { end: `status ${response.status}` };
            if (!type.startsWith("text/event-stream")) return { end: `no stream but ${type}` };
            for await (const { data } of readEvents(response.body)) {
                await seen();
                if (data === "[DONE]") continue;
                const chunk = JSON.parse(data);
                if (chunk.error) return { chunks, end: "an error event" };
                chunks.push(chunk);
            }
            return { chunks, end: "" };
        } catch (error) {
            return { chunks, end: error.name === "SyntaxError" ? error.name : String(error) };
        }
    }

    const outcomes = {};
    const left = [...names];
    const work = async () => {
        for (let name; (name = left.pop()) !== undefined; ) outcomes[name] = await ask(name);
    };
    await Promise.all([1, 2, 3, 4, 5, 6].map(work));
    return outcomes;
}"""


def with_browser(port: int, names: Sequence[str], patience: float) -> tuple[Outcomes, str]:
    """`fetch` on a page in Chromium, with an `AbortSignal`. Returns Chromium's version, too."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        page = browser.new_page()
        page.goto(f"http://localhost:{port}/")
        seen_url = f"http://127.0.0.1:{port}/seen"
        found = page.evaluate(FETCH, [list(names), patience * 1000, seen_url])
        version = browser.version.partition(".")[0]
        browser.close()
    outcomes = {}
    for name, outcome in found.items():
        seen = Seen()
        for chunk in outcome.get("chunks", []):
            seen.add(chunk)
        outcomes[name] = seen.then(outcome["end"]) if "chunks" in outcome else outcome["end"]
    return outcomes, version
