"""What passes through a connection, shown to somebody who looks on.

    class Sizes(Observer):
        def received(self, layer: str, data: bytes) -> None:
            print(layer, len(data))

    async with request("GET", url, observer=Sizes()) as response:

    layer     of https://                      of http://
    "tcp"     TLS records, as the kernel had   the same as "http"
    "http"    what was inside them             heads, and bodies in their framing

A look changes nothing: the same bytes, calls and errors, with a `Tap` between or without.
"""

from protocol.sse import ServerSentEvent

from .streams.tcp import READ_SIZE, ByteStream
from .streams.tls import Session

__all__ = ["Observer", "Tap"]


class Observer:
    """Is told what happens. Nothing comes of it, until a subclass says what."""

    def secured(self, session: Session) -> None:
        """The TLS handshake is done."""

    def sent(self, layer: str, data: bytes) -> None:
        """These bytes have left. A key may be in them: `protocol.secret.redact` before showing."""

    def received(self, layer: str, data: bytes) -> None:
        """One read has brought these bytes; b"" is the end."""

    def event(self, event: ServerSentEvent) -> None:
        """An event of the body is whole (of clients that read events: chat.py)."""


class Tap:
    """A byte stream around another one.

    Args:
        stream: does everything; it belongs to this one from now on.
        observer: is told.
        layer: what to call these bytes.
    """

    def __init__(self, stream: ByteStream, observer: Observer, layer: str) -> None:
        self._stream = stream
        self._observer = observer
        self._layer = layer

    @property
    def truncated(self) -> bool:
        """See `TLSStream`."""
        return getattr(self._stream, "truncated", False)

    def send_now(self, data: bytes) -> int:
        sent = self._stream.send_now(data)
        if sent:
            self._observer.sent(self._layer, data[:sent])
        return sent

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)
        if data:
            self._observer.sent(self._layer, data)

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        data = self._stream.receive_now(max_bytes)
        if data is not None:
            self._observer.received(self._layer, data)
        return data

    async def wait_readable(self) -> None:
        await self._stream.wait_readable()

    async def receive_some(self, max_bytes: int = READ_SIZE) -> bytes:
        data = await self._stream.receive_some(max_bytes)
        self._observer.received(self._layer, data)
        return data

    async def wait_writable(self) -> None:
        await self._stream.wait_writable()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    def close(self) -> None:
        self._stream.close()

    def reset(self) -> None:
        self._stream.reset()

    def fileno(self) -> int:
        return self._stream.fileno()
