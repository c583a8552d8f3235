"""What real clients make of each fault: measured, and written to `servers/FAULTS.md`.

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
"""In the place of a fault's name: the healthy answer."""


class Page(msgspec.Struct):
    """The measured table.

    Args:
        versions: of the programs behind the columns, "" for our own.
        rows: for each fault, what came of it, by column.
    """

    versions: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, text: str) -> "Page":
        """What stands in a page that was written before."""
        versions = re.search(r"openai (\S+) for Python, curl (\S+) and\s+Chromium\s+(\S+),", text)
        rows = re.findall(r"^\| `([a-z0-9-]+)` \| .*? \| (.+) \|$", text, re.MULTILINE)
        found = {name: tuple(cells.split(" | ")) for name, cells in rows}
        return cls((*(versions.groups() if versions else ("", "", "")), ""), found)

    def __str__(self) -> str:
        lines = [INTRODUCTION.format(self.versions, patience=PATIENCE)]
        lines += [f"| fault | on the wire | {' | '.join(COLUMNS)} |", "|---" * 6 + "|"]
        for name, cells in self.rows.items():
            line = FAULTS[name].line if name in FAULTS else "The answer as it should be."
            lines.append(f"| `{name}` | {line} | {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"


INTRODUCTION = """\
# What clients make of a broken stream

The simulated model can break its answers on purpose: a request with the header `X-Fault: NAME`,
or for a model named `fault-NAME`, gets its answer with that fault. `GET /faults` lists them, and
says how to ask for another place: `rst@5`, `rst@byte 200`, `rst@1.5s`.

This table was measured, not thought out: with openai {0[0]} for Python, curl {0[1]} and Chromium
{0[2]}, by `python -m tests.interop.faults --write`; and a test measures it again. The answer has
five chunks and `[DONE]`, so six events, and most faults happen to the third.

- **silent loss**: the client ends as if it had got everything, and it has not.
- **waits**: its time limit of {patience:.0f} seconds is one for each read, or it has none.
- A *hollow* chunk has no `choices`.
- The exit codes of `curl` that are not 0: 18, the body is not whole; 28, its `--max-time` was
  over; 52, no reply; 56, the connection broke or the chunks did.
- The browser's page gives each event to `JSON.parse`, looks for `error`, and has an `AbortSignal`
  with a time limit. Before that it looks at the status and the content type.
- The official client tries 408, 409, 429 and all from 500 on again; here it was told not to.
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
    """The answer with the fault that `X-Fault` names. With `X-Held: NAME` each event but the
    first waits until `POST /seen/NAME` has told of one more that was seen."""
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
    """Serve in a thread, and in the end cut all connections off. Gives the port."""
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
    # An error event is to be read before the end comes, also on a machine that is busy.
    before, connection.FINAL_WAIT_SECONDS = connection.FINAL_WAIT_SECONDS, 1.5
    try:
        yield port
    finally:
        connection.FINAL_WAIT_SECONDS = before
        trio.from_thread.run_sync(server.abort, trio_token=token)
        thread.join()


# ---- The page


def measure() -> Page:
    """Ask all clients."""
    curl = need("curl", "curl")
    versions = subprocess.run([curl, "--version"], capture_output=True, check=True).stdout.split()
    names = [NONE, *FAULTS]
    # The pool is left last: what waits in it for ever is ended by the end of the server.
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
    """Print the page, or write it."""
    text = str(measure())
    if "--write" in argv:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
