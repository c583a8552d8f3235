"""Mutants of the families sse and utf8."""

import trio

from clients.streams.tcp import ByteStream

from . import mutant
from .good import Answering
from .sse_good import Events, header

# ---- The head


@mutant("sse.content-type", profile="sse")
class SaysPlainText(Events):
    content_type = "text/plain; charset=utf-8"


@mutant("sse.status-200", profile="sse")
class StreamsWithStatus206(Events):
    success_status = "206 Partial Content"


@mutant("sse.no-transform", profile="sse")
class LetsHopsTransform(Events):
    def stream_fields(self) -> list[str]:
        return ["Cache-Control: no-cache", "X-Accel-Buffering: no"]


@mutant("sse.accel-buffering", profile="sse")
class LetsNginxBuffer(Events):
    def stream_fields(self) -> list[str]:
        return ["Cache-Control: no-cache, no-transform"]


@mutant("sse.accept", profile="sse")
class RefusesEventSource(Events):
    async def answer(self, stream: ByteStream, request: Answering) -> None:
        if header(request, "Accept") == "text/event-stream":
            await self.send_whole(stream, 406, b"not acceptable\n", request)
        else:
            await super().answer(stream, request)


# ---- Lines


@mutant("sse.last-event-ends", profile="sse")
class EndsWithoutABlankLine(Events):
    def events(self, request: Answering) -> list[bytes]:
        found = super().events(request)
        return [*found[:-1], found[-1][:-1]]


@mutant("sse.one-value-an-event", also=("sse.last-event-ends",), profile="sse")
class EndsEventsWithOneLineEnd(Events):
    def event(self, number: int, token: str) -> bytes:
        return f"data: {self.data(token)}\n".encode()


@mutant("sse.no-lost-lines", profile="sse")
class WritesTextWithLineEnds(Events):
    def event(self, number: int, token: str) -> bytes:
        return f"id: {number}\ndata:{token}\nand a second line\n\n".encode()


@mutant("sse.known-fields", profile="sse")
class InventsAField(Events):
    def event(self, number: int, token: str) -> bytes:
        return b"time: 12\n" + super().event(number, token)


@mutant("sse.lf-lines", profile="sse")
class EndsLinesWithCR(Events):
    def event(self, number: int, token: str) -> bytes:
        return super().event(number, token).replace(b"\n", b"\r")


@mutant("sse.no-bom", profile="sse")
class BeginsWithABOM(Events):
    def event(self, number: int, token: str) -> bytes:
        bom = "" if number else "\ufeff"
        return bom.encode() + super().event(number, token)


@mutant("sse.retry-digits", profile="sse")
class WritesARetryWithAUnit(Events):
    def event(self, number: int, token: str) -> bytes:
        return b"retry: 3s\n" + super().event(number, token)


@mutant("sse.no-block-without-data", profile="sse")
class PingsWithoutData(Events):
    def events(self, request: Answering) -> list[bytes]:
        found = super().events(request)
        return [*found[:3], b"event: ping\n\n", *found[3:]]


@mutant("sse.heartbeat", profile="sse")
class IsSilentForLong(Events):
    waits = 0

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        self.waits = 0
        await super().send_pieces(stream, request)

    async def wait(self) -> None:
        self.waits += 1
        await trio.sleep(3600 if self.waits == 6 else self.gap)


# ---- IDs


@mutant("sse.id-without-null", profile="sse")
class WritesNullIntoIDs(Events):
    def event(self, number: int, token: str) -> bytes:
        return f"id: {number}\0\ndata: {self.data(token)}\n\n".encode()


@mutant("sse.ids-differ", also=("sse.resumes",), profile="sse")
class RepeatsAnID(Events):
    def event(self, number: int, token: str) -> bytes:
        return super().event(number // 2, token)


@mutant("sse.resumes", profile="sse")
class IgnoresLastEventID(Events):
    def known(self, request: Answering) -> int:
        return -1


# ---- Characters


@mutant("utf8.valid", profile="sse")
class LosesBytesOfCharacters(Events):
    def event(self, number: int, token: str) -> bytes:
        return super().event(number, token).replace("你".encode(), b"\xe4\xbd")


@mutant("utf8.valid", profile="sse")
class WritesLatin1(Events):
    tokens = tuple("café" for _ in Events.tokens)

    def event(self, number: int, token: str) -> bytes:
        return super().event(number, token).decode().encode("latin-1")


@mutant("utf8.charset", profile="sse")
class SaysLatin1(Events):
    content_type = "text/event-stream; charset=iso-8859-1"


@mutant("utf8.no-replacement", profile="sse")
class DecodesHalfCharacters(Events):
    tokens = ("a \ufffd", "\ufffd b", "c", *Events.tokens)


@mutant("utf8.no-half-pairs", profile="sse")
class CutsInsideUTF16(Events):
    def events(self, request: Answering) -> list[bytes]:
        halves = [b'id: 98\ndata: {"text":"\\ud83d"}\n\n', b'id: 99\ndata: {"text":"\\udc4b"}\n\n']
        return [*super().events(request), *halves]


@mutant("utf8.whole-in-chunks", profile="sse")
class ChunksByBytes(Events):
    def events(self, request: Answering) -> list[bytes]:
        whole = b"".join(super().events(request))
        return [whole[at : at + 20] for at in range(0, len(whole), 20)]
