"""A faulty hop truncates a stream; the client at the end of the chain must notice.

    chat client  <  proxy  <  a bad proxy that truncates  <  the simulated model
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from clients.chat import APIError, CutOffError, stream_chat
from protocol.openai.chat_completions import ChatRequest, RequestMessage
from servers import badproxy, chat
from servers.llm.pace import Pace

from ..driving import Running, running
from .fake_api import proxied
from .test_relay import decoded, parts, post

WORDS = "one two three four"
ASKED = ChatRequest("echo", [RequestMessage("user", WORDS)])
SAID = b'[{"role":"user","content":"%b"}]' % WORDS.encode()
BODY = b'{"model":"echo","stream":true,"messages":%b}' % SAID


@asynccontextmanager
async def chain(mode: str) -> AsyncIterator[Running]:
    async with running(chat.routes(Pace(0, 0))) as model:
        origin = f"http://127.0.0.1:{model.port}"
        truncating = badproxy.routes(origin, badproxy.modes(mode))
        async with running(truncating) as hop, proxied(hop.port) as proxy:
            yield proxy


async def body_of(proxy: Running) -> tuple[bytes, bool]:
    head, body = parts(await proxy.ask(post(body=BODY)))
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    return decoded(body)


async def events() -> list[bytes]:
    """The events without a fault. Ids and times differ in each run; their sizes do not."""
    async with chain("none") as proxy:
        data, is_whole = await body_of(proxy)
    assert is_whole
    assert data.endswith(b"data: [DONE]\n\n")
    return [event + b"\n\n" for event in data.split(b"\n\n")[:-1]]


async def read_text(proxy: Running, said: list[str]) -> None:
    async with stream_chat(f"http://127.0.0.1:{proxy.port}/v1", ASKED) as answer:
        async for delta in answer:
            said.append(delta.text)


@pytest.mark.parametrize("position", ["after a byte", "in the middle", "before the blank line"])
async def test_cut_inside_an_event(position: str) -> None:
    """No hop completes the half event. The client gets the text before it and CutOffError."""
    whole = await events()
    before = b"".join(whole[:3])
    inside = {"after a byte": 1, "in the middle": 60, "before the blank line": len(whole[3]) - 1}
    size = len(before) + inside[position]
    async with chain(f"truncate={size}") as proxy:
        data, is_whole = await body_of(proxy)
        assert not is_whole
        assert len(data) == size
        said: list[str] = []
        with pytest.raises(CutOffError):
            await read_text(proxy, said)
    assert WORDS.startswith("".join(said))
    assert "".join(said) not in ("", WORDS)


async def test_cut_between_two_events() -> None:
    """An error event says why, and the body is truncated all the same."""
    whole = await events()
    before = b"".join(whole[:3])
    async with chain(f"truncate={len(before)}") as proxy:
        data, is_whole = await body_of(proxy)
        assert not is_whole
        assert data[len(before) :].startswith(b'data: {"error":')
        said: list[str] = []
        with pytest.raises(APIError) as caught:
            await read_text(proxy, said)
    assert caught.value.code == "upstream_bad_response"  # the body has no end
    assert WORDS.startswith("".join(said))
