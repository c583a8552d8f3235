"""A correct server of event streams. A mutant changes one method of it.

    GET /events

    id: 3
    data: {"text":" 你好"}

A request with `Last-Event-ID: 3` gets the events after that one.
"""

import json

import trio

from clients.streams.tcp import ByteStream

from .good import Answering, Good

__all__ = ["TOKENS", "Events", "header"]

TOKENS = (
    *(
        "Streams travel",
        " from the model",
        " to your screen:",
        " 你好",
        " 👋",
        " each token leaves",
    ),
    *(" the server", " while another", " token waits", " for its turn."),
)


def header(request: Answering, name: str) -> str:
    """The value of a header field of the request; "" without one."""
    values = request.head.values(name.lower().encode())
    return values[0].decode() if values else ""


class Events(Good):
    """The correct server of event streams.

    Attributes:
        tokens: The text, in pieces.
        success_status: Status code and reason of the response that streams.
    """

    path = "/events"
    content_type = "text/event-stream; charset=utf-8"
    gap = 0.05
    tokens: tuple[str, ...] = TOKENS
    success_status = "200 OK"

    def fields(self, request: Answering) -> list[str]:
        kept = [one for one in super().fields(request) if not one.startswith("Cache-Control")]
        return [*kept, *self.stream_fields()]

    def stream_fields(self) -> list[str]:
        return ["Cache-Control: no-cache, no-transform", "X-Accel-Buffering: no"]

    async def send_head(self, stream: ByteStream, request: Answering) -> None:
        lines = [f"HTTP/1.1 {self.success_status}", *self.fields(request), "", ""]
        await stream.send_all("\r\n".join(lines).encode())

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        for piece in self.events(request):
            await self.wait()
            await self.send_piece(stream, request, piece)

    async def wait(self) -> None:
        """Wait before a piece."""
        await trio.sleep(self.gap)

    def events(self, request: Answering) -> list[bytes]:
        """The events to send, one in each piece."""
        known = self.known(request)
        return [
            self.event(number, token) for number, token in enumerate(self.tokens) if number > known
        ]

    def known(self, request: Answering) -> int:
        """The number of the event that the client has; -1 for none."""
        text = header(request, "Last-Event-ID")
        return int(text) if text.isdecimal() else -1

    def event(self, number: int, token: str) -> bytes:
        return f"id: {number}\ndata: {self.data(token)}\n\n".encode()

    def data(self, token: str) -> str:
        return json.dumps({"text": token}, ensure_ascii=False)
