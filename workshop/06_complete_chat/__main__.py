"""Lesson 6: the complete chat application: one token, from the model's `yield` to the pixel.

Nothing in this lesson is new. A generator (lessons 1 and 2) makes tokens. Each token is put into a
JSON object in an event (lessons 4 and 5), the event into a chunk (lesson 3), and the chunk into a
socket. On the other side each layer is removed again, until a page appends a few letters to a text.
This lesson asks the server a question, picks one token of the answer, and shows it in each layer.

Run this file, and open the page; then read the files that it names.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import trio
    from rich.cells import cell_len

    from clients.chat import stream_chat
    from clients.tap import WireObserver
    from protocol.chunked import ChunkedDecoder
    from protocol.head import HeadReader
    from protocol.openai.chat_completions import ChatRequest, RequestMessage
    from protocol.openai.deltas import ChatDelta, read_delta
    from protocol.sse import EventStreamParser, ServerSentEvent
    from servers.chat import routes
    from servers.llm.model.tokens import tokenize
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

QUESTION = "你好 from the model 🌊"
PICKED = 1  # 好 is alone in its chunk; the first token shares a chunk with the role


class Reads(WireObserver):
    """Stores the bytes of each read from the socket."""

    def __init__(self) -> None:
        self.start = trio.current_time()
        self.reads: list[bytes] = []

    def received(self, layer: str, data: bytes) -> None:
        if layer == "tcp":
            self.reads.append(data)

    @property
    def seconds(self) -> float:
        return trio.current_time() - self.start


async def watch(port: int) -> None:
    """Ask, show the answer as it arrives, and then show one token of it in each layer."""
    # The model `echo` repeats the question. The stream is closed when the block ends.
    request = ChatRequest("echo", [RequestMessage("user", QUESTION)])
    reads = Reads()
    text = ""
    print(f"1. The question {QUESTION!r}, and the answer as it comes\n")
    async with stream_chat(f"http://localhost:{port}/v1", request, observer=reads) as answer:
        async for delta in answer:
            text += delta.text
            if delta.text:
                print(f"+{reads.seconds:.2f} s   {text}", flush=True)
        print(f"\ncomplete: finish_reason {answer.finish_reason!r}, request {answer.request_id}")
    print(f"\n2. One token of it, {tokenize(QUESTION)[PICKED]!r}, and where it was\n")
    for layer, what, where in path_of(PICKED, reads.reads):
        shown = lesson.visible(what.encode())
        print(f"{layer:10}{shown}{' ' * (38 - cell_len(shown))}{where}")  # 好 is two columns wide


def path_of(picked: int, reads: list[bytes]) -> list[tuple[str, str, str]]:
    """Return (layer, form of the token, file) for each layer.

    The function decodes the bytes of the socket again, read by read, with the same decoders.
    """
    token = tokenize(QUESTION)[picked]
    reader, parser = HeadReader(is_request=False), EventStreamParser()
    chunk, event, the_read = b"", ServerSentEvent(), ""
    body, decoder = b"", ChunkedDecoder()
    for read in reads:
        if not body and reader.receive_data(read) is None:
            continue
        pieces = decoder.receive_data(read if body else reader.trailing_data)
        body += read
        for piece in pieces:
            for found in parser.receive_data(piece):
                delta = read_delta(found.data) if found.data.startswith("{") else ChatDelta()
                if delta.text == token and not chunk:
                    chunk, event = piece, found
                    the_read = f"a read of {len(read)} bytes, chunks in it: {len(pieces)}"
    framed = len(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    short = f'data: {{…"{token}"…}}\n\n'
    number = f"token {picked + 1} of {len(tokenize(QUESTION))}"
    return [
        ("generator", f"{token!r}: {number}", "servers/llm/model/tokens.py"),
        ("sequence", "one step of the engine takes it", "servers/llm/engine.py"),
        ("event", f"{short} {len(chunk)} bytes", "servers/llm/writers/chat_completions.py"),
        ("chunk", f"{len(chunk):x}\r\n{short}\r\n {framed} bytes", "servers/http/body.py"),
        ("socket", "one send, without a task switch", "servers/http/connection.py"),
        ("", "…the kernel, the network, the kernel…", ""),
        ("socket", the_read, "clients/streams/tcp.py"),
        ("chunk", f"its {len(chunk)} bytes, without the framing", "protocol/chunked.py"),
        ("event", f"its data, {len(event.data.encode())} bytes of JSON", "protocol/sse.py"),
        ("delta", f"text {token!r}, {len(token.encode())} bytes", "protocol/openai/deltas.py"),
        ("text", "appended to what is there", "clients/chat.py"),
        ("pixel", "and in a browser", "servers/page/conversation/message.js"),
    ]


CHAT = "workshop chat --base-url http://localhost:{port}/v1"
TRIES = [
    ("The chat page, in a browser; ask it something, and stop it", "http://localhost:{port}/"),
    ("The same in a terminal", CHAT),
    ("An answer that is cut off", CHAT + " --model fault-clean-cut@40 hello"),
    ("What the server counts", "curl http://localhost:{port}/metrics"),
]

if __name__ == "__main__":
    sys.exit(lesson.main(__doc__.partition("\n")[0], 8000, routes, watch, TRIES))
