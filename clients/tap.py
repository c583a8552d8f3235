"""An observer for the bytes on a connection.

    class Sizes(WireObserver):
        def received(self, layer: str, data: bytes) -> None:
            print(layer, len(data))

    async with request("GET", url, observer=Sizes()) as response:

    layer     of https://                      of http://
    "tcp"     TLS records, as sent             the same as "http"
    "http"    the plaintext of these records   heads, and bodies in their framing

An `ObservedStream` only observes: bytes, calls and errors are the same as without an observer.
"""

from protocol.sse import ServerSentEvent

from .streams.tcp import LINGER_SIZE, READ_SIZE, ByteStream
from .streams.tls import TLSParameters

__all__ = ["ObservedStream", "WireObserver"]


class WireObserver:
    """The base class of observers. A method is called for each thing that happens; a subclass
    overrides the methods it needs."""

    def secured(self, parameters: TLSParameters) -> None:
        """The TLS handshake is done."""

    def sent(self, layer: str, data: bytes) -> None:
        """One write sent these bytes. Use `protocol.secret.redact` before you show them, because
        they may hold a key."""

    def received(self, layer: str, data: bytes) -> None:
        """One read returned these bytes; b"" is the end of the stream."""

    def event(self, event: ServerSentEvent) -> None:
        """An event of the body is complete. Only clients that read events (chat.py) call this."""


class ObservedStream(ByteStream):
    """A byte stream that passes everything to another one, and tells an observer about it.

    Args:
        stream: The stream that does the work. The `ObservedStream` owns it from now on.
        observer: The observer whose `sent` and `received` are called.
        layer: The name of the layer, "tcp" or "http", passed to the observer.
    """

    def __init__(self, stream: ByteStream, observer: WireObserver, layer: str) -> None:
        self._stream = stream
        self._observer = observer
        self._layer = layer

    @property
    def truncated(self) -> bool:
        return self._stream.truncated

    @property
    def ended(self) -> bool:
        return self._stream.ended

    def send_now(self, data: bytes) -> int:
        sent = self._stream.send_now(data)
        if sent:
            self._observer.sent(self._layer, data[:sent])
        return sent

    def receive_now(self, max_bytes: int = READ_SIZE) -> bytes | None:
        data = self._stream.receive_now(max_bytes)
        if data is not None:
            self._observer.received(self._layer, data)
        return data

    async def wait_writable(self) -> None:
        await self._stream.wait_writable()

    async def wait_readable(self) -> None:
        await self._stream.wait_readable()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self, size: int = LINGER_SIZE) -> None:
        await self._stream.aclose(size)

    def close(self) -> None:
        self._stream.close()

    def reset(self) -> None:
        self._stream.reset()

    def fileno(self) -> int:
        return self._stream.fileno()
