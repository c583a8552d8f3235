"""Lesson 5: one token in a JSON envelope.

The answer to `POST /v1/chat/completions` with `"stream": true` is an event stream (lesson 4) in
chunks (lesson 3), with an event for each token. `choices[0].delta.content` is the text that the
event adds; everything else is envelope. This lesson asks for one answer and shows each byte of it:
from the real API, a compatible one, or the simulated one. Then the lesson asks again through the
proxy.

    python workshop/05_openai_stream --simulate     no key, no network
    python workshop/05_openai_stream                with the key in OPENAI_API_KEY

Run this file; then read it, and `clients/chat.py`, which is the client it uses.
"""

import argparse
import os
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import trio

    from clients.chat import ChatError, stream_chat
    from clients.http.errors import RequestError
    from clients.streams.tls import TLSParameters, client_context
    from clients.tap import WireObserver
    from protocol.chunked import ChunkedDecoder
    from protocol.head import HeadReader
    from protocol.http1 import Coding, response_framing
    from protocol.openai.chat_completions import ChatRequest, RequestMessage, StreamOptions
    from protocol.openai.deltas import read_delta
    from protocol.openai.lenient import as_json, as_list, as_object, read_json
    from protocol.secret import redact
    from protocol.sse import ServerSentEvent
    from servers import chat
    from servers.http.command import port_number, show_log
    from servers.http.server import PortBusyError, Server, listen
    from servers.llm.pace import Pace
    from servers.openai_proxy.__main__ import base_url, upstream_of
    from servers.openai_proxy.handlers import Upstream, routes
    from workshop.chat.markdown import escape
    from workshop.runner.lesson import INTERRUPTED, Names, any_screen, leave_unread, visible
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

NO_KEY = """\
There are two ways to run this lesson:
  python workshop/05_openai_stream --simulate        a simulated LLM on this machine, no key
  OPENAI_API_KEY=… python workshop/05_openai_stream  the real API; --base-url for another one"""


class Layers(WireObserver):
    """Shows an answer while it arrives: a line for each event, or (with `raw`) for each layer."""

    def __init__(self, raw: bool, loud: bool = True) -> None:
        self._raw = raw
        self._loud = loud
        self._start = trio.current_time()
        self._secure = False
        self._read = 0  # bytes received since the last event
        self._head = HeadReader(is_request=False)
        self._names = Names()
        self._chunks: ChunkedDecoder | None = None
        self._in_body = False
        self.wire = 0  # bytes received, including TLS records and heads
        self.events: list[bytes] = []

    def secured(self, session: TLSParameters) -> None:
        self._secure = True
        say(f"TLS       {session.version}, {session.cipher}, ALPN {session.protocol}")
        say(f"TLS       certificate of {session.subject}")
        say(f"TLS       vouched for by {session.issuer}\n")

    def sent(self, layer: str, data: bytes) -> None:
        if layer == "http" and self._loud:
            for line in lines_of(data):
                say(f"we send   {line}")

    def received(self, layer: str, data: bytes) -> None:
        if layer == "tcp":
            self.wire += len(data)
            self._read += len(data)
            if self._raw and self._secure and data:
                say(f"records   {len(data)} bytes: {data[:12].hex(' ')} …")
            return
        if not self._in_body:
            head = self._head.receive_data(data)
            if head is None:
                return
            self._in_body = True
            data = self._head.trailing_data
            if self._raw and response_framing(head, "POST").coding is Coding.CHUNKED:
                self._chunks = ChunkedDecoder(observer=self._names)
            for line in lines_of(head.raw):
                if self._loud or line.lower().startswith(("http/", "via")):
                    say(f"head      {line}")
            if self._loud:
                print("\n    time     wire  event  what is in choices[0]")
            self._read = len(data)
        if self._chunks is not None and not self._chunks.complete:
            self._chunks.receive_data(data)
            for line in self._names.lines(data):
                say(f"chunks    {line}")

    def event(self, event: ServerSentEvent) -> None:
        size = len(event.data.encode()) + len("data: \n\n")
        if event.data != "[DONE]":
            self.events.append(event.data.encode())
        if self._loud:
            now = trio.current_time() - self._start
            wire = f"{self._read:5} B" if self._read else " " * 7
            say(f"+{now:5.2f} s  {wire}  {size:3} B  {inside(event.data)}")
        self._read = 0


def say(text: str) -> None:
    """Print a line without keys, and without codes that control a terminal."""
    print(redact(escape(text)), flush=True)


def lines_of(data: bytes) -> list[str]:
    return visible(data).replace("␊", "␊\n").removesuffix("\n").split("\n")


def inside(data: str) -> str:
    """Return the part of an event that differs from the other events."""
    try:
        chunk = as_object(read_json(data))
    except ValueError:
        return data  # [DONE] is not JSON
    choices, usage = as_list(chunk.get("choices")), chunk.get("usage")
    if not choices:
        return f"no choice; usage {usage}" if usage else data
    choice = as_object(choices[0])
    end, delta = choice.get("finish_reason"), as_json(choice.get("delta"))
    return f'delta {delta}  finish_reason "{end}"' if end else f"delta {delta}"


async def ask(upstream: Upstream, model: str, question: str, layers: Layers) -> str:
    """Ask the question, and join the texts of the deltas. This is the core of the lesson."""
    request = ChatRequest(
        model,
        [RequestMessage("user", question)],
        stream_options=StreamOptions(include_usage=True),  # otherwise no event has the usage
    )
    text = ""
    # region live
    async with stream_chat(
        upstream.base_url, request, key=upstream.key, ca_file=upstream.ca_file, observer=layers
    ) as answer:
        async for delta in answer:
            text += delta.text  # a chat program would show the text now
    # endregion
    return text


async def show(upstream: Upstream, proxy: str, options: argparse.Namespace) -> None:
    """Show the whole lesson, from the first byte to the errors."""
    model, question = options.model, options.question
    print(f"1. One answer of {upstream.base_url}\n")
    layers = Layers(options.raw)
    text = await ask(upstream, model, question, layers)

    size, events = len(text.encode()), b"".join(layers.events)
    say(f"\n2. What it cost\n\nthe text       {text!r}: {size} bytes")
    print(f"its events     {len(layers.events)}, {len(events)} bytes of JSON")
    print(f"on the wire    {layers.wire} bytes, with the head and all framing")
    print(f"the envelope   {layers.wire / max(size, 1):.0f} bytes on the wire for one of text")
    # The average of the events that have text, without the role, the end and the usage.
    words = [event for event in layers.events if read_delta(event).text]
    if words:
        each, share = sum(map(len, words)) / len(words), size / len(words)
        print(f"an event       {each:.0f} bytes of JSON for {share:.1f} of text, on average")

    print(f"\n3. The same question through the proxy, {proxy}, without a key\n")
    relayed = Layers(raw=False, loud=False)
    again = await ask(Upstream(proxy), model, question, relayed)
    print(f"{len(relayed.events)} events; the same text: {again == text}")

    if options.simulate:
        print("\n4. Errors after a 200: the status was sent long ago\n")
        for fault in ("error-nested@3", "clean-cut@3"):
            try:
                await ask(upstream, f"fault-{fault}", question, Layers(raw=False, loud=False))
            except ChatError as error:
                say(f"          {type(error).__name__}: {error}\n")


TRY = """\
Now you: the proxy goes on. In another terminal:

The events alone:
  curl -N {proxy}/chat/completions -d '{body}'

A conversation:
  workshop chat --base-url {proxy} --model {model}

Ctrl-C stops."""


def main() -> int:
    """Run the lesson. Returns the exit code: 1 if the API did not answer, 130 after Ctrl-C."""
    any_screen()
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="05_openai_stream", description=about)
    add = parser.add_argument
    add("question", nargs="?", default="你好, world 🌊", help="what to ask; default: %(default)s")
    add("--simulate", action="store_true", help="ask a simulated LLM on this machine: no key")
    add(
        "--base-url",
        type=base_url,
        metavar="URL",
        help="ask this API, with OPENAI_API_KEY if that is set",
    )
    add("--key-file", type=Path, metavar="FILE", help="file of the key; default: OPENAI_API_KEY")
    add("--ca-file", metavar="FILE", help="certificates (PEM) to trust in place of the system's")
    add("--model", help="model to ask; default: echo with --simulate, else gpt-4o-mini")
    add("--raw", action="store_true", help="show every layer: TLS records, chunks, events")
    add("--port", type=port_number, default=8005, help="port of the proxy; default: %(default)s")
    add("--fast", action="store_true", help="do not wait between words")
    add("--once", action="store_true", help="stop after the lesson")
    options = parser.parse_args()
    options.model = options.model or ("echo" if options.simulate else "gpt-4o-mini")
    show_log(quiet=True)
    try:
        servers, upstream = simulated(options.fast) if options.simulate else real(options)
        client_context(upstream.ca_file)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    if not upstream.base_url:
        print(NO_KEY)
        return 2
    try:
        sockets = listen("localhost", options.port)
    except PortBusyError as busy:
        print(f"{busy.strerror} (by `workshop`?): the proxy of this lesson takes a free one\n")
        sockets = listen("localhost", 0)
    proxy = f"http://localhost:{sockets[0].getsockname()[1]}/v1"
    servers.append((Server(routes(upstream)), sockets))
    try:
        return trio.run(run, servers, upstream, proxy, options)
    except* BrokenPipeError:
        leave_unread()
    return 0


Servers = list[tuple[Server, list[socket.socket]]]


def simulated(fast: bool) -> tuple[Servers, Upstream]:
    """Return the simulated LLM, on a free port."""
    sockets = listen("localhost", 0)
    server = Server(chat.routes(Pace(0, 0) if fast else Pace(0.5, 0.3)))
    port = sockets[0].getsockname()[1]
    return [(server, sockets)], Upstream(f"http://localhost:{port}/v1")


def real(options: argparse.Namespace) -> tuple[Servers, Upstream]:
    """Return the API named by the flags or the environment. The API's URL is "" if a key is
    missing."""
    configured = options.base_url or os.environ.get("OPENAI_BASE_URL")
    if not (configured or options.key_file or os.environ.get("OPENAI_API_KEY", "").strip()):
        return [], Upstream("")
    url = base_url(configured or Upstream().base_url)
    timeouts = {f"{name}_timeout": 60.0 for name in ("connect", "first_event", "idle", "total")}
    return [], upstream_of(argparse.Namespace(**vars(options) | timeouts | {"base_url": url}))


async def run(servers: Servers, upstream: Upstream, proxy: str, options: argparse.Namespace) -> int:
    """Serve, show the lesson, and without `--once` continue to serve until Ctrl-C."""
    exit_code = 0

    async def lesson(nursery: trio.Nursery) -> None:
        nonlocal exit_code
        try:
            await show(upstream, proxy, options)
        except (ChatError, RequestError) as error:
            say(f"no answer: {error}")
            exit_code = 1
        if options.once or exit_code:
            nursery.cancel_scope.cancel()
        else:
            body = f'{{"model":"{options.model}","stream":true,"messages":['
            body += f'{{"role":"user","content":"{options.question}"}}]}}'
            print("\n" + TRY.format(proxy=proxy, model=options.model, body=body), flush=True)
            exit_code = 0
            shown.set()

    shown = trio.Event()
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:

            async def stop_on_signal() -> None:
                nonlocal exit_code
                await anext(signals)
                exit_code = 0 if shown.is_set() else INTERRUPTED
                nursery.cancel_scope.cancel()

            nursery.start_soon(stop_on_signal)
            for server, sockets in servers:
                nursery.start_soon(server.serve, sockets)
            nursery.start_soon(lesson, nursery)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
