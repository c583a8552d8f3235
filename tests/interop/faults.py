"""Measures how real clients react to each fault, and writes `servers/FAULTS.md`.

python -m tests.interop.faults            prints the page
python -m tests.interop.faults --write    writes it
"""

import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

import msgspec
import openai
import trio

from servers.http import connection
from servers.http.connection import Limits
from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.http.server import Server, listen
from servers.llm.faults import FAULTS, parse

from .fault_clients import (
    PATIENCE,
    Outcomes,
    Threads,
    with_browser,
    with_curl,
    with_openai,
    with_ours,
)
from .peers import ROOT, SAFETY, need

__all__ = ["COLUMNS", "DONE", "EVENTS", "NONE", "PAGE", "Page", "answers", "main", "measure"]

PAGE = ROOT / "servers" / "FAULTS.md"

COLUMNS = ("openai-python", "curl -N", "browser fetch", "this project's client")

NONE = "none"
"""The name that stands for the healthy answer."""


class Page(msgspec.Struct):
    """The measured table.

    Args:
        versions: Version of the client in each column, "" for our own.
        rows: For each fault, the outcome in each column.
    """

    versions: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> "Page":
        """Read a page that was written earlier."""
        versions = re.search(r"openai (\S+) for Python, curl\s+(\S+) and Chromium\s+(\S+),", text)
        rows = re.findall(r"^\| `([a-z0-9-]+)` \| .*? \| (.+) \|$", text, re.MULTILINE)
        found = {name: tuple(cells.split(" | ")) for name, cells in rows}
        return cls((*(versions.groups() if versions else ("", "", "")), ""), found)

    def __str__(self) -> str:
        lines = [INTRODUCTION.format(self.versions, patience=PATIENCE)]
        lines += [f"| fault | on the wire | {' | '.join(COLUMNS)} |", "|---" * 6 + "|"]
        for name, cells in self.rows.items():
            line = FAULTS[name].description if name in FAULTS else "The healthy answer."
            lines.append(f"| `{name}` | {line} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


INTRODUCTION = """\
# How clients react to a broken stream

The simulated model can break its answers on purpose. Send the header `X-Fault: NAME`, or ask for
the model `fault-NAME`, and the answer has that fault. `GET /faults` lists all faults, as JSON if
the request has `Accept: application/json`. It also explains how to ask for another position:
`rst@5`, `rst@byte 200`, `rst@1.5s`.

`python -m tests.interop.faults --write` measured this table, with openai {0[0]} for Python, curl
{0[1]} and Chromium {0[2]}, and a test measures it again. The answer has six events: five chunks
and `[DONE]`. Most faults are injected into the third event.

- **silent loss**: the client ends as if the answer were complete, but a part of it is missing.
- **waits**: the client still waits when we stop it. It has no timeout, or its timeout of
  {patience:.0f} seconds starts again with each read.
- A *hollow* chunk has no `choices`.
- Exit codes of `curl` other than 0 are 18 (the body is incomplete), 28 (`--max-time` expired), 52
  (no reply), and 56 (the connection was reset, or the chunked coding was invalid).
- The browser's page checks the status and the content type, gives each event to `JSON.parse`,
  looks for `error`, and has an `AbortSignal` with a timeout.
- The official client would retry 408, 409, 429 and all statuses from 500 on; here, retries are off.
"""


# ---- The server


def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "sim-1"}
    return b"data: %b\n\n" % msgspec.json.encode({**chunk, "choices": [choice]})


EVENTS = [
    _event({"role": "assistant", "content": ""}),
    _event({"content": "Hello"}),
    _event({"content": " 你好"}),
    _event({"content": "!"}),
    _event({}, "stop"),
]
DONE = b"data: [DONE]\n\n"


def answers() -> Routes:
    """Serve the answer with the fault that `X-Fault` names. With `X-Held: NAME`, each event after
    the first waits until `POST /seen/NAME` reports that the client has seen one more."""
    seen: dict[str, trio.Semaphore] = {}

    async def events(held: trio.Semaphore | None) -> AsyncGenerator[bytes | Last, None]:
        for event in EVENTS:
            yield event
            if held is not None:
                await held.acquire()
        yield Last(DONE)

    async def answer(request: Request) -> Reply | StreamingReply:
        name = request.header("x-held")
        reply = EventStream(events(seen.setdefault(name, trio.Semaphore(0)) if name else None))
        fault = request.header("x-fault") or NONE
        return reply if fault == NONE else parse(fault).apply(reply)

    async def was_seen(request: Request) -> Reply:
        seen[request.params["name"]].release()
        return Reply()

    async def page(request: Request) -> Reply:
        return Reply("<!doctype html>", 200, "text/html; charset=utf-8")

    async def script(request: Request) -> Reply:
        source = (ROOT / "servers" / "page" / "sse.js").read_bytes()
        return Reply(source, 200, "text/javascript; charset=utf-8")

    return Routes(
        {
            "GET /": page,
            "GET /sse.js": script,
            "GET /answer": answer,
            "POST /v1/chat/completions": answer,
            "POST /seen/{name}": was_seen,
        }
    )


@contextmanager
def _serving() -> Iterator[int]:
    """Serve in a thread, yield the port, and reset all connections at the end."""
    server = Server(answers(), limits=Limits(heartbeat_seconds=3600))
    sockets = listen("localhost", 0)
    tokens: SimpleQueue[trio.lowlevel.TrioToken] = SimpleQueue()

    async def serve() -> None:
        tokens.put(trio.lowlevel.current_trio_token())
        await server.serve(sockets)

    thread = Thread(target=trio.run, args=(serve,))
    port = sockets[0].getsockname()[1]
    thread.start()
    token = tokens.get(timeout=SAFETY)
    # Even on a busy machine, the client must read an error event before the connection ends.
    before, connection.FINAL_WAIT_SECONDS = connection.FINAL_WAIT_SECONDS, 1.5
    try:
        yield port
    finally:
        connection.FINAL_WAIT_SECONDS = before
        trio.from_thread.run_sync(server.abort, trio_token=token)
        thread.join()


# ---- The page


def measure() -> Page:
    """Run all clients against all faults."""
    curl = need("curl", "curl")
    versions = subprocess.run([curl, "--version"], capture_output=True, check=True).stdout.split()
    names = [NONE, *FAULTS]
    # The pool is joined last, because the clients that would wait for ever end only with the
    # server.
    with ThreadPoolExecutor(2 * len(names) + 1) as pool, _serving() as port:
        sdk = Threads(pool, with_openai, port, names)
        curls = Threads(pool, with_curl, port, names)
        ours = pool.submit(with_ours, port, names)
        browser, chromium = with_browser(port, names)
        columns: list[Outcomes] = [sdk.outcomes(), curls.outcomes(), browser, ours.result()]
    return Page(
        (openai.__version__, versions[1].decode(), chromium, ""),
        {name: tuple(column[name] for column in columns) for name in names},
    )


def main(argv: Sequence[str]) -> int:
    """Print the page, or write it to its file."""
    text = str(measure())
    if "--write" in argv:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
