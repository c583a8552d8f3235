"""`workshop xray --listen PORT --to URL`: a tap between any client and any server.

    client                       tap on localhost:9000                   api.example.com:443
    POST /v1/chat/completions >  plain HTTP, each read at once        >  the same bytes in TLS
    Host: localhost:9000         the Host of the upstream in its place   Host: api.example.com
                              <  the response, byte for byte          <

    $ workshop xray --listen 9000 --to https://api.example.com
    $ curl -N http://localhost:9000/v1/…          or an SDK: base_url="http://localhost:9000/v1"

The rules this file keeps:

1. A tap is a relay of bytes (relay.py). It changes only the value of each request's `Host`, because
   a server with several names would not accept `localhost:9000`. With `keep_host` it changes
   nothing. It never adds a header, and never changes `Origin`, a path or a `Location`. A tap on
   loopback replaces only the names of loopback, so that a page whose name leads to this machine
   (DNS rebinding) does not get past an upstream that checks names.
2. If a connection cannot be relayed, the client gets a response: 503 if there are too many
   connections, or 502 with the reason if the upstream cannot be reached.
3. Bytes are shown, saved and counted only after they were relayed. The watch (watch.py) does this.
4. Unless the user gives another address, the tap listens only on loopback, because the keys of its
   clients pass through it.
"""

import logging
import signal
import ssl
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import socket

import trio
from rich.console import Console

from clients.chat import LOOPBACK
from clients.http.client import URLParts, open_stream
from clients.http.errors import RequestError
from clients.streams.tcp import STALL_SECONDS, ByteStream, Connect, SocketStream, connect
from clients.streams.tls import client_context
from servers.http import server
from servers.http.command import raise_file_limit, url
from servers.http.reply_head import encode_reply
from servers.http.routes import plain_refusal
from servers.http.server import Server

from ..recordings.files import Saver
from ..recordings.masking import Masker
from .following import Following
from .lines import Lines, Printer, ended_summary
from .relay import Relay
from .saving import SavingQueue
from .tap_metrics import metrics_routes
from .top import Top
from .watch import Watch, WatchObserver

__all__ = ["Tap", "TapError", "TapOptions", "accept", "listen"]

log = logging.getLogger("workshop")

INTERRUPTED = 130  # the exit code of a program that SIGINT ended, as shells report it: 128 + 2

SWITCH_SECONDS = 0.0005

FINAL_SECONDS = 2.0  # seconds for measuring the reads that still wait after Ctrl-C

# Largest number of clients that get such a response at the same time. Others are closed without
# one.
MAX_REFUSALS = 100

ONE = "the bytes of one stream at a time; --top shows all streams"

SLOW_DISK = "the disk took them too slowly"

# How a client names a tap on loopback (protocol/target.py keeps the brackets).
LOOPBACK_HOSTS = (*LOOPBACK, "[::1]")


class TapError(ValueError):
    """The tap cannot start. The message is for the user who started it."""


@dataclass(frozen=True, kw_only=True)
class TapOptions:
    """The options of a tap.

    Args:
        to: URL of the upstream: `http://host[:port]` or `https://…`, without a path.
        port: Port to listen on; 0 picks a free one.
        host: Name or address to listen on. "localhost" means 127.0.0.1, and also ::1 on a machine
            with IPv6.
        ca_file: File of certificates (PEM) to trust in place of the system's, or None.
        keep_host: Whether to relay the client's `Host` unchanged.
        top: Whether to show the table of streams, or without a terminal, a line for each stream
            that has ended. Otherwise the bytes of one stream after the other are shown.
        hex: Whether to show these bytes in hex, too.
        metrics_port: Port of `GET /metrics` on loopback. 0 picks a free one, and None means no
            metrics.
        save: File to save the recording to, or None.
        secrets: Keys to mask, in addition to those that the tap finds itself.
        max_connections: Largest number of connections at the same time. A further one gets a 503.
        max_finished: Largest number of finished streams in the table.
        connect_seconds: Timeout for a connection to the upstream, including TLS, in seconds.
        stall_seconds: Seconds after which a connection is broken if its peer has vanished
            (`SocketStream`).
    """

    to: str
    port: int = 0
    host: str = "localhost"
    ca_file: str | None = None
    keep_host: bool = False
    top: bool = False
    hex: bool = False
    metrics_port: int | None = None
    save: Path | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    max_connections: int = 1000
    max_finished: int = 20
    connect_seconds: float = 30.0
    stall_seconds: float = STALL_SECONDS


class Tap:
    """Relays connections, and reports their bytes to a watch. A `Tap` does not listen itself.

    Args:
        options: The options.
        watch: The watch that is told about all bytes.
        connect: The function that opens TCP connections to the upstream.

    Raises:
        TapError: The upstream's URL or the file of certificates cannot be used.
    """

    def __init__(self, options: TapOptions, watch: Watch, connect: Connect = connect) -> None:
        self.options = options
        self._watch = watch
        self._parts = upstream_of(options)
        self._context: ssl.SSLContext | None = None
        if self._parts.scheme == "https":
            try:
                self._context = client_context(options.ca_file)
            except ValueError as error:
                raise TapError(str(error)) from error
        self._dial = partial(connect, stall_seconds=options.stall_seconds)
        self._open = 0  # connections
        self._refusing = 0

    async def serve(self, client: ByteStream) -> None:
        """Relay one connection until it ends. Errors of the client or the server are not raised
        here."""
        if self._open >= self.options.max_connections:
            limit = self.options.max_connections
            await self._refuse(client, 503, f"the tap has its {limit} connections")
            return
        self._open += 1
        try:
            await self._serve(client)
        finally:
            self._open -= 1
            client.close()

    async def _serve(self, client: ByteStream) -> None:
        upstream: ByteStream | None = None
        problem = f"no connection to {self._parts.authority}"
        try:
            with trio.move_on_after(self.options.connect_seconds):
                upstream = await open_stream(self._parts, self._context, self._dial)
            problem += f" in {self.options.connect_seconds:g} s"
        except RequestError as error:
            problem = str(error)
        if upstream is None:
            await self._refuse(client, 502, problem)
            return
        seen = self._watch.connection()
        host = None if self.options.keep_host else self._parts.authority
        names = LOOPBACK_HOSTS if self.options.host in LOOPBACK else None
        relay = Relay(client, upstream, seen, host, names)
        await relay.run()
        seen.close()  # not after Ctrl-C: unfinished streams are "still running" in the summary

    async def _refuse(self, client: ByteStream, status: int, problem: str) -> None:
        """Send the client a response with the reason why it is not relayed, and close."""
        self._watch.refuse(problem)
        if self._refusing >= MAX_REFUSALS:
            client.close()
            return
        self._refusing += 1
        try:
            reply = plain_refusal("", status, f"workshop xray: {problem}.")
            client.send_now(encode_reply(reply))
            await client.aclose()
        except trio.BrokenResourceError:
            client.close()
        finally:
            self._refusing -= 1


def upstream_of(options: TapOptions) -> URLParts:
    """Return the parts of the upstream's URL.

    Raises:
        TapError: The text is not a URL, or the URL has a path, a query, or a name and password.
    """
    try:
        parts = URLParts.parse(options.to)
    except ValueError as error:
        raise TapError(str(error)) from error
    origin = f"{parts.scheme}://{parts.authority}"
    if "@" in options.to:
        raise TapError("a name and password belong into the requests of your client, not into --to")
    if parts.target != "/":
        raise TapError(
            f"a tap does not change the path of a request, so --to is only {origin}; "
            "put the rest into the URL of your client"
        )
    return parts


# ---- The program


async def listen(
    options: TapOptions,
    console: Console,
    *,
    connect: Connect = connect,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Listen and relay, until SIGINT (Ctrl-C) or SIGTERM. Then print a summary.

    Args:
        options: The options of the tap.
        console: The console on which the table or the lines are printed.
        connect: The function that opens TCP connections to the upstream.
        task_status: Is told the tap's port as soon as clients can connect.

    Returns:
        The exit code: 130, as after every Ctrl-C.

    Raises:
        TapError: The tap cannot start: a bad URL, a busy port, a file that cannot be written.
    """
    upstream = upstream_of(options)
    origin = f"{upstream.scheme}://{upstream.authority}"
    with ExitStack() as stack:
        sockets = _listen(stack, options.host, options.port, "--listen")
        port = sockets[0].getsockname()[1]
        title = f"{url(options.host, port)} > {origin}"
        metrics: list[socket] = []
        if options.metrics_port is not None:
            metrics = _listen(stack, "localhost", options.metrics_port, "--metrics")
            title += f" · {url('localhost', metrics[0].getsockname()[1])}metrics"
        saving = None
        if options.save is not None:
            saving = SavingQueue(stack.enter_context(Saver(options.save)))
        out = Printer(console)
        is_table = options.top and console.is_terminal and not console.is_dumb_terminal
        following = None if options.top else Following(console, hex=options.hex)
        observers: list[WatchObserver] = [following] if following else []
        if options.top and not is_table:
            observers.append(Lines(out.put))
        watch = Watch(
            origin,
            partial(Masker, options.secrets),
            saving=saving,
            observers=observers,
            max_finished=options.max_finished,
        )
        tap = Tap(options, watch, connect)
        raise_file_limit()
        # Threads that draw and measure must release Python's lock after this time, not after the
        # usual 5 ms, so that the relays can run.
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH_SECONDS)
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch.run)
                if saving is not None:
                    nursery.start_soon(saving.run)
                if metrics:
                    nursery.start_soon(Server(metrics_routes(watch)).serve, metrics)
                if is_table:
                    nursery.start_soon(Top(watch, console, title).run)
                else:
                    out.put(title if options.top else f"{title} · {ONE}")
                    out.flush()
                if following is not None:
                    nursery.start_soon(following.run)
                nursery.start_soon(accept, tap, sockets)
                task_status.started(port)
                await anext(signals)
                nursery.cancel_scope.cancel()
        watch.measure(FINAL_SECONDS)
        out.put(ended_summary(watch))
        if saving is not None:
            saving.finish()
            if saving.lost:
                out.put(f"{saving.lost} reads were not saved: {saving.error or SLOW_DISK}")
        out.flush()
    return INTERRUPTED


async def accept(tap: Tap, sockets: Sequence[socket]) -> None:
    """Relay all clients of these listening sockets, until cancelled. Then close the sockets."""

    async def serve(accepted: trio.SocketStream) -> None:
        try:
            stall = tap.options.stall_seconds
            await tap.serve(SocketStream.adopt(accepted, stall_seconds=stall))
        except Exception:
            log.exception("a connection failed: a bug of the tap")

    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    await trio.serve_listeners(serve, listeners)


def _listen(stack: ExitStack, host: str, port: int, flag: str) -> list[socket]:
    """Open listening sockets. The exit stack will close them."""
    try:
        sockets = server.listen(host, port)
    except server.PortBusyError as error:
        raise TapError(
            f"{error.strerror}: choose another with {flag} (0 picks a free one)"
        ) from error
    except OSError as error:
        raise TapError(f"cannot listen on {host}: {error.strerror or error}") from error
    for sock in sockets:
        stack.callback(sock.close)
    return sockets


# What this file does not do: accept TLS from the client, measure HTTP/2 (it only relays the bytes),
# use several upstreams, or change anything except `Host`.
