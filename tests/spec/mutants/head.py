"""Mutants of heads: requests that are repaired and not refused, and responses that lack a field."""

import re

from clients.streams.tcp import ByteStream
from protocol.errors import DecodeError
from protocol.head import Head

from . import Answering, Slow, mutant

HOST = rb"(?i)\r\nhost:[^\r\n]*"

# ---- Requests


class AnyHost(Slow):
    def path_of(self, head: Head) -> str:
        target = head.start_line.split(b" ")[1].decode()
        return re.sub(r"^https?://[^/]*", "", target)


@mutant("head.host-missing", "head.host-twice", "head.host-invalid")
class ReadsNoHost(AnyHost):
    pass


@mutant("head.absolute-form")
class WantsAPath(Slow):
    def path_of(self, head: Head) -> str:
        if b" http" in head.start_line:
            raise DecodeError("not a path", 0)
        return super().path_of(head)


@mutant("head.space-before-colon")
class TrimsNames(Slow):
    def clean(self, data: bytes) -> bytes:
        return data.replace(b"X-Spec :", b"X-Spec:")


@mutant("head.name-is-token")
class AcceptsAnyName(Slow):
    def clean(self, data: bytes) -> bytes:
        return data.replace(b"X Spec:", b"X-Spec:").replace(b"no colon here", b"no: colon")


@mutant("head.request-line-garbage", also=("conn.error-ends-the-connection",))
class AcceptsAnyRequestLine(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"^(GET \S+) spec", rb"\1", data)


@mutant("head.obs-fold")
class DropsFoldedLines(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"(?i)\r\nTransfer-Encoding:\r\n[ \t]+[^\r\n]*", b"", data)


@mutant("head.bare-cr", also=("*.request-may-be-torn",))
class EndsLinesAtCR(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"\r(?!\n)", b"\r\n", data)


@mutant("head.bare-lf", also=("*.request-may-be-torn",))
class EndsLinesAtLF(Slow):
    def clean(self, data: bytes) -> bytes:
        return data if b"chunked" in data else re.sub(rb"(?<!\r)\n", b"\r\n", data)


@mutant("head.empty-line-before", also=("*.request-may-be-torn",))
class RefusesAnEmptyLine(Slow):
    def clean(self, data: bytes) -> bytes:
        if data.startswith(b"\r\n"):
            raise DecodeError("no request-line", 0)
        return data


@mutant("head.cl-te")
class PrefersChunks(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"Content-Length: 5\r\n(?=Transfer)", b"", data)


@mutant("head.te-http10")
class ReadsChunksInHTTP10(Slow):
    def clean(self, data: bytes) -> bytes:
        return data.replace(b"HTTP/1.0", b"HTTP/1.1") if b"chunked" in data else data


@mutant("head.te-not-chunked")
class LooksForTheWordChunked(Slow):
    def clean(self, data: bytes) -> bytes:
        return data.replace(b"chunked, identity", b"chunked").replace(b"xchunked", b"chunked")


@mutant("head.cl-not-digits")
class ReadsLengthsWithInt(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"Content-Length: (?:\+5|0_5)\r", b"Content-Length: 5\r", data)


@mutant("head.cl-different")
class TakesTheFirstLength(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"\r\nContent-Length: 6(?=\r)|(?<=: 5), 6", b"", data)


@mutant("head.too-large", also=("conn.error-ends-the-connection",))
class ClosesWithoutAWord(Slow):
    async def refuse(self, stream: ByteStream, error: DecodeError) -> None:
        if error.error_status_hint != 431:
            await super().refuse(stream, error)


@mutant("head.method-unknown", "head.405-has-allow")
class AnswersAnyMethod(Slow):
    async def refuse_method(self, stream: ByteStream, request: Answering) -> None:
        if request.method == "SPEC":
            await self.answer_stream(stream, request)
        else:
            await self.send_whole(stream, 405, b"not this\n", request)


@mutant("head.head-without-body")
class StreamsForHead(Slow):
    async def answer_stream(self, stream: ByteStream, request: Answering) -> None:
        request.method = "GET"
        await super().answer_stream(stream, request)


# ---- Responses


@mutant("head.response-grammar", also=("head.head-without-body",))
class EndsHeadLinesInLF(Slow):
    async def send_head(self, stream: ByteStream, request: Answering) -> None:
        lines = ["HTTP/1.1 200 OK", *self.fields(request), "", ""]
        await stream.send_all("\n".join(lines).encode())


@mutant("head.content-type", also=("sse.*",))
class NamesNoType(Slow):
    def fields(self, request: Answering) -> list[str]:
        return [line for line in super().fields(request) if "Content-Type" not in line]


@mutant("head.date")
class SendsNoDate(Slow):
    def date(self) -> list[str]:
        return []
