"""An observer for the bytes on a connection.

    class Sizes(WireObserver):
        def received(self, layer: str, data: bytes) -> None:
            print(layer, len(data))

    async with request("GET", url, observer=Sizes()) as response:

    layer     of https://                      of http://
    "tcp"     TLS records, as sent             the same as "http"
    "http"    the plaintext of these records   heads, and bodies in their framing

An `ObservedStream` changes nothing: the bytes, calls and errors are the same without it.
"""

from protocol.sse import ServerSentEvent

from .streams.tcp import LINGER_SIZE, READ_SIZE, ByteStream
from .streams.tls import TLSParameters

__all__ = ["ObservedStream", "WireObserver"]


class WireObserver:
    """Its methods are called when something happens. A subclass overrides those it needs."""

    def secured(self, parameters: TLSParameters) -> None:
        """The TLS handshake is done."""

    def sent(self, layer: str, data: bytes) -> None:
        """One write sent these bytes. They may hold a key: use `protocol.secret.redact` first."""

    def received(self, layer: str, data: bytes) -> None:
        """One read brought these bytes; b"" is the end."""

    def event(self, event: ServerSentEvent) -> None:
        """An event of the body is complete. Only clients that read events (chat.py) call this."""


class ObservedStream(ByteStream):
    """A byte stream that tells an observer what passes through another one.

    Args:
        stream: The stream that does the work. This one owns it from now on.
        observer: Its `sent` and `received` are called.
        layer: The name of these bytes.
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
