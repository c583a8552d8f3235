"""Mutants of connections and of HTTP/1.0: what happens around a stream."""

import trio

from clients.streams.tcp import ByteStream
from protocol.errors import DecodeError
from protocol.head import Head, HeadReader

from . import Answering, Slow, mutant


@mutant("conn.keep-alive-after-stream", also=("conn.pipelined-in-order", "chunked.nothing-*"))
class ClosesWithoutSaying(Slow):
    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        await super().send_end(stream, request)
        request.keep_alive = False


@mutant("conn.persists")
class ClosesAfterEachStream(Slow):
    async def answer_stream(self, stream: ByteStream, request: Answering) -> None:
        request.keep_alive = False
        await super().answer_stream(stream, request)


@mutant("conn.close-is-honoured", also=("head.cl-te", "head.te-http10"))
class IgnoresClose(Slow):
    async def answer(self, stream: ByteStream, request: Answering) -> None:
        await super().answer(stream, request)
        request.keep_alive = request.chunked


@mutant("conn.close-is-announced", also=("conn.keep-alive-after-stream",))
class DoesNotAnnounceTheClose(Slow):
    def close_field(self) -> list[str]:
        return []


class ReadsOn(Slow):
    """Reads from the client while it streams."""

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        gone = False
        with trio.CancelScope() as scope:
            try:
                async with trio.open_nursery() as nursery:

                    async def watch() -> None:
                        nonlocal gone
                        gone = not await stream.receive_some()
                        if gone:
                            scope.cancel()

                    nursery.start_soon(watch)
                    await super().send_pieces(stream, request)
                    nursery.cancel_scope.cancel()
            except* trio.BrokenResourceError:
                gone = True
        if gone:
            raise trio.BrokenResourceError


@mutant(
    "conn.half-close-at-once",
    "conn.half-close-keeps-streaming",
    also=("conn.pipelined-in-order", "chunked.request-*", "head.*"),
)
class StopsAtAHalfClose(ReadsOn):
    pass


@mutant("conn.pipelined-in-order", also=("chunked.request-*", "head.*"))
class LosesWhatFollows(Slow):
    async def read_request(
        self, stream: ByteStream, unread: bytes
    ) -> tuple[Answering | None, bytes]:
        return await super().read_request(stream, b"")


@mutant("conn.request-may-be-torn", also=("chunked.*",))
class TakesAReadForARequest(Slow):
    async def read_request(
        self, stream: ByteStream, unread: bytes
    ) -> tuple[Answering | None, bytes]:
        data = unread or await self.receive(stream)
        if not data:
            return None, b""
        if b"\r\n\r\n" not in data and len(data) < 4096:
            HeadReader().receive_data(data)  # a bad byte is refused with its own error
            raise DecodeError("not a request", 0)
        return await super().read_request(stream, data)


@mutant("conn.body-may-come-later", also=("chunked.*", "conn.expect-continue"))
class WantsHeadAndBodyTogether(Slow):
    method = "POST"
    request_body = b'{"stream": true}'

    async def read_request(
        self, stream: ByteStream, unread: bytes
    ) -> tuple[Answering | None, bytes]:
        data = unread or await self.receive(stream)
        if data.startswith(b"POST") and data.endswith(b"\r\n\r\n"):
            raise DecodeError("no body", 0)
        if not data:
            return None, b""
        return await super().read_request(stream, data)


@mutant("conn.expect-continue")
class NeverContinues(Slow):
    async def send_continue(self, stream: ByteStream, head: Head) -> None:
        pass


@mutant("conn.refusal-can-be-read")
class ClosesWithBytesUnread(Slow):
    async def refuse(self, stream: ByteStream, error: DecodeError) -> None:
        if error.error_status_hint == 413:
            stream.reset()  # the kernel does it for a close with unread bytes
        else:
            await super().refuse(stream, error)


@mutant("conn.error-ends-the-connection", also=("head.*", "chunked.*"))
class ReadsOnAfterAnError(Slow):
    async def read_request(
        self, stream: ByteStream, unread: bytes
    ) -> tuple[Answering | None, bytes]:
        data = unread or await self.receive(stream)
        if b" spec HTTP" in data:
            await self.send_whole(stream, 400, b"no\n")
            data = data.partition(b"\r\n\r\n")[2]
        return await super().read_request(stream, data) if data else (None, b"")


# ---- HTTP/1.0


@mutant("http10.without-chunks")
class SendsChunksToHTTP10(Slow):
    async def answer_stream(self, stream: ByteStream, request: Answering) -> None:
        if not request.chunked:
            request.chunked = True
            await super().answer_stream(stream, request)
            request.keep_alive = False
        else:
            await super().answer_stream(stream, request)


@mutant("http10.closes", also=("http10.is-live",))
class StaysOpenForHTTP10(Slow):
    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        await super().send_end(stream, request)
        if not request.chunked:
            await trio.sleep_forever()


@mutant("http10.ends-with-fin")
class ResetsHTTP10(Slow):
    async def send_end(self, stream: ByteStream, request: Answering) -> None:
        await super().send_end(stream, request)
        if not request.chunked:
            await trio.sleep(1)
            stream.reset()


@mutant("http10.is-live")
class CollectsForHTTP10(Slow):
    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        if request.chunked:
            await super().send_pieces(stream, request)
        else:
            await trio.sleep(self.gap * self.count)
            await stream.send_all(b"".join(self.pieces()))


@mutant("http10.without-1xx")
class ContinuesHTTP10(Slow):
    async def answer(self, stream: ByteStream, request: Answering) -> None:
        if request.head.is_http10 and request.head.values(b"expect"):
            await self.send_continue(stream, request.head)
        await super().answer(stream, request)


@mutant("http10.without-host")
class WantsHostInHTTP10(Slow):
    def path_of(self, head: Head) -> str:
        if not head.values(b"host"):
            raise DecodeError("no Host", 0)
        return super().path_of(head)
