"""Mutants of the stream itself: what holds it, what does not stop it, and what slow readers do."""

import gzip
import math
import zlib
from itertools import cycle, islice

import trio

from clients.streams.tcp import ByteStream

from . import Answering, Large, Slow, SlowEvents, mutant


@mutant("live.not-held-to-the-end", also=("http10.is-live",))
class HoldsToTheEnd(Slow):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        await trio.sleep(self.gap * self.count)
        await self.send_piece(stream, request, b"".join(self.pieces()))


@mutant("live.takes-time")
class WritesAllAtOnce(SlowEvents):
    gap = 0.0


@mutant("live.head-before-first-piece")
class HoldsTheHead(Slow):
    gap = 0.25

    async def send_head(self, stream: ByteStream, request: Answering) -> None:
        await trio.sleep(0.9)
        await super().send_head(stream, request)

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        for index, piece in enumerate(self.pieces()):
            await trio.sleep(self.gap if index else 0)
            await self.send_piece(stream, request, piece)


class Buffers(SlowEvents):
    """Sends blocks of this many bytes."""

    size = 512
    count = 120
    gap = 0.05

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        held = b""
        for piece in self.pieces():
            await trio.sleep(self.gap)
            held += piece
            while len(held) >= self.size:
                await self.send_piece(stream, request, held[: self.size])
                held = held[self.size :]
        await self.send_piece(stream, request, held)


@mutant("live.not-in-blocks", also=("live.*", "utf8.*"))
class FlushesBySize(Buffers):
    pass


@mutant("live.not-one-behind", also=("live.event-in-one-chunk",))
class SendsTheBlankLineWithTheNextEvent(SlowEvents):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        end = b""
        for piece in self.pieces():
            await trio.sleep(self.gap)
            await self.send_piece(stream, request, end + piece[:-1])
            end = piece[-1:]
        await self.send_piece(stream, request, end)


@mutant("live.not-by-timer")
class CollectsForATime(SlowEvents):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        """A timer sends what has come: now three events, now six."""
        pieces = iter(self.pieces() * 2)
        sizes = cycle((4, 3, 6, 5))
        while held := list(islice(pieces, next(sizes))):
            await trio.sleep(0.3)
            for piece in held:
                await self.send_piece(stream, request, piece)


@mutant("live.event-in-one-chunk")
class WritesLineByLine(SlowEvents):
    async def send_piece(self, stream: ByteStream, request: Answering, piece: bytes) -> None:
        for line in piece.splitlines(keepends=True):
            await super().send_piece(stream, request, line)


@mutant("live.identity-if-asked", also=("live.*", "sse.*", "utf8.*", "http10.*"))
class CompressesAlways(SlowEvents):
    def fields(self, request: Answering) -> list[str]:
        return [*super().fields(request), "Content-Encoding: gzip"]

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        packer = zlib.compressobj(wbits=31)
        for piece in self.pieces():
            await trio.sleep(self.gap)
            packed = packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
            await self.send_piece(stream, request, packed)
        await self.send_piece(stream, request, packer.flush())


@mutant("live.gzip-is-flushed")
class CompressesWithoutFlush(SlowEvents):
    def fields(self, request: Answering) -> list[str]:
        return [*super().fields(request), *self.coding(request)]

    def coding(self, request: Answering) -> list[str]:
        asked = request.head.values(b"accept-encoding") == [b"gzip"]
        return ["Content-Encoding: gzip"] if asked else []

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        if not self.coding(request):
            await super().send_pieces(stream, request)
            return
        await trio.sleep(self.gap * self.count)
        await self.send_piece(stream, request, gzip.compress(b"".join(self.pieces())))


@mutant("live.not-cached")
class ForbidsNoCache(SlowEvents):
    def fields(self, request: Answering) -> list[str]:
        return [line for line in super().fields(request) if "Cache-Control" not in line]


@mutant("live.no-delayed-ack", also=("live.*",))
class WaitsForAcknowledgments(SlowEvents):
    async def send_piece(self, stream: ByteStream, request: Answering, piece: bytes) -> None:
        frame = self.frame(piece) if request.chunked else piece
        await stream.send_all(frame[:8])
        await trio.sleep(0.04)
        await stream.send_all(frame[8:])


class OneAtATime(Slow):
    def __init__(self) -> None:
        super().__init__()
        self.lock = trio.Lock()


@mutant("live.two-at-once", also=("cancel.*", "pressure.*", "conn.*"))
class RunsOneStreamAtATime(OneAtATime):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        async with self.lock:
            await super().send_pieces(stream, request)


# ---- Disconnects


@mutant(
    "cancel.close-stops-the-producer",
    "cancel.reset-stops-the-producer",
    "cancel.before-the-first-piece",
)
class IgnoresTheDisconnect(Slow):
    async def send_piece(self, stream: ByteStream, request: Answering, piece: bytes) -> None:
        try:
            await super().send_piece(stream, request, piece)
        except trio.BrokenResourceError:
            pass


@mutant("cancel.before-the-first-piece")
class LooksForTheClientTooEarly(Slow):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        gone = False
        for number, piece in enumerate(self.pieces()):
            await trio.sleep(self.gap)
            try:
                if not gone:
                    await self.send_piece(stream, request, piece)
            except trio.BrokenResourceError:
                if number > 1:
                    raise
                gone = True  # and it goes on


@mutant("cancel.others-go-on", also=("cancel.*", "pressure.*", "live.*", "conn.*", "chunked.*"))
class BreaksAllStreams(Slow):
    """One broken write ends every stream that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: set[trio.CancelScope] = set()

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        with trio.CancelScope() as scope:
            self.scopes.add(scope)
            try:
                await super().send_pieces(stream, request)
            except trio.BrokenResourceError:
                for other in self.scopes - {scope}:
                    other.cancel()
                raise
            finally:
                self.scopes.discard(scope)
        if scope.cancelled_caught:
            stream.close()


@mutant("cancel.server-lives-on")
class LosesAWorkerAtEachDisconnect(Slow):
    workers = 12

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        if self.workers <= 0:
            await trio.sleep(60)
            self.workers = 1000
        try:
            await super().send_pieces(stream, request)
        except trio.BrokenResourceError:
            self.workers -= 1
            raise


# ---- Slow readers


@mutant("pressure.slow-reader-gets-all")
class DropsWhatWouldBlock(Slow):
    pipe = 8 << 10

    def pieces(self) -> list[bytes]:
        return [bytes([97 + number % 26]) * 2000 for number in range(self.count)]

    async def send_piece(self, stream: ByteStream, request: Answering, piece: bytes) -> None:
        frame = self.frame(piece) if request.chunked else piece
        if stream.send_now(frame) < len(frame):
            stream.close()
            raise trio.BrokenResourceError


@mutant("pressure.stalled-readers-slow-nobody", also=("pressure.*", "cancel.*"))
class WritesToAllInOneLoop(OneAtATime):
    pipe = 4 << 10

    def pieces(self) -> list[bytes]:
        return [b"x" * 1500 for _ in range(self.count)]

    async def send_piece(self, stream: ByteStream, request: Answering, piece: bytes) -> None:
        async with self.lock:
            await super().send_piece(stream, request, piece)


@mutant("pressure.producer-waits", also=("cancel.*",))
class QueuesForTheReader(Large):
    """Its producer never waits: what is not read is kept in memory."""

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        queue, waiting = trio.open_memory_channel[bytes](math.inf)
        kept = 0
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, stream, request, waiting)
                async with queue:
                    for piece in self.pieces():
                        await trio.sleep(self.gap)
                        queue.send_nowait(piece)
                        self.kept += len(piece)
                        kept += len(piece)
        except* trio.BrokenResourceError:
            raise trio.BrokenResourceError from None
        finally:
            self.kept -= kept

    async def _write(
        self, stream: ByteStream, request: Answering, waiting: trio.MemoryReceiveChannel[bytes]
    ) -> None:
        async for piece in waiting:
            await self.send_piece(stream, request, piece)


@mutant("pressure.half-a-request-slows-nobody", also=("*",))
class ReadsOneRequestAtATime(OneAtATime):
    async def read_request(
        self, stream: ByteStream, unread: bytes
    ) -> tuple[Answering | None, bytes]:
        async with self.lock:
            return await super().read_request(stream, unread)


@mutant("pressure.many-readers")
class CutsTheEleventhStream(Slow):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        if self.running > 10:
            await self.send_piece(stream, request, self.pieces()[0])
            stream.close()
        await super().send_pieces(stream, request)
