"""A client that sends its whole request before it reads, as most do, can read its refusal."""

import pytest
import trio

from servers.http.routes import Routes

from ...streams import SAFETY
from ..driving import echo, running

SIZE = 12_000_000  # more than the kernel buffers for a connection, and more than `max_body_size`


@pytest.mark.parametrize(("path", "status"), [("/echo", b"413"), ("/nothing", b"404")])
async def test_a_refusal_is_read_by_a_client_that_sends_first(path: str, status: bytes) -> None:
    request = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    async with running(Routes({"POST /echo": echo})) as server:
        client = await server.connect()
        with trio.fail_after(SAFETY):
            await client.send_all(request + bytes(SIZE))
            assert (await client.receive_some()).startswith(b"HTTP/1.1 " + status)
