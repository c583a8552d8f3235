"""Lesson 9: between the server and you are hops, and each of them may hold the stream back.

The server writes each token when it is made. On its way to you there may be a compressor, a proxy,
a balancer, or a company's firewall. Each hop reads bytes on one side and writes them on the other,
and may write them later, in other pieces, or not at all. HTTP allows all of that. So when a stream
arrives late, the first question is not "what" but "where": listen on both sides of each hop, and
compare.

    server ──A── hop 1 ──B── hop 2 ──C── hop 3 ──D── you        A to D: taps, which only listen

Run this file; then read it, and `servers/badproxy`, which makes the faulty hops.
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from shutil import which

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import trio
    from h11 import RemoteProtocolError

    from clients.http.client import request
    from clients.http.errors import RequestError
    from protocol.errors import DecodeError
    from protocol.head import HeadReader
    from protocol.http1 import BodyDecoder, body_decoder, response_framing
    from protocol.sse import EventStreamParser, ServerSentEvent, encode_event
    from servers import badproxy, sse
    from servers.http.reply import EventStream, Request
    from servers.http.routes import Routes
    from servers.http.server import Server, listen
    from servers.llm.pace import Pace
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

LOOPBACK = "127.0.0.1"

# The last ten words of lesson 4's text, and `done`. Like a browser, the client accepts gzip.
ASK = (("Last-Event-ID", "11"), ("Accept-Encoding", "gzip"))


# --- A tap ----------------------------------------------------------------------------------
#
# A tap passes every byte on unchanged, and decodes a copy with the decoders of lessons 3 and 4. An
# event has passed when its last byte can be decoded. If the body is compressed, that may be much
# later than the time when the server wrote the event.


class HopTap:
    """A listener between two hops.

    Attributes:
        times: The times at which each event could be decoded here, in seconds of trio's clock.
        complete: Whether the body has ended as its framing says.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self.complete = False
        self._head = HeadReader(is_request=False)
        self._body: BodyDecoder | None = None
        self._unzip: Callable[[bytes], bytes] = bytes
        self._events = EventStreamParser()
        self._change = trio.Event()

    def receive_data(self, data: bytes) -> None:
        if self._body is None:
            head = self._head.receive_data(data)
            if head is None:
                return
            self._body = body_decoder(response_framing(head, "GET"))
            if head.values(b"content-encoding") == [b"gzip"]:
                self._unzip = zlib.decompressobj(wbits=31).decompress
            data = self._head.trailing_data
        for piece in self._body.receive_data(data):
            for _ in self._events.receive_data(self._unzip(piece)):
                self.times.append(trio.current_time())
                self._change.set()
                self._change = trio.Event()
        self.complete = self._body.complete

    def receive_eof(self) -> None:
        try:
            if self._body is not None:
                self._body.receive_eof()
                self.complete = True
        except DecodeError:
            self.complete = False

    async def has(self, count: int) -> None:
        """Wait until `count` events have passed this tap."""
        while len(self.times) < count:
            await self._change.wait()

    async def serve(self, port: int, client: trio.SocketStream) -> None:
        """Relay between this client and the upstream's port."""
        async with (
            client,
            await trio.open_tcp_stream(LOOPBACK, port) as server,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(copy, client, server)
            try:
                async for data in server:
                    self.receive_data(bytes(data))
                    await client.send_all(data)
                self.receive_eof()
            except trio.BrokenResourceError:
                pass  # one side has closed its connection
            nursery.cancel_scope.cancel()


async def copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
    try:
        async for data in source:
            await target.send_all(data)
    except trio.BrokenResourceError:
        pass


# --- The chain ------------------------------------------------------------------------------


@asynccontextmanager
async def chain(port: int, modes: Sequence[str]) -> AsyncIterator[tuple[int, list[HopTap]]]:
    """Start a hop in each of these modes, with a tap on both sides of each hop.

    Args:
        port: The port of the server, which is the upstream of the first hop.
        modes: The modes of the hops, one of `servers.badproxy` for each.

    Yields:
        The port of the last tap, and all taps.
    """
    async with trio.open_nursery() as nursery:
        taps = [HopTap()]
        port = await nursery.start(serve_tap, taps[0], port)
        for mode in modes:
            port = start_hop(nursery, port, mode)
            taps.append(HopTap())
            port = await nursery.start(serve_tap, taps[-1], port)
        yield port, taps
        nursery.cancel_scope.cancel()


async def serve_tap(
    tap: HopTap, port: int, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
    task_status.started(listener.socket.getsockname()[1])
    await trio.serve_listeners(partial(tap.serve, port), [listener])


def start_hop(nursery: trio.Nursery, port: int, mode: str) -> int:
    """Start a hop that forwards to this port. Returns its own port."""
    url = f"http://{LOOPBACK}:{port}"
    return start_server(nursery, badproxy.routes(url, badproxy.modes(mode)))


def start_server(nursery: trio.Nursery, routes: Routes) -> int:
    sockets = listen(LOOPBACK, 0)
    nursery.start_soon(Server(routes).serve, sockets)
    own: int = sockets[0].getsockname()[1]
    return own


async def ask(port: int) -> None:
    """Send a request as a reader does, and read until the body ends or breaks off."""
    try:
        async with request("GET", f"http://{LOOPBACK}:{port}/", ASK) as response:
            async for _ in response:
                pass
    except RequestError:
        pass


# --- 1. Which hop is it? --------------------------------------------------------------------

ROUNDS = [
    ("none", "buffer", "none"),
    ("rechunk=200", "none", "none"),
    ("none", "none", "strip-no-transform,gzip-nosync"),
]


async def find_the_hop(number: int, port: int, modes: Sequence[str]) -> None:
    print(f"Round {number}: when each event passed, in seconds after the request")
    start = trio.current_time()
    async with chain(port, modes) as (last, taps):
        await ask(last)
    if not taps[-1].complete:
        raise RemoteProtocolError("the server truncated the answer")
    print("  server ──A── hop 1 ──B── hop 2 ──C── hop 3 ──D── you")
    print("  event       " + "      ".join("ABCD"))
    for row, times in enumerate(zip(*(tap.times for tap in taps), strict=True), 1):
        print(f"  {row:5}  " + "".join(f"{time - start:7.2f}" for time in times), flush=True)
    held = [held_for(upstream, downstream) for upstream, downstream in pairwise(taps)]
    if sys.stdin.isatty() and sys.stdout.isatty():
        print("  Which hop is it, 1, 2 or 3? ", end="", flush=True)
        # `readline` is not used: after Ctrl-C its thread holds a lock, and Python waits for the
        # lock at exit.
        await trio.to_thread.run_sync(os.read, sys.stdin.fileno(), 1024, abandon_on_cancel=True)
    for hop, seconds in enumerate(held, 1):
        print(f"  hop {hop} held an event for {seconds:.2f} s on average")
    faulty = next(hop for hop, mode in enumerate(modes, 1) if mode != "none")
    print(f"It is hop {faulty}: --mode {modes[faulty - 1]}\n", flush=True)


# region held
def held_for(upstream: HopTap, downstream: HopTap) -> float:
    """Return the average time, in seconds, for which the hop between two taps held an event."""
    pairs = list(zip(upstream.times, downstream.times, strict=False))
    return sum(left - came for came, left in pairs) / max(1, len(pairs))
# endregion


# --- 2. Which hop has cut the body? ---------------------------------------------------------
#
# A chunked body says when it is complete. A body that ends with its connection does not. If such a
# body is truncated, the next hop writes a clean end after it.


async def find_the_cut(port: int, mode: str) -> None:
    async with chain(port, ["none", mode, "none"]) as (last, taps):
        await ask(last)
    print(f"Hop 2 cuts the body after 300 bytes (--mode {mode})")
    for letter, tap in zip("ABCD", taps, strict=True):
        end = "complete" if tap.complete else "truncated: no last chunk"
        print(f"  {letter}  {len(tap.times):2} events, {end}", flush=True)


# --- 3. A real hop --------------------------------------------------------------------------
#
# The behaviour of nginx depends on the version of HTTP that it speaks to the server. With 1.0 a
# body has no chunks, and nginx collects it in a buffer. With 1.1 nginx passes each chunk on. The
# compressor of nginx does not read `Cache-Control: no-transform`. (Seen with nginx 1.22.1; this
# program asks the nginx that is installed here.)
#
# This test does not compare times. The server makes an event only when you have the previous one.
# So if a hop holds the first event, the server does not make a second one.

WAIT_SECONDS = 1.0  # longest wait for one event, in seconds
COUNT = 3


def one_by_one(reader: HopTap) -> Routes:
    async def events() -> AsyncGenerator[bytes, None]:
        for number in range(1, COUNT + 1):
            yield encode_event(ServerSentEvent(data=str(number)))
            with trio.move_on_after(WAIT_SECONDS) as waiting:
                await reader.has(number)
            if waiting.cancelled_caught:
                return

    async def stream(request: Request) -> EventStream:
        return EventStream(events())

    return Routes({"GET /": stream})


NGINX = """
daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {servers}
}}
"""
SERVER = "server {{ listen 127.0.0.1:{own}; location / {{ proxy_pass {upstream}; {settings} }} }}"

HTTP10 = "proxy_http_version 1.0; "  # the default of nginx before 1.29.7
HTTP11 = 'proxy_http_version 1.1; proxy_set_header Connection ""; '
GZIP = "gzip on; gzip_types text/event-stream; "
ASKED = "X-Accel-Buffering: no from the server"

# (the line to print, the settings of each nginx, the mode of a hop between the server and nginx);
# the nginx next to the server comes first.
STREAMS = [
    ("proxy_http_version 1.0;", [HTTP10], "strip-accel"),
    ("  and proxy_buffering off;", [HTTP10 + "proxy_buffering off;"], "strip-accel"),
    (f"  and {ASKED}", [HTTP10], "none"),
    ("  and a second nginx", [HTTP10, HTTP10], "none"),
    (
        "  and the first with proxy_pass_header",
        [HTTP10 + "proxy_pass_header X-Accel-Buffering;", HTTP10],
        "none",
    ),
    ("proxy_http_version 1.1;", [HTTP11], "strip-accel"),
    ("  and gzip, against no-transform", [HTTP11 + GZIP], "strip-accel"),
    (
        "  and gzip and proxy_buffering off;",
        [HTTP11 + GZIP + "proxy_buffering off;"],
        "strip-accel",
    ),
]
ENDS = [
    ("proxy_http_version 1.0;", [HTTP10 + "proxy_buffering off;"], "truncate=300"),
    ("proxy_http_version 1.1;", [HTTP11 + "proxy_buffering off;"], "truncate=300"),
]


async def real_ones(port: int) -> None:
    program = which("nginx") or which("/usr/sbin/nginx")
    if program is None:
        print("\nnginx is not installed here: the third part is skipped")
        return
    async with trio.open_nursery() as nursery:
        rows, servers = [], []
        for number, (about, settings, mode) in enumerate([*STREAMS, *ENDS]):
            reader = HopTap()
            server = start_server(nursery, one_by_one(reader)) if number < len(STREAMS) else port
            at = start_hop(nursery, server, mode)
            for setting in settings:
                own = free_port()
                url = f"http://{LOOPBACK}:{at}"
                servers.append(SERVER.format(own=own, upstream=url, settings=setting))
                at = own
            rows.append((about, reader, await nursery.start(serve_tap, reader, at)))
        with tempfile.TemporaryDirectory() as folder:
            config = NGINX.format(servers="\n    ".join(servers))
            (Path(folder) / "nginx.conf").write_text(config, encoding="utf-8")
            command = [program, "-e", "stderr", "-p", folder, "-c", "nginx.conf"]
            with subprocess.Popen(command, start_new_session=True) as nginx:  # noqa: ASYNC220
                try:
                    await until_it_listens(at)
                    async with trio.open_nursery() as asking:
                        for *_, last in rows:
                            asking.start_soon(ask, last)
                finally:
                    nginx.kill()  # nginx may miss a SIGTERM just before it waits for events
        nursery.cancel_scope.cancel()
    print("\nnginx between the server and you: does an event pass before the next one is made?")
    for about, reader, _ in rows[: len(STREAMS)]:
        print(f"  {about:54}{'streams' if len(reader.times) == COUNT else 'holds them'}")
    print("\nnginx, and a server that dies in the middle: what do you get?")
    for about, reader, _ in rows[len(STREAMS) :]:
        answer = "a complete answer" if reader.complete else "a truncated answer"
        print(f"  {about:54}{answer}", flush=True)


async def until_it_listens(port: int) -> None:
    with trio.fail_after(10):
        while True:
            try:
                await (await trio.open_tcp_stream(LOOPBACK, port)).aclose()
                return
            except OSError:
                await trio.sleep(0.02)


def free_port() -> int:
    """Return a free port below the range for port 0, so that no other program gets it in the
    meantime."""
    while True:
        port = random.randrange(20000, 32768)
        with socket.socket() as sock, suppress(OSError):
            sock.bind((LOOPBACK, port))
            return port


async def watch(port: int) -> None:
    """Find the faulty hops between this server and the reader."""
    for number, modes in enumerate(ROUNDS, 1):
        await find_the_hop(number, port, modes)
    for mode in ("truncate=300", "http10,truncate=300"):
        await find_the_cut(port, mode)
    await real_ones(port)


def routes(pace: Pace) -> Routes:
    """Return the routes of lesson 4. Without time between the events, a hop that holds them is not
    visible."""
    return sse.routes(pace if pace.itl else Pace(0.03, 0.03))


TRIES = [
    ("A faulty hop", "python -m servers.badproxy --to http://localhost:{port} --mode buffer"),
    ("The answer through that hop, in another terminal", "curl -N http://localhost:8009/"),
    ("All faults that a hop can have", "python -m servers.badproxy --help"),
]

if __name__ == "__main__":
    sys.exit(lesson.main(__doc__.partition("\n")[0], 8004, routes, watch, TRIES))
