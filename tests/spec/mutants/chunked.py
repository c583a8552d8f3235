"""Mutants of the chunked coding: framing that is written wrongly, or read too leniently."""

import re

from clients.streams.tcp import ByteStream
from protocol.chunked import encode_chunk, encode_last_chunk
from protocol.errors import DecodeError
from protocol.http1 import BodyDecoder, Coding, Framing, body_decoder

from . import Answering, Slow, mutant

# ---- Written wrongly


@mutant("chunked.ends-with-last-chunk")
class ForgetsTheLastChunk(Slow):
    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        request.keep_alive = False


@mutant("chunked.size-is-bytes")
class CountsCharacters(Slow):
    def frame(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece.decode()), piece)


@mutant("chunked.size-is-bytes")
class CountsTheLineEndToo(Slow):
    def frame(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece) + 2, piece)


@mutant("chunked.size-is-hex")
class WritesSizesWith0x(Slow):
    def frame(self, piece: bytes) -> bytes:
        return b"0x%x\r\n%b\r\n" % (len(piece), piece)


@mutant("chunked.lines-end-in-crlf")
class EndsChunkLinesInLF(Slow):
    def frame(self, piece: bytes) -> bytes:
        return b"%x\n%b\r\n" % (len(piece), piece)


@mutant("chunked.nothing-after-the-end", also=("conn.*", "live.*"))
class FramesAnEmptyPiece(Slow):
    def frame(self, piece: bytes) -> bytes:
        last = encode_last_chunk() if piece.startswith(b"9 ") else b""
        return last + encode_chunk(piece)


@mutant("chunked.without-content-length")
class AddsALength(Slow):
    def fields(self, request: Answering) -> list[str]:
        return [*super().fields(request), "Content-Length: 99"]


@mutant("chunked.applied-once")
class NamesTheCodingTwice(Slow):
    def fields(self, request: Answering) -> list[str]:
        more = ["Transfer-Encoding: chunked"] if request.chunked else []
        return [*super().fields(request), *more]


@mutant("chunked.trailers-without-framing")
class SendsALengthAsTrailer(Slow):
    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        if request.chunked:
            await stream.send_all(b"0\r\nContent-Length: 5\r\n\r\n")


# ---- Read wrongly


@mutant("chunked.request-is-read", also=("chunked.request-*",))
class TakesNoChunks(Slow):
    def decoder(self, framing: Framing) -> BodyDecoder:
        if framing.coding is Coding.CHUNKED:
            raise DecodeError("chunks are not supported", 0)
        return body_decoder(framing)


class WholeOnly:
    """Takes a body only if all of it comes in one read."""

    def __init__(self, decoder: BodyDecoder) -> None:
        self._decoder = decoder
        self._begun = False

    @property
    def complete(self) -> bool:
        return self._decoder.complete

    @property
    def trailing_data(self) -> bytes:
        return self._decoder.trailing_data

    def receive_data(self, data: bytes) -> list[bytes]:
        if data and self._begun and not self.complete:
            raise DecodeError("not a chunk", 0)
        self._begun = self._begun or bool(data)
        return self._decoder.receive_data(data)

    def receive_eof(self) -> None:
        self._decoder.receive_eof()


@mutant("chunked.request-may-be-torn")
class WantsABodyInOneRead(Slow):
    def decoder(self, framing: Framing) -> BodyDecoder:
        decoder = super().decoder(framing)
        return WholeOnly(decoder) if framing.coding is Coding.CHUNKED else decoder


@mutant("chunked.request-extensions-ignored")
class RefusesExtensions(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"(?m)^[0-9a-f]+;(?!a\n).*\r\n", b"?\r\n", data)


@mutant("chunked.request-trailers-read")
class RefusesTrailers(Slow):
    def clean(self, data: bytes) -> bytes:
        return data.replace(b"\r\n0\r\nX-Spec", b"\r\n0\r\n?")


@mutant("chunked.request-size-not-hex")
class ReadsSizesWithInt(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"\r\n(?:0x|\+|0_)5\r\n", b"\r\n5\r\n", data)


@mutant("chunked.request-size-huge")
class WrapsSizes(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"\r\n10+5\r\n", b"\r\n5\r\n", data)


@mutant("chunked.request-data-too-long")
class SkipsTwoBytes(Slow):
    def clean(self, data: bytes) -> bytes:
        return data.replace(b"helloXX", b"hello\r\n")


@mutant("chunked.request-bare-lf")
class AcceptsLFAfterASize(Slow):
    def clean(self, data: bytes) -> bytes:
        return re.sub(rb"(?m)^(5(?:;a)?)\n", rb"\1\r\n", data)


@mutant("chunked.request-unfinished")
class TakesTheEndForTheLastChunk(Slow):
    method = "POST"
    request_body = b'{"stream": true}'

    def take_eof(self, decoder: BodyDecoder) -> None:
        pass
