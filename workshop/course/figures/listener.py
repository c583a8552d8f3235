"""Lesson 10: the reader types a sentence, and an eavesdropper reads the length of each word.

    17 03 03 00 40      64 bytes: 17 of TLS, 45 around the token, 2 of it
    the listener says   2

The server and the client speak TLS with each other. The listener sees only the ciphertext.
"""

import socket
import ssl
from collections.abc import AsyncGenerator
from functools import cache
from typing import Annotated

import msgspec
import trio
import trustme

from clients.streams.tcp import READ_SIZE, SocketStream
from clients.streams.tls import TLSStream, client_context
from protocol.chunked import encode_chunk
from protocol.sse import ServerSentEvent, encode_event
from servers.http.reply import EventStream, Last, Request
from servers.http.routes import Routes
from servers.llm.model.tokens import tokenize

from ..words import Words
from .kit import Figure, Tell, choices, field
from .lab import LOOPBACK, get, serving
from .wire import Chip, chips

__all__ = ["LISTENER"]

MAX_TOKENS = 40
RECORD_HEAD = 5  # bytes of a record's head, which are not encrypted
OVERHEAD = 17  # RFC 8446 §5.2: one byte for the type, and 16 of the tag
SENTENCE = "Nobody can read this 🌊"


class Options(msgspec.Struct):
    sentence: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


def form(say: Words) -> str:
    attributes = f'value="{SENTENCE}" required maxlength="100" size="28"'
    return field(say, "figure.listener.sentence", "sentence", attributes) + choices(
        say, "figure.listener.guess", "guess", ["none", "some", "all"]
    )


def still(say: Words) -> str:
    return chips(
        Chip(say("figure.listener.record", bytes=len(frame(token)) + OVERHEAD), str(size), token)
        for token in tokenize(SENTENCE)
        for size in [len(token.encode())]
    )


def frame(token: str) -> bytes:
    """Return the chunk of a token's event, as the server writes it."""
    data = msgspec.json.encode({"text": token}).decode()
    return encode_chunk(encode_event(ServerSentEvent(data=data)))


class Tapped(SocketStream):
    """The client's end of the connection, with the listener on it.

    Attributes:
        heard: The ciphertext that the server has sent since the handshake.
    """

    __slots__ = ("heard",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.heard = b""

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        data = super().receive_now(max_bytes)
        self.heard += data or b""
        return data


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the TLS settings of the server and of the client, who trust one authority."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    server.num_tickets = 0  # session tickets would be records too
    client = client_context()
    authority.configure_trust(client)
    return server, client


async def run(options: Options, tell: Tell) -> None:
    tokens = [*tokenize(options.sentence)][:MAX_TOKENS]

    async def stream(request: Request) -> EventStream:
        async def events() -> AsyncGenerator[bytes | Last, None]:
            for token in tokens:
                data = msgspec.json.encode({"text": token}).decode()
                yield encode_event(ServerSentEvent(data=data))
                await trio.sleep(0.02)

        return EventStream(events())

    server, client = contexts()
    async with serving(Routes({"GET /": stream}), tls=server) as port:
        heard = await listen(port, client)
    sizes = lengths(heard)
    # The first record is the head, the last ones are the end of the body and of the connection.
    around = len(frame(""))
    guesses = [size - OVERHEAD - around for size in sizes[1 : 1 + len(tokens)]]
    truth = [len(token.encode()) for token in tokens]
    right = sum(guess == size for guess, size in zip(guesses, truth, strict=False))
    rows = zip(sizes[1:], guesses, tokens, strict=False)
    await tell({"rows": list(rows), "right": right, "all": len(tokens)})


async def listen(port: int, context: ssl.SSLContext) -> bytes:
    """Ask, and read the whole answer. Returns the ciphertext after the handshake."""
    opened = await trio.open_tcp_stream(LOOPBACK, port)
    tapped = Tapped(socket.socket(fileno=opened.socket.detach()))
    tls = TLSStream(tapped, context, server_hostname="localhost")
    try:
        await tls.handshake()
        tapped.heard = b""
        await tls.send_all(get("/"))
        while await tls.receive_some():
            pass
    finally:
        tls.close()
    return tapped.heard


def lengths(ciphertext: bytes) -> list[int]:
    """Return the length of each record's content, in bytes."""
    found = []
    while len(ciphertext) >= RECORD_HEAD:
        size = int.from_bytes(ciphertext[3:RECORD_HEAD])
        found.append(size)
        ciphertext = ciphertext[RECORD_HEAD + size :]
    return found


LISTENER = Figure("listener", Options, form, still, run)
