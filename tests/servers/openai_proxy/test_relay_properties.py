"""However an answer is split into reads, the client gets the same bytes."""

from contextlib import nullcontext
from functools import partial
from typing import Any

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.http.exchange import Response
from clients.streams.poller import Poller
from protocol.chunked import ChunkedDecoder, encode_chunk
from protocol.head import HeadReader
from servers.http.body import Body
from servers.http.reply import CutOff
from servers.openai_proxy.log_record import ExchangeSummary
from servers.openai_proxy.relay import Timeouts, UpstreamExchange

from ...clients.streams.test_tcp import in_memory as pair_in_memory
from ...clients.streams.test_tcp import on_loopback
from ...streams import memory_pair, receive_all
from .fake_api import END, EVENTS

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map(str.encode)
LINES = [b"data: {}\n\n", b": ping\n", b"data: [DONE]\n\n", b"\r\n", b"data: \xf0\x9f"]
lines = st.sampled_from(LINES)


async def relayed(pieces: list[bytes], size: int, *, in_memory: bool = True) -> tuple[bytes, bool]:
    """Relay a body in these pieces. Returns what the client reads, and whether it was cut off.

    Args:
        size: Number of unread bytes that the client's connection can hold.
        in_memory: Whether the upstream is connected in memory. Otherwise it has a real socket, with
            the poller.
    """
    head = HeadReader(is_request=False).receive_data(EVENTS)
    assert head is not None
    api, upstream = await (pair_in_memory() if in_memory else on_loopback())
    client, downstream = memory_pair(size)
    arrivals = Poller()
    asking: Any = nullcontext()
    exchange = UpstreamExchange(asking, arrivals, Timeouts(), ExchangeSummary("m", 0))
    received, cut_off = b"", False

    async def send() -> None:
        for piece in pieces:
            await upstream.send_all(piece)
        await upstream.send_eof()

    async def relay() -> None:
        nonlocal cut_off
        body = Body(downstream, chunked=True)
        try:
            await exchange.relay(Response(api, "POST", head, b""), body, True, "/v1/responses")
        except CutOff:
            cut_off = True
        await downstream.send_eof()

    async with trio.open_nursery() as serving:
        serving.start_soon(arrivals.run)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(relay)
            received = await receive_all(client)
        serving.cancel_scope.cancel()
    api.close()
    upstream.close()
    return received, cut_off


@settings(deadline=None, max_examples=60)
@given(st.lists(texts | lines, max_size=12), st.integers(1, 40), st.sampled_from([1, 7, 4096]))
def test_any_split(data: list[bytes], cut: int, size: int) -> None:
    stream = b"".join(encode_chunk(piece) for piece in data) + END
    pieces = [stream[start : start + cut] for start in range(0, len(stream), cut)]
    decoder = ChunkedDecoder()
    received, cut_off = trio.run(relayed, pieces, size)
    assert not cut_off
    assert b"".join(decoder.receive_data(received)) == b"".join(data)
    assert decoder.complete
    assert decoder.trailing_data == b""


def test_two_megabytes_of_emoji_in_single_bytes_at_the_borders() -> None:
    emoji = "data: 👩🏽‍🚀😵‍💫🏳️‍🌈 你好\n\n".encode()
    count = 2_000_000 // len(emoji)
    stream = encode_chunk(emoji) * count + END
    pieces = [stream[start : start + 4099] for start in range(0, len(stream), 4099)]
    pieces = [part for piece in pieces for part in (piece[:1], piece[1:]) if part]
    decoder = ChunkedDecoder()
    received, _ = trio.run(relayed, pieces, 1 << 16)
    assert b"".join(decoder.receive_data(received)) == emoji * count
    assert decoder.complete


def whole(received: bytes) -> tuple[bytes, bool]:
    decoder = ChunkedDecoder()
    return b"".join(decoder.receive_data(received)), decoder.complete


@settings(deadline=None, max_examples=40)
@given(
    st.lists(texts | lines, max_size=8),
    st.integers(1, 60),
    st.sampled_from([7, 4096]),
    st.integers(0, 400),
)
def test_both_ways_are_the_same(data: list[bytes], cut: int, size: int, length: int) -> None:
    """The shared poller and a task for each stream relay the same bytes, complete or truncated."""
    stream = (b"".join(encode_chunk(piece) for piece in data) + END)[:length]
    pieces = [stream[start : start + cut] for start in range(0, len(stream), cut)]
    alone, alone_cut = trio.run(relayed, pieces, size)
    together, together_cut = trio.run(partial(relayed, pieces, size, in_memory=False))
    assert (whole(together), together_cut) == (whole(alone), alone_cut)
