"""TLS by hand: the plaintext arrives however it is cut; a truncated end is never a clean one."""

import ssl
from collections import deque

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from clients.streams.tcp import READ_SIZE
from clients.streams.tls import MAX_UNSENT, RECORD_SIZE, HandshakeError, TLSStream

from ...streams import MemoryStream, memory_pair, receive_all, receive_until
from .tls_peers import (
    HOST,
    VERSIONS,
    records,
    server_context,
    shake_hands,
    tls_over,
    tls_pair,
    trusting_context,
)

EVENT = b'data: {"text":"\xe4\xbd\xa0"}\n\n'
HELLO = b"hello, " * 10_000  # five records


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> ssl.TLSVersion:
    chosen: ssl.TLSVersion = request.param
    return chosen


# ---- Records


async def test_an_event_is_one_record(version: ssl.TLSVersion) -> None:
    """One write is one record, and only its length can be read on the way."""
    lower = memory_pair()
    _, server = await tls_over(*lower, version=version)
    before = len(lower[1].writes)
    assert server.send_now(EVENT) == len(EVENT)
    (written,) = lower[1].writes[before:]
    (record,) = records(written)
    overhead = 22 if version is ssl.TLSVersion.TLSv1_3 else 29
    assert record[:5] == b"\x17\x03\x03" + (len(EVENT) + overhead - 5).to_bytes(2, "big")
    assert EVENT not in record


async def test_a_long_write_is_cut_at_the_size_of_a_record() -> None:
    """2^14 bytes of plaintext (RFC 8446 §5.1)."""
    lower = memory_pair(1 << 20)
    client, server = await tls_over(*lower)
    before = len(lower[1].writes)
    assert server.send_now(HELLO) == len(HELLO)
    sizes = [len(record) - 22 for write in lower[1].writes[before:] for record in records(write)]
    assert sizes == [RECORD_SIZE] * 4 + [len(HELLO) - 4 * RECORD_SIZE]
    assert await client.receive_some(1 << 20) + await client.receive_some(1 << 20) == HELLO


async def test_one_read_returns_all_records_that_have_come() -> None:
    client, server = await tls_pair()
    for _ in range(3):
        server.send_now(EVENT)
    assert await client.receive_some() == EVENT * 3
    server.send_now(EVENT)
    assert await client.receive_some(6) == EVENT[:6]
    assert await client.receive_some() == EVENT[6:]


async def test_an_empty_write_sends_no_record() -> None:
    lower = memory_pair()
    _, server = await tls_over(*lower)
    before = len(lower[1].writes)
    assert server.send_now(b"") == 0
    await server.send_all(b"")
    assert lower[1].writes[before:] == []


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_a_narrow_connection(size: int, version: ssl.TLSVersion) -> None:
    """The handshake, both directions and the clean end, in segments of `size` bytes."""
    client, server = await tls_pair(size, version)
    async with trio.open_nursery() as nursery:
        for one, other in ((client, server), (server, client)):

            async def send(stream: TLSStream) -> None:
                await stream.send_all(EVENT * 30)
                await stream.send_eof()

            async def receive(stream: TLSStream) -> None:
                assert await receive_all(stream) == EVENT * 30
                assert not stream.truncated

            nursery.start_soon(send, one)
            nursery.start_soon(receive, other)


# ---- The count of send_now


async def test_counted_bytes_were_sent() -> None:
    """A record that was taken in part is not counted, and continues where it was cut."""
    client, server = await tls_pair(size=4000)
    piece = bytes(range(250))
    sent = 0
    while taken := server.send_now(piece):
        assert taken == 250
        sent += taken
    assert sent == 14 * 250  # each record has 272 bytes: the fifteenth was cut
    for _ in range(3):
        assert server.send_now(piece) == 0
    received = await client.receive_some()
    assert len(received) == sent
    assert server.send_now(piece + b"more") == 254
    assert await receive_until(client, b"more") == piece + b"more"


async def test_wait_writable_sends_the_unsent_ciphertext() -> None:
    client, server = await tls_pair(size=100)
    got = b""

    async def receive() -> None:
        nonlocal got
        got = await client.receive_some()

    async with trio.open_nursery() as nursery:
        assert server.send_now(EVENT * 10) == 0
        nursery.start_soon(receive)
        await server.wait_writable()
    assert got == EVENT * 10
    assert server.send_now(EVENT * 10) == len(EVENT * 10)


async def test_a_call_with_other_bytes_than_those_that_wait() -> None:
    """The first record is already encrypted: without it the stream would have a hole."""
    client, server = await tls_pair(size=100)
    assert server.send_now(EVENT * 10) == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.receive_some)
        await server.wait_writable()
    for other in (b"other", EVENT):
        with pytest.raises(ValueError, match="not the bytes that still wait to be sent"):
            server.send_now(other)


async def test_at_most_one_record_is_encrypted_ahead() -> None:
    """Back pressure reaches the caller: if the reader stops, encryption stops too."""
    lower = memory_pair(size=1 << 10)
    _, server = await tls_over(*lower)
    for _ in range(100):
        assert server.send_now(bytes(1 << 20)) == 0
    assert sum(map(len, lower[1].writes[-1:])) <= 1 << 10
    assert len(server._unsent) <= RECORD_SIZE + 22


async def test_send_all_waits_for_the_reader(autojump_clock: MockClock) -> None:
    client, server = await tls_pair()
    with trio.move_on_after(1) as scope:
        await server.send_all(HELLO)
    assert scope.cancelled_caught
    received = await client.receive_some()
    assert received
    assert HELLO.startswith(received)


# ---- The end


async def test_close_notify_is_a_clean_end(version: ssl.TLSVersion) -> None:
    lower = memory_pair()
    client, server = await tls_over(*lower, version=version)
    server.send_now(EVENT)
    server.close()
    assert await receive_all(client) == EVENT
    assert await client.receive_some() == b""
    assert not client.truncated


async def test_truncated_at_every_byte(version: ssl.TLSVersion) -> None:
    """Wherever the connection ends, whole records are delivered, and `truncated` is true.

    It is false only after a whole close_notify.
    """
    for cut in (*range(60), *range(60, 200, 7), None):
        lower = memory_pair()
        client, server = await tls_over(*lower, version=version)
        before = b"".join(lower[1].writes)
        server.send_now(EVENT)
        server.send_now(b"[DONE]")
        server.close()
        ciphertext = b"".join(lower[1].writes)[len(before) :]
        sent = ciphertext[:cut]
        left = await _replayed(client, lower[0], sent)
        ends = [sum(map(len, records(ciphertext)[:n])) for n in range(4)]
        whole = [EVENT, b"[DONE]"][: sum(len(sent) >= end for end in ends[1:3])]
        assert left == (b"".join(whole), len(sent) < ends[3]), cut
    assert len(ciphertext) < 200


async def _replayed(client: TLSStream, lower: MemoryStream, sent: bytes) -> tuple[bytes, bool]:
    """Give the client these bytes, one per read. Returns its plaintext, and `truncated`."""
    waiting = deque(sent[i : i + 1] for i in range(len(sent)))

    def receive_now(max_bytes: int = 0) -> bytes:
        return waiting.popleft() if waiting else b""

    lower.receive_now = receive_now  # type: ignore[method-assign]
    return await receive_all(client), client.truncated


async def test_a_forged_record(version: ssl.TLSVersion) -> None:
    """The records before it are delivered. Then every call fails."""
    lower = memory_pair()
    client, server = await tls_over(*lower, version=version)
    server.send_now(EVENT)
    lower[1].send_now(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    assert await client.receive_some() == EVENT
    for _ in range(2):
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
    with pytest.raises(trio.BrokenResourceError, match=r"api\.example\.com"):
        client.send_now(b"a")
    with pytest.raises(trio.BrokenResourceError):
        await server.receive_some()


async def test_half_close_with_bytes_unread(version: ssl.TLSVersion) -> None:
    """OpenSSL drops undecrypted bytes when it sends close_notify; here nothing is lost."""
    client, server = await tls_pair(version=version)
    server.send_now(EVENT)
    server.send_now(EVENT)
    assert await client.receive_some(1) == EVENT[:1]
    await client.send_eof()
    assert await server.receive_some() == b""
    await server.send_all(b"answer")
    server.close()
    assert await receive_all(client) == EVENT[1:] + EVENT + b"answer"


async def test_aclose_of_a_peer_that_reads_nothing(autojump_clock: MockClock) -> None:
    """Two seconds to send close_notify, two more to wait for the peer's end."""
    _, server = await tls_pair(size=100)
    assert server.send_now(EVENT * 10) == 0
    await server.aclose()
    assert trio.current_time() == 4


async def test_close_without_a_handshake() -> None:
    """No close_notify is sent before a handshake."""
    left, right = memory_pair()
    client = TLSStream(left, trusting_context(), server_hostname=HOST)
    client.close()
    client.close()
    assert await right.receive_some() == b""
    assert left.writes == []


async def test_a_peer_that_asks_for_answers_and_does_not_read() -> None:
    """The output queued for it is limited."""
    client, server = await tls_pair(size=100)
    server._outgoing.write(bytes(MAX_UNSENT + 101))
    client.send_now(b"a")
    with pytest.raises(trio.BrokenResourceError, match="the peer asks for answers and does"):
        await server.receive_some()


# ---- Any cut


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=300), max_size=12),
    size=st.integers(1, 700),
    max_bytes=st.integers(1, 700),
)
def test_any_writes_any_cut(pieces: list[bytes], size: int, max_bytes: int) -> None:
    """The same bytes come out, whatever the sizes of writes and reads."""

    async def main() -> bytes:
        client, server = await tls_pair()
        client._stream._outgoing.size = size  # type: ignore[attr-defined]
        received = bytearray()

        async def receive() -> None:
            while data := await server.receive_some(max_bytes):
                received.extend(data)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for piece in pieces:
                await client.send_all(piece)
            await client.send_eof()
        assert not server.truncated
        return bytes(received)

    assert trio.run(main) == b"".join(pieces)


async def test_a_server_that_chooses_another_protocol() -> None:
    """A server that chose HTTP/2 is refused. One that chose nothing speaks HTTP/1.1."""
    for offered, refused in ((["h2"], True), ([], False)):
        ours = trusting_context.__wrapped__()
        ours.set_alpn_protocols(["h2", "http/1.1"])
        theirs = server_context.__wrapped__()
        theirs.set_alpn_protocols(offered)
        lower = memory_pair()
        client = TLSStream(lower[0], ours, server_hostname=HOST)
        server = TLSStream(lower[1], theirs, server_side=True)
        if not refused:
            await shake_hands(client, server)
            continue
        with pytest.raises(ExceptionGroup):
            await shake_hands(client, server)
        with pytest.raises(HandshakeError, match="chose to speak h2"):
            await client.handshake()


async def test_a_read_leaves_no_plaintext() -> None:
    """A task that waits for the socket would hang. Here the begun record has the largest size."""
    near, far = memory_pair(1 << 20)
    client, server = await tls_over(near, far)
    sizes = [RECORD_SIZE] * 4 + [16295]  # 81,941 bytes of ciphertext, 65,536 of them the last
    for size in sizes:
        server.send_now(bytes(size))
    wire = near.receive_now(1 << 20)
    assert wire is not None
    received = []
    for part in (wire[:-READ_SIZE], wire[-READ_SIZE:]):
        await far.send_all(part)
        while near._readable():
            received.append(client.receive_now())
    assert sum(len(piece or b"") for piece in received) == sum(sizes)


async def test_close_notify_in_one_read_with_the_last_plaintext() -> None:
    """The socket need not become readable again, so only `ended` announces the end."""
    near, far = memory_pair()
    client, server = await tls_over(near, far)
    server.send_now(b"hello")
    server._send_close_notify()
    server._flush_now()
    assert not client.ended
    assert client.receive_now() == b"hello"
    assert client.ended
    assert client.receive_now() == b""


async def test_plaintext_that_came_with_the_end_of_the_handshake(autojump_clock: MockClock) -> None:
    """A client may send its request together with its last handshake message. The server then waits
    for nothing: a connection that waits before it reads would wait for ever."""
    lower = memory_pair()
    client = TLSStream(lower[0], trusting_context(), server_hostname=HOST)
    server = TLSStream(lower[1], server_context(), server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.handshake)
        await client.handshake()
        client.send_now(EVENT)  # before the server has had its turn
    with trio.fail_after(1):
        await server.wait_readable()
    assert server.receive_now() == EVENT
