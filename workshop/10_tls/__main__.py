"""Lesson 10: TLS is another pipe. The protocol inside is the same, and an eavesdropper can read
only lengths.

Lessons 3 and 4 still hold: the server writes the same bytes, but into a stream that encrypts them
(`clients/streams/tls.py`). The network carries them as records. A record is a header of five bytes,
which gives the length of the rest, and the rest, which only the two ends can read.

    17 03 03 00 3b  9c 41 e0 …         type 23 (application data), TLS, 59 bytes
    42 bytes of plaintext + 1 byte, the real type + 16 bytes, the tag, which proves that nobody
                                                    changed them

A server that streams writes each token as soon as the model has made it, so each token has a record
of its own. Anybody who can watch the records on the network learns how long each token of the
answer is.

Run this file; then read it, and `clients/streams/tls.py`, where OpenSSL works between two buffers,
without a socket.
"""

import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import msgspec
    import trio
    import trustme
    from h11 import RemoteProtocolError

    from clients.http.exchange import exchange
    from clients.streams.tcp import READ_SIZE, SocketStream
    from clients.streams.tls import TLSStream, client_context
    from protocol.chunked import encode_chunk
    from protocol.sse import EventStreamParser, ServerSentEvent, encode_comment, encode_event
    from servers import sse
    from servers.http.reply import EventStream, Last, Reply, Request, StreamingReply
    from servers.http.routes import Routes
    from servers.llm.pace import Pace
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

HEADERS = (("Host", "localhost"), ("Last-Event-ID", "11"))  # the last ten words of the text


# --- The server of lesson 4, which does not know about TLS ---------------------------------------


def routes(pace: Pace) -> Routes:
    """Return routes with lesson 4's events at `/`, and the same events, padded to one length, at
    `/padded`."""
    plain, _ = sse.routes(pace).find("GET", "/")
    assert not isinstance(plain, Reply)

    async def padded(request: Request) -> StreamingReply | Reply:
        reply = await plain(request)
        if not isinstance(reply, EventStream):
            return reply
        return EventStream(pad_events(reply))

    return Routes({"GET /": plain, "GET /padded": padded})


# region pad
async def pad_events(reply: EventStream) -> AsyncGenerator[bytes | Last, None]:
    """Put a comment before each event, so that all events have the same length."""
    assert isinstance(reply.source, AsyncGenerator)
    async for piece in reply.source:
        if isinstance(piece, Last):  # this is written together with the last chunk, `0␍␊␍␊`
            yield Last(pad(piece.piece, PADDED - 5))
        else:
            yield pad(piece, PADDED)


def pad(event: bytes, size: int) -> bytes:
    return encode_comment("." * (size - len(event) - len(encode_comment()))) + event
# endregion


PADDED = 96  # length of each padded event, in bytes


# --- The listener: an eavesdropper on the network ---------------------------------------------
#
# The listener cannot read the bytes, and if it changed them, the ends would notice. But it can
# count the bytes, and it can cut the connection.


class TappedStream(SocketStream):
    """The client's connection, with a listener that receives everything the server sends.

    Attributes:
        heard: The ciphertext that the server has sent so far.
        cut_after: Number of bytes of ciphertext after which the listener sends a FIN in the
            server's name.
    """

    __slots__ = ("cut_after", "heard")

    def __init__(self, sock: socket.socket, cut_after: int = 1 << 30) -> None:
        super().__init__(sock)
        self.heard = b""
        self.cut_after = cut_after

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        data = super().receive_now(max_bytes)
        if data is not None:
            data = data[: self.cut_after - len(self.heard)]
            self.heard += data
        return data


def records(ciphertext: bytes) -> list[tuple[bytes, bytes]]:
    """Split ciphertext into (header, content) of each complete record."""
    found = []
    while len(ciphertext) >= (end := 5 + int.from_bytes(ciphertext[3:5])):
        found.append((ciphertext[:5], ciphertext[5:end]))
        ciphertext = ciphertext[end:]
    return found


# "The length … is the sum of the lengths of the content and the padding, plus one for the inner
# content type, plus any expansion added by the AEAD algorithm" (RFC 8446 §5.2): 1 + 16.
OVERHEAD = 17

# The listener has read our documentation, so it knows that the number of bytes around a token is
# always the same.
AROUND = len(encode_chunk(encode_event(ServerSentEvent("word", '{"text":""}', "12"))))


class Word(msgspec.Struct):
    text: str


# --- The client -------------------------------------------------------------------------------


async def connect(port: int, context: ssl.SSLContext, cut_after: int = 1 << 30) -> "TLSPipe":
    opened = await trio.open_tcp_stream("localhost", port)
    tapped = TappedStream(socket.socket(fileno=opened.socket.detach()))
    tls = TLSStream(tapped, context, server_hostname="localhost")
    await tls.handshake()
    tapped.heard = b""  # drop the handshake, because the answer follows
    tapped.cut_after = cut_after
    return TLSPipe(tapped, tls)


class TLSPipe:
    """An encrypted connection, and the listener on it."""

    def __init__(self, tapped: TappedStream, tls: TLSStream) -> None:
        self.tapped = tapped
        self.tls = tls

    async def events(self, target: str, *, show: bool = False) -> list[ServerSentEvent]:
        """Send a request, and read the whole answer with the same client as for `http://`."""
        events: list[ServerSentEvent] = []
        parser = EventStreamParser()
        shown = 0
        try:
            response = await exchange(self.tls, "GET", target, HEADERS)
            async for piece in response:
                events += parser.receive_data(piece)
                heard = records(self.tapped.heard)
                for header, record in heard[shown:] if show else ():
                    content = f"{len(record):4} bytes  {record[:8].hex(' ')} …"
                    print(f"  {header.hex(' ')}  {content}", flush=True)
                shown = len(heard)
        finally:
            self.tls.close()
        return events


async def read_lengths(port: int, context: ssl.SSLContext) -> None:
    print("1. Each record on the network: only its first five bytes are readable\n")
    pipe = await connect(port, context)
    events = await pipe.events("/", show=True)
    sizes = [len(record) for _, record in records(pipe.tapped.heard)]
    words = [event for event in events if event.event == "word"]
    texts = [msgspec.json.decode(word.data, type=Word).text for word in words]
    # The records are the head, the line `retry`, one for each word, and `done` with the last chunk.
    guess = [size - OVERHEAD - AROUND for size in sizes[2 : 2 + len(words)]]
    truth = [len(text.encode()) for text in texts]
    print(f"\n  the listener's guess   {guess}")
    print(f"  the tokens, in bytes   {truth}")
    print(f"  the same: {guess == truth}   {texts}", flush=True)


async def read_padded(port: int, context: ssl.SSLContext) -> None:
    print("\n2. The same events, each padded to one length\n")
    pipe = await connect(port, context)
    await pipe.events("/padded")
    sizes = [len(record) for _, record in records(pipe.tapped.heard)]
    print(f"  the listener hears     {sizes[1:]}")


async def cut(port: int, context: ssl.SSLContext) -> None:
    print("\n3. An attacker sends a FIN in the server's name: which client notices?\n")
    for what, cut_after in (("not cut", 1 << 30), ("cut", 800)):
        pipe = await connect(port, context, cut_after)
        try:
            await pipe.events("/")
            chunked = "the last chunk has come"
        except RemoteProtocolError as error:
            chunked = str(error)
        print(f"  {what:13}HTTP/1.1  {chunked}")
        pipe = await connect(port, context, cut_after)
        await pipe.tls.send_all(b"GET / HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: 11\r\n\r\n")
        while await pipe.tls.receive_some():
            pass
        closed = "no close_notify" if pipe.tls.truncated else "close_notify has come"
        print(f"  {'':13}HTTP/1.0  {closed}", flush=True)
        pipe.tls.close()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        authority = trustme.CA()
        public = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(public))

        async def watch(port: int) -> None:
            trusting = client_context(str(public))
            await read_lengths(port, trusting)
            await read_padded(port, trusting)
            await cut(port, trusting)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0  # session tickets would be records too
        tries = [(what, line.replace("{ca}", str(public))) for what, line in TRIES]
        about = __doc__.partition("\n")[0]
        return lesson.main(about, 8443, routes, watch, tries, tls=context)


GET = r"printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'"
CLIENT = "openssl s_client -quiet -CAfile {ca} -connect localhost:{port}"
TRIES = [
    ("The events", "curl -N --cacert {ca} https://localhost:{port}/"),
    ("Without the CA: curl refuses the server", "curl https://localhost:{port}/"),
    ("netcat for TLS", f"{GET} | {CLIENT}"),
    ("The records, as they come", f"{GET} | {CLIENT} -msg | grep --line-buffered -A1 RecordHeader"),
]

if __name__ == "__main__":
    sys.exit(main())
