"""For any answer, cut anywhere on its way here, the client gets the same bytes."""

from contextlib import nullcontext
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.arrivals import Arrivals
from clients.exchange import Response
from protocol.chunked import ChunkedDecoder, encode_chunk
from protocol.head import HeadReader
from servers.body import Body
from servers.openai_proxy.record import Record
from servers.openai_proxy.relay import Clocks, Exchange

from ...streams import memory_pair, receive_all
from .behind import END, EVENTS

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode)
LINES = [b"data: {}\n\n", b": ping\n", b"data: [DONE]\n\n", b"\r\n", b"data: \xf0\x9f"]
lines = st.sampled_from(LINES)


async def relayed(pieces: list[bytes], size: int) -> bytes:
    """What a client reads of a body that comes in these pieces."""
    head = HeadReader(is_request=False).receive_data(EVENTS)
    assert head is not None
    (api, behind), (client, downstream) = memory_pair(), memory_pair(size)
    asking: Any = nullcontext()
    exchange = Exchange(asking, Arrivals(), Clocks(), Record("m", 0))
    received: list[bytes] = []

    async def send() -> None:
        for piece in pieces:
            await behind.send_all(piece)
        await behind.send_eof()

    async def relay() -> None:
        body = Body(downstream, chunked=True)
        await exchange.relay(Response(api, "POST", head, b""), body, True, "/v1/responses")
        await downstream.send_eof()

    async def receive() -> None:
        received.append(await receive_all(client))

    async with trio.open_nursery() as nursery:
        for task in (send, relay, receive):
            nursery.start_soon(task)
    return received[0]


@settings(deadline=None, max_examples=60)
@given(st.lists(texts | lines, max_size=12), st.integers(1, 40), st.sampled_from([1, 7, 4096]))
def test_any_split(data: list[bytes], cut: int, size: int) -> None:
    stream = b"".join(encode_chunk(piece) for piece in data) + END
    pieces = [stream[start : start + cut] for start in range(0, len(stream), cut)]
    decoder = ChunkedDecoder()
    body = b"".join(decoder.receive_data(trio.run(relayed, pieces, size)))
    assert body == b"".join(data)
    assert decoder.complete
    assert decoder.trailing_data == b""


def test_two_megabytes_of_emoji_in_single_bytes_at_the_borders() -> None:
    emoji = "data: 👩🏽‍🚀😵‍💫🏳️‍🌈 你好\n\n".encode()
    count = 2_000_000 // len(emoji)
    stream = encode_chunk(emoji) * count + END
    pieces = [stream[start : start + 4099] for start in range(0, len(stream), 4099)]
    pieces = [part for piece in pieces for part in (piece[:1], piece[1:]) if part]
    decoder = ChunkedDecoder()
    body = b"".join(decoder.receive_data(trio.run(relayed, pieces, 1 << 16)))
    assert body == emoji * count
