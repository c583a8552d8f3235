"""Measures which error the official client raises for each failure, with and without the proxy.

python -m tests.interop.relayed            prints the page
python -m tests.interop.relayed --write    writes it

The client, the proxy and its upstream run in one thread, on real sockets. The faults use trio's
autojump clock. The other side can read each write at once, so the clock jumps only while all three
wait.
"""

import gc
import logging
import sys
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

import httpx
import msgspec
import openai
import trio
import trio.testing

from servers.http import connection
from servers.http.connection import Limits
from servers.http.routes import Routes
from servers.http.server import Server, listen
from servers.llm.faults import FAULTS
from servers.openai_proxy.handlers import Upstream, routes
from servers.openai_proxy.relay import Timeouts

from .fault_clients import TEXT, Seen
from .faults import DONE, NONE, answers
from .peers import ROOT

__all__ = ["PAGE", "Both", "Cell", "Measured", "main", "measure", "page"]

PAGE = ROOT / "servers" / "openai_proxy" / "FAULTS.md"

SILENCE = 2.0
"""The proxy's timeout for an event, in seconds. The client waits twice as long for a byte."""

PATIENCE = 3 * SILENCE
"""Seconds after which we record that the client still waits."""

WHEN_ALL_WAIT = 0.05
"""Real seconds without any event before the clock jumps. The kernel delivers a write at once, but a
busy machine may delay it."""

WAITS = "waits"


class Cell(msgspec.Struct, frozen=True):
    """The result of one request.

    Args:
        came: A description of what the client received before the end.
        end: Name of the exception, or "" if there was none.
        told: Status, body and Retry-After of the exception.
    """

    came: str
    end: str
    told: tuple[int, object, str | None] | None = None

    def __str__(self) -> str:
        return ", then ".join(filter(None, (self.came, self.end)))

    @property
    def truth(self) -> int:
        """How much the exception tells. 0: nothing, so the client does not notice the failure. 1:
        an error that is not the client's own. 2: a connection error (older clients raise those of
        their HTTP library). 3: an error that names the cause."""
        if self.end in ("", WAITS):
            return 0
        kind = getattr(openai, self.end, None) or getattr(httpx, self.end, None)
        if kind is None:
            return 1
        return 2 if issubclass(kind, (openai.APIConnectionError, httpx.TransportError)) else 3


Both = tuple[Cell, Cell]
"""Without the proxy, and through it."""


class Measured(msgspec.Struct):
    """The results for each failure, by its name."""

    faults: dict[str, Both]
    statuses: dict[str, Both]
    cuts: dict[str, Both]


# ---- The upstream

WORDS = b'{"error":{"message":"busy"}}'
JSON = b"Content-Type: application/json\r\n"


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def chunks(*pieces: bytes) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"


OK = b"HTTP/1.1 200 OK\r\n"
ANSWER = b'{"choices":[{"message":{"content":"%b"}}]}' % TEXT.encode()
DELTA = b'"index":0,"delta":{"content":"%b"},"finish_reason":"stop"' % TEXT.encode()
EVENT = b'data: {"choices":[{%b}]}\n\n' % DELTA
CUT = {
    "a stream": OK + b"Content-Type: text/event-stream\r\n" + chunks(EVENT, DONE),
    "an answer with its length": OK + JSON + framed(ANSWER),
    "an answer in chunks": OK + JSON + chunks(ANSWER),
    "an error": b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\n" + JSON + framed(WORDS),
}


class Api:
    """Answers each request with the same bytes, then closes or resets the connection."""

    sent = b""
    resets = False

    async def serve(self, stream: trio.SocketStream) -> None:
        seen = b""
        while not seen.endswith(b"}"):  # the end of the request's body
            seen += await stream.receive_some()
        if self.sent:
            await stream.send_all(self.sent)
        if self.resets:
            linger = b"\x01\0\0\0\0\0\0\0"  # struct linger: on, 0 seconds
            stream.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
        else:
            await stream.send_eof()
            await stream.receive_some()
        await stream.aclose()


@asynccontextmanager
async def served(table: Routes) -> AsyncIterator[int]:
    """Run one of our servers. Yields its port."""
    server = Server(table, limits=Limits(heartbeat_seconds=3600))
    sockets = listen("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.serve, sockets)
        yield sockets[0].getsockname()[1]
        nursery.cancel_scope.cancel()


def proxy_of(port: int) -> Routes:
    timeouts = Timeouts(first_event=SILENCE, idle=SILENCE)
    return routes(Upstream(f"http://127.0.0.1:{port}/v1", timeouts=timeouts))


# ---- The client


class Asker:
    """Sends each request twice: to the API at one port, and to its proxy at another."""

    def __init__(self, http: openai.DefaultAsyncHttpxClient, ports: Sequence[int]) -> None:
        self._clients = [
            openai.AsyncOpenAI(
                base_url=f"http://127.0.0.1:{port}/v1",
                api_key="none",
                max_retries=0,
                timeout=2 * SILENCE,
                default_headers={"Connection": "close"},  # some faults spoil the next request
                http_client=http,
            )
            for port in ports
        ]

    async def note(self, fault: str, found: dict[str, Both]) -> None:
        found[fault] = await self.ask(fault)

    async def ask(self, fault: str = NONE, *, stream: bool = True) -> Both:
        direct, through = [await self._ask(one, fault, stream) for one in self._clients]
        return direct, through

    async def _ask(self, client: openai.AsyncOpenAI, fault: str, stream: bool) -> Cell:
        seen = Seen()
        told = None
        end = WAITS
        with trio.move_on_after(PATIENCE):
            try:
                await self._receive(client, fault, stream, seen)
                end = ""
            except openai.APIStatusError as error:
                end = type(error).__name__
                told = (error.status_code, error.body, error.response.headers.get("retry-after"))
            except Exception as error:
                end = type(error).__name__
        came = "" if told else seen.then(end).partition(", then ")[0]
        return Cell(came, end, told)

    async def _receive(
        self, client: openai.AsyncOpenAI, fault: str, stream: bool, seen: Seen
    ) -> None:
        create = client.chat.completions.create
        headers = {"X-Fault": fault}
        if not stream:
            whole = await create(model="m", messages=[], extra_headers=headers)
            delta = {"content": whole.choices[0].message.content}
            seen.add({"choices": [{"delta": delta, "finish_reason": "stop"}]})
            return
        events = await create(model="m", messages=[], stream=True, extra_headers=headers)
        async for chunk in events:
            seen.add(chunk.to_dict())


async def _faults() -> dict[str, Both]:
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with served(answers()) as port, served(proxy_of(port)) as proxy, http:
        asker = Asker(http, (port, proxy))
        found = dict[str, Both]()
        async with trio.open_nursery() as nursery:  # in parallel, so that all wait at the same time
            for name in (NONE, *FAULTS):
                nursery.start_soon(asker.note, name, found)
        return {name: found[name] for name in (NONE, *FAULTS)}


async def _statuses_and_cuts() -> tuple[dict[str, Both], dict[str, Both]]:
    api = Api()
    statuses, cuts = {}, {}
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    async with served(proxy_of(port)) as proxy, http, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, api.serve, [listener])
        asker = Asker(http, (port, proxy))
        for status in range(400, 600):
            line = b"HTTP/1.1 %d \r\nRetry-After: 7\r\n" % status
            api.sent = line + JSON + framed(WORDS)
            statuses[str(status)] = await asker.ask()
        for name, sent in CUT.items():
            for size in range(len(sent) + 1):
                api.sent, api.resets = sent[:size], size % 2 == 1
                cuts[f"{name}, {size}"] = await asker.ask(stream=name == "a stream")
        nursery.cancel_scope.cancel()
    return statuses, cuts


def measure() -> Measured:
    """Measure every failure, with and without the proxy."""
    clock = trio.testing.MockClock(autojump_threshold=WHEN_ALL_WAIT)
    # The final wait lets a browser show the last event. This client does not need it.
    before = connection.FINAL_WAIT_SECONDS
    with warnings.catch_warnings():
        # After an error, the client does not close its generators; the garbage collector does.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            faults = trio.run(_faults, clock=clock)
            connection.FINAL_WAIT_SECONDS = 0
            return Measured(faults, *trio.run(_statuses_and_cuts))
        finally:
            connection.FINAL_WAIT_SECONDS = before
            gc.collect()


# ---- The page

INTRODUCTION = """\
# How the proxy relays a failure

A relay never makes a failure worse: through the proxy, the official client raises the same error as
without it, or one that says more. `python -m tests.interop.relayed --write` measured these tables
with openai {0} for Python, and a test measures them again. The proxy waits {1:.0f} seconds for an
event. The client waits {2:.0f} seconds for a byte, and does not retry.
[FAULTS.md](../FAULTS.md) explains each fault.

- Where the client alone raises `APIConnectionError`, the proxy may cause an `APIError` or an
  `InternalServerError`. Its message says what happened between the proxy and its upstream.
- 401 becomes 502 with `X-Should-Retry: false`: the API has refused the proxy's key, and the client
  does not have that key.
- The last table truncates four responses after each of their bytes: with FIN after an even number
  of bytes, with RST after an odd one.
- If the upstream breaks inside an event, the proxy sends nothing more and truncates its own
  response. Any further bytes could make the half event look complete.
- In `open-after-finish` only the end of the body is missing. When the timeout expires, the
  proxy ends the body, and the client raises no error.
- The proxy refuses `length-and-chunked`: two hops that read such a response differently would
  disagree on where the next response begins (request smuggling uses the same trick).
"""


def page(measured: Measured) -> str:
    """The Markdown page with the three tables."""
    lines = [INTRODUCTION.format(openai.__version__, SILENCE, 2 * SILENCE)]
    for title, rows in (
        ("fault", {f"`{name}`": both for name, both in measured.faults.items()}),
        ("status", together(measured.statuses)),
        ("truncated after bytes", together(measured.cuts)),
    ):
        lines += [f"| {title} | without the proxy | through it |", "|---" * 3 + "|"]
        lines += [f"| {name} | {one} | {two} |" for name, (one, two) in rows.items()]
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def together(rows: dict[str, Both]) -> dict[str, Both]:
    """Merge neighbours with the same result into one row: "a stream, 80 to 84"."""
    merged = {}
    for (kind, *_), group in groupby(rows.items(), key=_alike):
        names, cells = zip(*group, strict=True)
        last = names[-1].removeprefix(kind)
        merged[names[0] if len(names) == 1 else f"{names[0]} to {last}"] = cells[0]
    return merged


def _alike(row: tuple[str, Both]) -> tuple[str, str, str]:
    name, (direct, through) = row
    return name.rstrip("0123456789"), str(direct), str(through)


def main(argv: Sequence[str]) -> int:
    """Print the page, or write it with `--write`."""
    logging.disable()
    text = page(measure())
    if "--write" in argv:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
