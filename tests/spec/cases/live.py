"""live.*: each piece of a stream arrives when it is made, and not later.

    made      100  200  300  400 …        what the server's program does
    came      101  201  301  401 …        live
    came                          3001    held to the end
    came           201       401          one behind, or in blocks

A client does not see when a piece was made. It sees which pieces come together, how long nothing
came before, and where the chunks end. x-ray judges that (workshop/xray), and it claims nothing
that it cannot know. The bounds here are wide, and they follow the measured pace.
"""

from collections.abc import Iterator
from contextlib import suppress

import trio

from protocol.chunked import ChunkedDecoder
from protocol.errors import DecodeError
from workshop.xray.judge.verdicts import judge

from ..answer import Answer
from ..case import CUSTOM, SHOULD, Failed, Skipped, case
from ..target import Target

LIVE = "A piece is sent as soon as it is made: a reader sees the first before the last exists."

SAME_MOMENT = 8.0  # milliseconds: reads that come closer together are one moment
LATE = 300.0  # milliseconds: shortest wait that counts as one
MIN_MOMENTS_BYTES = 40


class Moment:
    """What came at one moment."""

    def __init__(self, at: float) -> None:
        self.at = self.last = at
        self.size = 0


def moments(answer: Answer) -> list[Moment]:
    """Group the reads of a body into moments."""
    found: list[Moment] = []
    for piece in answer.pieces:
        if not found or piece.at - found[-1].last > SAME_MOMENT:
            found.append(Moment(piece.at))
        found[-1].last = piece.at
        found[-1].size += len(piece.data)
    return found


def largest(answer: Answer) -> tuple[Moment | None, float]:
    """The moment with the most bytes, and its share of the body."""
    some = moments(answer)
    if not some:
        return None, 0.0
    most = max(some, key=lambda moment: moment.size)
    return most, most.size / sum(moment.size for moment in some)


def claims(answer: Answer, code: str) -> str:
    """What x-ray says, if it claims this code; else ""."""
    for verdict in judge(answer.meter):
        if verdict.code == code and verdict.sure > 0.5:
            return verdict.say
    return ""


async def live_answer(target: Target) -> Answer:
    """The shared answer, unless it is held to the end: then nothing more can be seen."""
    answer = await target.success()
    most, share = largest(answer)
    if most is None or (share > 0.9 and len(answer.body) > MIN_MOMENTS_BYTES):
        raise Skipped("the body came in one moment: see live.not-held-to-the-end")
    return await target.stream()


@case(
    "live.not-held-to-the-end",
    CUSTOM,
    "lesson 9",
    LIVE,
    code="servers/http/body.py: async def send(self, piece",
    lesson=9,
    cause="The server, a middleware or a compressor collects the body: yield the pieces from a"
    " generator, and flush each.",
    alone=True,
)
async def not_held_to_the_end(target: Target) -> None:
    answer = await target.success()
    most, share = largest(answer)
    if most is None or len(answer.body) < MIN_MOMENTS_BYTES:
        raise Skipped(f"the body has {len(answer.body)} bytes; this needs an answer that streams")
    if share > 0.9 and most.at >= LATE:
        raise Failed(
            f"All of the body came in one moment, {most.at / 1000:.1f} s after the request.",
            answer,
        )


@case(
    "live.takes-time",
    CUSTOM,
    "lesson 9",
    "A stand-in for a model that writes a whole answer at once does not show its clients a stream.",
    code="servers/llm/pace.py: class Pace",
    lesson=9,
    cause="All events were written in one loop without a pause. Give the stand-in a pace, or ask"
    " for a longer answer.",
    warns=True,
    alone=True,
)
async def takes_time(target: Target) -> None:
    answer = await target.event_stream()
    most, share = largest(answer)
    if most and share > 0.9 and most.at < LATE and len(answer.events) >= 6:
        count = len(answer.events)
        raise Failed(f"All {count} events came in one moment, {most.at:.0f} ms later.", answer)


@case(
    "live.head-before-first-piece",
    CUSTOM,
    "lesson 9",
    "The head is sent before the first piece is made, so that the client knows that it is served.",
    code="servers/http/connection.py: The head is sent before the first piece exists",
    lesson=9,
    cause="The head waits for the first piece: flush it by itself. Servers that want to answer an"
    " early error with a status do this on purpose; then a client needs a longer timeout.",
    warns=True,
    alone=True,
)
async def head_before_first_piece(target: Target) -> None:
    answer = await live_answer(target)
    pace = await target.pace()
    if pace.first < LATE / 1000:
        raise Skipped(f"the first piece comes after {pace.first * 1000:.0f} ms, too soon to tell")
    head_at = answer.reads[0].at
    if answer.pieces[0].at - head_at < SAME_MOMENT and pace.first > 2 * pace.longest:
        raise Failed(f"The head came with the first piece, after {pace.first:.2f} s.", answer)


@case(
    "live.not-in-blocks",
    CUSTOM,
    "lesson 9",
    LIVE,
    code="servers/http/body.py: async def send(self, piece",
    lesson=9,
    cause="A buffer is sent when it is full, not when a piece is made. Flush after each piece.",
    alone=True,
)
async def not_in_blocks(target: Target) -> None:
    answer = await target.success()
    # A program may make pieces of one size. Events show that a block was cut elsewhere.
    if answer.is_event_stream and (say := claims(answer, "buffered-blocks")):
        raise Failed(say, answer)
    sizes = [len(piece.data) for piece in answer.pieces[:-1]]
    if len(sizes) >= 3 and len(set(sizes)) == 1 and sizes[0] in {512 << n for n in range(8)}:
        raise Failed(f"The body comes in blocks of {sizes[0]} bytes.", answer)
    await live_answer(target)


@case(
    "live.not-one-behind",
    CUSTOM,
    "lesson 9",
    LIVE,
    code="servers/http/body.py: async def send(self, piece",
    lesson=9,
    cause="The end of each event is sent with the next one: the blank line belongs to the event.",
    alone=True,
)
async def not_one_behind(target: Target) -> None:
    answer = await live_answer(target)
    if say := claims(answer, "one-behind"):
        raise Failed(say, answer)


@case(
    "live.not-by-timer",
    CUSTOM,
    "lesson 9",
    "Events are sent one by one, not collected for a fixed time.",
    code="servers/http/body.py: def send_now",
    lesson=9,
    warns=True,
    alone=True,
)
async def not_by_timer(target: Target) -> None:
    answer = await live_answer(target)
    if say := claims(answer, "coalesced"):
        raise Failed(say, answer)


@case(
    "live.no-delayed-ack",
    CUSTOM,
    "RFC 9293 §3.7.4",
    "Nagle's algorithm holds a small write until the last one is acknowledged: up to 40 ms.",
    code="clients/streams/tcp.py: TCP_NODELAY, 1",
    lesson=8,
    cause="Set TCP_NODELAY, and send each event in one write.",
    alone=True,
)
async def no_delayed_ack(target: Target) -> None:
    answer = await live_answer(target)
    if say := claims(answer, "nagle"):
        raise Failed(say, answer)


@case(
    "live.event-in-one-chunk",
    CUSTOM,
    "lesson 9",
    "An event is written at once: then no reader gets half of it.",
    code="servers/http/body.py: each piece becomes a frame",
    lesson=9,
    cause="The lines of an event are written one by one. Join them, and write once.",
    warns=True,
    alone=True,
)
async def event_in_one_chunk(target: Target) -> None:
    answer = await target.event_stream()
    if not answer.chunked:
        raise Skipped("the answer is not chunked")
    events = len(answer.events)
    torn = sum(not body.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")) for body in at_chunk_ends(answer))
    if events >= 4 and torn * 2 > events:
        raise Failed(f"{torn} chunks end inside an event, of {events} events.", answer)


def at_chunk_ends(answer: Answer) -> Iterator[bytes]:
    """The last four bytes of each chunk, with those of the chunks before it."""
    sizes: list[int] = []

    def observe(label: str, start: int, end: int) -> None:
        if label == "chunk-size":
            sizes.append(0)
        elif label == "chunk-data":
            sizes[-1] += end - start

    decoder, size = ChunkedDecoder(observer=observe), 0
    with suppress(DecodeError):
        decoder.receive_data(bytes(answer.raw[len(answer.raw_head) :]))
    body = answer.body
    for one in filter(None, sizes):
        size += one
        yield body[max(0, size - 4) : size]


@case(
    "live.identity-if-asked",
    SHOULD,
    "RFC 9110 §12.5.3",
    "If … none of the available representations for the response have a content coding that is"
    " listed as acceptable, the origin server SHOULD send a response without any content coding"
    " unless the identity coding is indicated as unacceptable.",
    code="servers/http/reply.py: compressor",
    lesson=9,
)
async def identity_if_asked(target: Target) -> None:
    await target.success()
    async with target.wire() as wire:
        request = target.request(headers=[("Accept-Encoding", "identity")], close=True)
        await wire.send(request)
        answer = Answer(request, target.method)
        await wire.read(answer, seconds=15, pieces=1)
    coding = answer.field("content-encoding").lower()
    if coding not in ("", "identity"):
        at = answer.raw.lower().find(b"content-encoding")
        raise Failed(f"Accept-Encoding: identity was answered with {coding}.", answer, at=at)


@case(
    "live.gzip-is-flushed",
    CUSTOM,
    "lesson 9",
    "A compressor that is not flushed after each event holds the stream.",
    code="workshop/xray/judge/timing.py: def compressed_unflushed",
    lesson=9,
    cause="Leave event streams uncompressed, or flush the compressor after each (Z_SYNC_FLUSH).",
    alone=True,
)
async def gzip_is_flushed(target: Target) -> None:
    await target.success()
    request = target.request(headers=[("Accept-Encoding", "gzip")], close=True)
    async with target.wire() as wire:
        await wire.send(request)
        answer = Answer(request, target.method)
        while not (answer.head or answer.end):
            await wire.read_some(answer)
        if answer.field("content-encoding").lower() in ("", "identity"):
            raise Skipped("the server does not compress this stream")
        with trio.move_on_after(target.longest):
            await wire.read(answer, seconds=10)
    if say := claims(answer, "compressed-unflushed"):
        raise Failed(say, answer)


@case(
    "live.not-cached",
    CUSTOM,
    "lesson 9",
    "An event stream forbids caches to keep it: Cache-Control: no-cache or no-store.",
    code="servers/http/reply.py: no-cache, no-transform",
    lesson=9,
    cause="Send Cache-Control: no-cache (or no-store) with an event stream.",
    warns=True,
)
async def not_cached(target: Target) -> None:
    answer = await target.event_stream()
    control = answer.field("cache-control").lower()
    if target.method == "GET" and not ("no-cache" in control or "no-store" in control):
        raise Failed("The event stream has no Cache-Control: no-cache.", answer, at=0)


@case(
    "live.two-at-once",
    CUSTOM,
    "lesson 2",
    "A stream that waits does not hold others: a second one begins while the first still runs.",
    code="servers/http/server.py: start_soon(self._serve_connection",
    lesson=2,
    cause="The handler blocks the event loop (time.sleep, a synchronous client in async code), or"
    " there is one worker for one request at a time.",
    alone=True,
)
async def two_at_once(target: Target) -> None:
    await live_answer(target)
    pace = await target.pace()
    request = target.request()
    seconds = 5 + 2 * pace.first + 2 * pace.longest
    async with target.wire() as one, target.wire() as two:
        await one.send(request)
        first, second = Answer(request, target.method), Answer(request, target.method)
        await one.read(first, seconds=seconds, pieces=1)
        await two.send(request)
        async with trio.open_nursery() as nursery:

            async def read_first() -> None:
                await one.read(first, seconds=seconds)
                nursery.cancel_scope.cancel()

            nursery.start_soon(read_first)
            await two.read(second, seconds=seconds + pace.total, pieces=1)
            nursery.cancel_scope.cancel()
    if first.complete and not second.pieces:
        target.serial = True
        raise Failed(
            f"A second stream sent nothing while the first one ran ({first.done_at or 0:.0f} ms).",
            second,
        )
