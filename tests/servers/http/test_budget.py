"""The budget for all request bodies of a server: taken as they come, and given back."""

import pytest
import trio

from servers.http.limits import Budget
from servers.http.reply import Reply, Request, StreamingReply
from servers.http.routes import Routes

from ...streams import receive_until
from ..driving import Pieces, Running, refusal, running, until

FULL = refusal(503, "this server holds as many request bodies as it can: try again later")


def post(body: bytes, *fields: bytes, size: int | None = None) -> bytes:
    length = b"Content-Length: %d" % (len(body) if size is None else size)
    lines = [b"POST / HTTP/1.1", b"Host: a", length, *fields, b"", body]
    return b"\r\n".join(lines)


class Holding:
    """A handler that keeps its request until the test releases it."""

    def __init__(self) -> None:
        self.has = 0
        self.go = trio.Event()
        self.routes = Routes({"POST /": self._handle})

    async def _handle(self, request: Request) -> Reply:
        self.has += 1
        await self.go.wait()
        return Reply(b"%d" % len(request.body))


def test_a_budget() -> None:
    budget = Budget(10)
    assert budget.take(10)
    assert budget.take(0)
    assert not budget.take(1)
    budget.give_back(4)
    assert not budget.take(5)
    assert budget.take(4)
    assert budget.left == 0


async def test_no_more_than_the_budget_is_held() -> None:
    """Of two hundred clients at the same time, those over the budget are refused at once."""
    holding = Holding()
    refused: list[bytes] = []
    served: list[bytes] = []

    async def one(server: Running) -> None:
        reply = await server.ask(post(b"abc", b"Connection: close"))
        (refused if reply == FULL else served).append(reply)

    async with running(holding.routes, max_bodies_size=30) as server:
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(one, server)
            await until(lambda: len(refused) == 190)
            assert (holding.has, served) == (10, [])
            holding.go.set()
        assert len(served) == 10
        await one(server)  # all is given back
        assert len(served) == 11


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_half_a_body_counts_until_its_client_disconnects(framing: str) -> None:
    """The bytes that have come are counted, not those that were announced."""
    holding = Holding()
    holding.go.set()
    begun = post(b"12345678", size=1000)
    if framing == "chunks":
        begun = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678"
    async with running(holding.routes, max_bodies_size=10) as server:
        slow = await server.connect()
        await slow.send_all(begun)
        await until(lambda: server.server._bodies.left == 2)  # no event says what has come
        ask = post(b"abc", b"Connection: close")
        assert await server.ask(ask) == FULL
        slow.reset()
        await until(lambda: server.server._bodies.left == 10)
        assert (await server.ask(ask)).endswith(b"\r\n\r\n3")


async def test_pipelined_bodies_are_given_back_one_by_one() -> None:
    holding = Holding()
    holding.go.set()
    async with running(holding.routes, max_bodies_size=10) as server:
        reply = await server.ask(post(b"1234567890") * 3 + post(b"", b"Connection: close"))
    assert reply.count(b"HTTP/1.1 200 ") == 4


async def test_a_body_over_both_limits_is_too_large() -> None:
    """413 says that it can never be sent; 503 would say that it can be sent later."""
    async with running(Holding().routes, max_bodies_size=10) as server:
        reply = await server.ask(post(b"", size=11 << 20))
        assert reply == refusal(413, f"a request body over {10 << 20} bytes")


async def test_a_reply_that_streams_holds_no_body() -> None:
    """The body is given back when the reply begins, even if the handler keeps a part of it."""

    async def endless(request: Request) -> StreamingReply:
        async def pieces() -> Pieces:
            yield b"one"
            await trio.sleep_forever()

        return StreamingReply(pieces())

    async with running(Routes({"POST /": endless}), max_bodies_size=10) as server:
        clients = [await server.connect() for _ in range(3)]
        for client in clients:
            await client.send_all(post(b"x" * 10))
            await receive_until(client, b"one\r\n")
