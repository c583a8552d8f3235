"""No client makes the others wait long: a task does little between two checkpoints."""

import pytest
import trio

from servers.http.reply import Handler, Reply, Request
from servers.http.routes import Routes

from ...streams import receive_all
from ..driving import connected, get
from ..turns import Turns, counted_turns

MANY = 500

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
PIPELINED = {
    "GET": get(),
    "HEAD": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a body of known length": POST + b"Content-Length: 3\r\n\r\nabc",
    "a body in chunks": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "after an empty line": b"\r\n" + get(),
}


def counting(turns: Turns) -> Handler:
    async def handler(request: Request) -> Reply:
        turns.did()
        return Reply("hello\n")

    return handler


@pytest.mark.parametrize("request_", PIPELINED.values(), ids=PIPELINED)
async def test_pipelined_requests_take_one_turn_each(request_: bytes) -> None:
    """A pipeline comes in one read, so nothing would wait without a checkpoint for each request."""
    with counted_turns() as turns:
        handler = counting(turns)
        async with connected(Routes({"GET /": handler, "POST /": handler}), size=1 << 20) as memory:
            await memory.client.send_all(request_ * MANY)
            await memory.client.send_eof()
            await receive_all(memory.client)
    assert turns.total == MANY
    assert turns.most == 1


async def test_requests_that_no_handler_answers_take_one_turn_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The table of routes answers 404, 405 and OPTIONS by itself."""
    with counted_turns() as turns:
        routes = Routes({})
        find = routes.find

        def counted(method: str, path: str) -> object:
            turns.did()
            return find(method, path)

        monkeypatch.setattr(routes, "find", counted)
        async with connected(routes, size=1 << 20) as memory:
            await memory.client.send_all(get("/x") * MANY)
            await memory.client.send_eof()
            await receive_all(memory.client)
    assert turns.total == MANY
    assert turns.most == 1


async def test_a_turn_ends_at_a_checkpoint() -> None:
    with counted_turns() as turns:
        turns.did(2)
        turns.did(3)
        await trio.lowlevel.checkpoint()
        turns.did(4)
    assert (turns.most, turns.total) == (5, 9)
