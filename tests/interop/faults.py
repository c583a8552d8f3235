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
from importlib import import_module
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
from .more_fault_clients import (
    has,
    node_versions,
    with_httpx_sse,
    with_langchain,
    with_litellm,
    with_node,
)
from .peers import ROOT, SAFETY, need

__all__ = [
    "BY_HAND",
    "COLUMNS",
    "DONE",
    "EVENTS",
    "NONE",
    "PAGE",
    "Page",
    "answers",
    "main",
    "measure",
]

PAGE = ROOT / "servers" / "FAULTS.md"

COLUMNS = (
    "openai-python",
    "curl -N",
    "browser fetch",
    "this project's client",
    "openai-node",
    "ai (Vercel)",
    "LangChain",
    "httpx-sse",
    "LiteLLM",
)

BY_HAND = ("LiteLLM",)
"""Clients that CI does not install. Their column stays as it is where they are missing."""

PLAIN = ("curl -N", "this project's client")
"""Clients that do not read JSON: they only count events."""

CORRECT = frozenset(
    (
        *("none", "after-end", "giant-line", "split-utf8-chunks", "split-utf8-segments", "cr"),
        *("crlf", "bom", "id-comment", "comments", "retry", "keepalive-event", "early-hints"),
    )
)
"""Faults that are none: every client should read the whole answer."""

NONE = "none"
"""The name that stands for the healthy answer."""


class Page(msgspec.Struct):
    """The measured table.

    Args:
        versions: Version of the client in each column, "" for our own and for one that is
            missing.
        rows: For each fault, the outcome in each column.
    """

    versions: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> "Page":
        """Read a page that was written earlier."""
        versions = [re.search(rf"{re.escape(name)} ([0-9][^;\s]*)", text) for name in COLUMNS]
        rows = re.findall(r"^\| `([a-z0-9-]+)` \| .*? \| (.+) \|$", text, re.MULTILINE)
        found = {name: tuple(cells.split(" | ")) for name, cells in rows}
        return cls(tuple(match[1] if match else "" for match in versions), found)

    def __str__(self) -> str:
        pairs = zip(COLUMNS, self.versions, strict=True)
        measured = "; ".join(f"{name} {version}" for name, version in pairs if version)
        lines = [INTRODUCTION.format(measured, patience=PATIENCE, summary=self.summary())]
        columns = len(COLUMNS) + 2
        lines += [f"| fault | on the wire | {' | '.join(COLUMNS)} |", "|---" * columns + "|"]
        for name, cells in self.rows.items():
            line = FAULTS[name].description if name in FAULTS else "The healthy answer."
            lines.append(f"| `{name}` | {line} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def summary(self) -> str:
        """What each client does wrong, in a line."""
        kinds = ("takes half for whole", "shows wrong text", "fails on a correct stream", "waits")
        lines = [f"| client | right | {' | '.join(kinds)} |", "|---" * 6 + "|"]
        for column, client in enumerate(COLUMNS):
            if client in PLAIN:
                continue
            wrong: dict[str, list[str]] = {kind: [] for kind in kinds}
            for name, cells in self.rows.items():
                cell = cells[column]
                for mark, kind in zip(
                    ("silent loss", "wrong text", "waits"), (0, 1, 3), strict=True
                ):
                    if mark in cell:
                        wrong[kinds[kind]].append(f"`{name}`")
                        break
                else:
                    if name in CORRECT and not cell.endswith("all"):
                        wrong[kinds[2]].append(f"`{name}`")
            right = len(self.rows) - sum(map(len, wrong.values()))
            cells = tuple(", ".join(names) for names in wrong.values())
            lines.append(f"| {client} | {right} of {len(self.rows)} | {' | '.join(cells)} |")
        return "\n".join(lines)


INTRODUCTION = """\
# How clients react to a broken stream

In one minute: this is what each client does with all faults. It is **right** if it reads the whole
answer where that is possible, and reports an error where it is not. The last table has each fault.

{summary}

- A client that **takes half for whole** ends as if the answer were complete. Look for a
  `finish_reason`.
- **Wrong text** is a text twice (`duplicate`), which no client can know, or U+FFFD in place of a
  byte.
- A client that **waits** has no timeout, or one that starts again with each read. Set one of your
  own.

To judge your own client: [VERDICT.md](VERDICT.md).

## How it is measured

The simulated model can break its answers on purpose. Send the header `X-Fault: NAME`, or ask for
the model `fault-NAME`, and the answer has that fault. `GET /faults` lists all faults, as JSON if
the request has `Accept: application/json`. It also explains how to ask for another position:
`rst@5`, `rst@byte 200`, `rst@1.5s`.

`python -m tests.interop.faults --write` measured this table, and a test measures it again. Clients:
{0}
LiteLLM is too heavy for the tests: it was measured by hand.

The answer has six events: five chunks and `[DONE]`. Most faults are injected into the third event.

- **silent loss**: the client ends as if the answer were complete, but a part of it is missing.
- **waits**: the client still waits when we stop it. It has no timeout, or its timeout of
  {patience:.0f} seconds starts again with each read.
- A *hollow* chunk has no `choices`.
- Exit codes of `curl` other than 0 are 18 (the body is incomplete), 28 (`--max-time` expired), 52
  (no reply), and 56 (the connection was reset, or the chunked coding was invalid).
- The browser's page checks the status and the content type, gives each event to `JSON.parse`,
  looks for `error`, and has an `AbortSignal` with a timeout.
- The official clients would retry 408, 409, 429 and all statuses from 500 on; here, they may not.
- The cells of the last five clients have no counts, because Node drops what was not read yet when a
  connection breaks. `ai` has an `AbortSignal` with a timeout; the timeouts of the others limit one
  read, or the time to the head.
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


def measure(patience: float = PATIENCE) -> Page:
    """Run all clients against all faults. Each gives up after `patience` seconds."""
    curl = need("curl", "curl")
    versions = subprocess.run([curl, "--version"], capture_output=True, check=True).stdout.split()
    names = [NONE, *FAULTS]
    # The pool is joined last, because the clients that would wait for ever end only with the
    # server.
    with ThreadPoolExecutor(2 * len(names) + 1) as pool, _serving() as port:
        sdk = Threads(pool, with_openai, port, names, patience)
        curls = Threads(pool, with_curl, port, names, patience)
        ours = pool.submit(with_ours, port, names, patience)
        browser, chromium = with_browser(port, names, patience)
        columns: list[Outcomes] = [sdk.outcomes(), curls.outcomes(), browser, ours.result()]
    # The others come after these, so that the machine is not too busy for their timeouts.
    columns += more_columns(names, patience)
    with _serving() as port:
        outcomes, litellm = with_litellm(port, names, patience)
    columns.append(outcomes)
    node, ai = node_versions()
    official, curled = openai.__version__, versions[1].decode()
    found = (official, curled, chromium, "", node, ai, *PYTHON_VERSIONS, litellm)
    return Page(found, {name: tuple(column[name] for column in columns) for name in names})


PYTHON_VERSIONS = has("langchain_openai"), has("httpx_sse", "httpx")


def more_columns(names: Sequence[str], patience: float) -> list[Outcomes]:
    """The columns of the clients that may be missing. All cells of a missing client are ""."""
    missing = dict.fromkeys(names, "")
    langchain, httpx_sse = PYTHON_VERSIONS
    for module, version in zip(("langchain_openai", "httpx_sse"), PYTHON_VERSIONS, strict=True):
        if version:
            import_module(module)  # before many threads do it at the same time
    with (
        ThreadPoolExecutor(len(names) + 1) as pool,
        ThreadPoolExecutor(10) as few,  # LangChain is slow when many threads use it
        _serving() as port,
    ):
        node = pool.submit(with_node, port, names, patience) if all(node_versions()) else None
        chains = Threads(few, with_langchain, port, names, patience) if langchain else None
        sources = Threads(pool, with_httpx_sse, port, names, patience) if httpx_sse else None
        return [
            *(node.result() if node else (missing, missing)),
            chains.outcomes() if chains else missing,
            sources.outcomes() if sources else missing,
        ]


def with_old_columns(page: Page) -> Page:
    """The page with the columns that were measured by hand, where the client is missing here."""
    old = Page.read(PAGE.read_text("utf-8"))
    for column, name in enumerate(COLUMNS):
        if name in BY_HAND and not page.versions[column]:
            page.versions = _put(page.versions, column, old.versions[column])
            for fault, cells in page.rows.items():
                was = old.rows.get(fault, ("",) * len(COLUMNS))
                page.rows[fault] = _put(cells, column, was[column])
    return page


def _put(cells: tuple[str, ...], column: int, cell: str) -> tuple[str, ...]:
    return (*cells[:column], cell, *cells[column + 1 :])


def main(argv: Sequence[str]) -> int:
    """Print the page, or write it to its file."""
    text = str(with_old_columns(measure()))
    if "--write" in argv:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
