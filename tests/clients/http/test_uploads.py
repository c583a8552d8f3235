"""Requests larger than one write, and responses that come before the whole request was sent."""

import pytest
import trio
import trio.testing

from clients.http.client import open_client
from clients.http.errors import ConnectError, RequestError
from clients.http.exchange import exchange

from ...streams import SAFETY, memory_pair


@pytest.mark.parametrize("status", [307, 401, 413, 503])
async def test_a_refusal_is_read_while_the_upload_runs(status: int) -> None:
    """The server sends 413, reads no more and keeps the connection: the client does not hang."""
    client, server = memory_pair(16 << 10)
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:

            async def refuse() -> None:
                await server.receive_some()
                await server.send_all(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)

            nursery.start_soon(refuse)
            response = await exchange(client, "POST", "/", (("Host", "h"),), bytes(1 << 20))
    assert (response.status, await response.read()) == (status, b"no")
    assert not response.reusable, "the request was not sent completely"


async def test_an_early_success_does_not_end_the_upload() -> None:
    """A server may answer before it has read the whole request (RFC 9110 §7.5)."""
    client, server = memory_pair(16 << 10)
    body = bytes(1 << 20)
    size = len(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n") + len(body)
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:
            received = bytearray()

            async def answer() -> None:
                await server.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                while len(received) < size:
                    received.extend(await server.receive_some())

            nursery.start_soon(answer)
            response = await exchange(client, "POST", "/", (("Host", "h"),), body)
    assert received.endswith(body)
    assert (response.status, await response.read()) == (200, b"ok")
    assert response.reusable


async def test_a_connection_closed_here_while_the_upload_runs() -> None:
    """Its error is not an ExceptionGroup either."""
    client, _ = memory_pair(16 << 10)
    with trio.fail_after(SAFETY):
        async with trio.open_nursery() as nursery:

            async def close() -> None:
                await trio.testing.wait_all_tasks_blocked()
                client.close()

            nursery.start_soon(close)
            with pytest.raises(trio.ClosedResourceError):
                await exchange(client, "POST", "/", (("Host", "h"),), bytes(1 << 20))


async def test_an_error_is_not_wrapped_by_open_client() -> None:
    """It is not an ExceptionGroup: `except RequestError` around the block catches it."""
    caught: Exception | None = None
    url = f"http://127.0.0.1:{await unused_port()}/"
    try:
        async with open_client() as client, client.request("GET", url):
            pass
    except RequestError as error:
        caught = error
    assert isinstance(caught, ConnectError)


async def unused_port() -> int:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port: int = listener.socket.getsockname()[1]
    await listener.aclose()
    return port
