"""The upstream of every hop: one server whose answers are paced, cut or silent, as the path says.

    POST /naive/whole/17 HTTP/1.1     60 events, one every 50 ms, [DONE]; Cache-Control: no-cache
    POST /ours/reset/18 HTTP/1.1      24 events, then an RST; the head asks hops not to buffer
    POST /naive/fin/19 HTTP/1.1       24 events, half of one more, then a FIN
    POST /ours/silent/20 HTTP/1.1     4 events, then nothing, and the connection stays open

An event has about 250 bytes, so a block of 4 KiB is full after 0.8 s. An answer has 15 KB in all.
So a hop that collects blocks, or collects for some time, can be told from a hop that collects
everything. The last part of the path is the number of the request. For this number, the upstream
notes when it sent each event.
"""

from collections.abc import AsyncGenerator
from typing import Literal, get_args

import trio

from protocol.openai.chat_completions import ChatCompletionChunk, ChunkChoice, Delta, DeltaTemplate
from protocol.openai.common import encode_data
from servers.http.reply import CutOff, EventStream, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes

__all__ = ["EVENTS", "FIRST", "GAP", "WAYS", "Head", "Upstream", "Way"]

Head = Literal["naive", "ours"]
"""The fields of the response's head that hops should obey."""

HEADERS = {"naive": (("Cache-Control", "no-cache"),), "ours": EventStream.HEADERS}

Way = Literal["whole", "reset", "fin", "silent"]
"""How the answer goes on and ends."""

WAYS: tuple[Way, ...] = get_args(Way)

FIRST = 0.5
"""Seconds from the head to the first event."""

GAP = 0.05
"""Seconds between events."""

EVENTS = {"whole": 60, "reset": 24, "fin": 24, "silent": 4}
"""Number of events with text."""


class Upstream:
    """The server's routes. They note when each event was sent.

    Args:
        sent: For each number of a request, the server writes the time of the head and of each event
            here, in seconds of trio's clock.
    """

    def __init__(self, sent: dict[str, list[float]]) -> None:
        self.sent = sent

    @property
    def routes(self) -> Routes:
        return Routes({f"POST /{head}/{{rest}}": self._answer for head in get_args(Head)})

    async def _answer(self, request: Request) -> Reply | StreamingReply:
        _, head, way, number = request.path.split("/")
        times = self.sent[number] = [trio.current_time()]
        return StreamingReply(
            events(way, times),
            content_type="text/event-stream; charset=utf-8",
            headers=HEADERS[head],
        )


async def events(way: str, times: list[float]) -> AsyncGenerator[bytes | Last, None]:
    """The body's pieces. Each is one chunk and one write."""
    due = trio.current_time() + FIRST
    for count in range(EVENTS[way]):
        await trio.sleep_until(due)
        due += GAP
        times.append(trio.current_time())
        yield TEMPLATE.encode(WORDS[count] + " ")
    match way:
        case "whole":
            await trio.sleep_until(due)
            times.append(trio.current_time())
            yield LAST
            yield Last(b"data: [DONE]\n\n")
        case "reset":
            await trio.sleep_until(due)
            raise CutOff(reset=True)
        case "fin":
            await trio.sleep_until(due)
            half = TEMPLATE.encode("lost")
            yield half[: len(half) // 2]
            raise CutOff
        case _:
            await trio.sleep_forever()


def chunk(delta: Delta, reason: Literal["stop"] | None = None) -> ChatCompletionChunk:
    return ChatCompletionChunk(
        id="chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        created=1_790_000_000,
        model="sim-1",
        system_fingerprint="fp_44709d6fcb",
        choices=[ChunkChoice(index=0, delta=delta, finish_reason=reason)],
    )


TEXT = """A hop reads bytes on one side and writes them on the other. It may write them later, in
other pieces, compressed, or never. So when a stream comes late, listen on both sides of each hop
and compare the times: what came in at once and went out at the end was held there. Then look into
that program's manual for the line that says so."""
WORDS = TEXT.split()
TEMPLATE = DeltaTemplate(chunk(Delta(content="")), "content")
LAST = encode_data(chunk(Delta(), "stop"))
