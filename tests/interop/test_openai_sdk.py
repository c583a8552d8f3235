"""The official Python client of the OpenAI API, with nothing changed but its `base_url`."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sized
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from servers.llm.model import MODEL, answer

from .held import Held
from .peers import SAFETY, RunningServer

PROMPT = "你好 👋🏽"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": PROMPT}]
SAID = answer(PROMPT)
THINKING = "".join(SAID.thinking)
TEXT = "".join(SAID.text)


@pytest.fixture
def client(chat_server: RunningServer) -> Iterator[OpenAI]:
    with sync_client(chat_server.url) as client:
        yield client


def sync_client(url: str) -> OpenAI:
    # No retries: what fails here shall be seen.
    return OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=SAFETY)


def test_stream(client: OpenAI) -> None:
    """Every token is one chunk: first the thinking, which is not in OpenAI's own types and yet
    readable on the delta; then the text."""
    thinking: list[str] = []
    text: list[str] = []
    for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
        (choice,) = chunk.choices
        if piece := getattr(choice.delta, "reasoning_content", None):
            assert text == []
            thinking.append(piece)
        if choice.delta.content:
            text.append(choice.delta.content)

    assert thinking == SAID.thinking
    assert text == SAID.text
    assert choice.finish_reason == "stop"


def test_each_chunk_before_the_next_exists(held: Held) -> None:
    """The SDK hands over what has arrived, and its own buffers hold nothing back."""
    with sync_client(held.url) as client:
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        held.release()
        assert next(stream).choices[0].delta.role == "assistant"
        for token in SAID.thinking[:5]:
            delta = next(stream).choices[0].delta
            assert getattr(delta, "reasoning_content", None) == token
            held.release()
        stream.close()


def test_close_ends_the_handler(held: Held) -> None:
    """`stream.close()` after two chunks: two writes later the server has stopped the model."""
    with sync_client(held.url) as client:
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        held.release()  # the role with the first token
        next(stream)
        next(stream)
        stream.close()
        held.release(2)
        assert held.wait_until_ended() <= 3


def test_stream_helper(client: OpenAI) -> None:
    """`.stream()` builds the final message from the chunks, and checks their shape."""
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()

    assert "".join(deltas) == TEXT
    assert final.choices[0].message.content == TEXT
    assert final.choices[0].finish_reason == "stop"


def test_length_limit(client: OpenAI) -> None:
    """A token limit ends the answer with `length`: which is not an end of the thought."""
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, max_tokens=3)
    )
    assert chunks[-1].choices[0].finish_reason == "length"


def test_not_streamed(client: OpenAI) -> None:
    """The same answer in one piece, and what it cost."""
    completion = client.chat.completions.create(model=MODEL, messages=HELLO)

    message = completion.choices[0].message
    assert message.content == TEXT
    assert getattr(message, "reasoning_content", None) == THINKING
    assert completion.usage is not None
    assert completion.usage.completion_tokens == len(SAID.thinking) + len(SAID.text)


def test_usage_when_asked_for(client: OpenAI) -> None:
    """One more chunk, without choices; in the others usage is null."""
    *chunks, last = client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == len(SAID.thinking) + len(SAID.text)
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


def test_no_usage_when_not_asked_for(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize("streaming", [True, False])
def test_bad_request(client: OpenAI, streaming: bool) -> None:
    """Our 400 becomes the SDK's own exception, and names the field that is wrong."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[], stream=streaming)
    assert caught.value.param == "messages"
    assert caught.value.type == "invalid_request_error"
    assert "length >= 1" in caught.value.message


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [MODEL]


# ---- the async client


@asynccontextmanager
async def counting_relay(port: int) -> AsyncIterator[tuple[int, Sized]]:
    """A TCP relay to a port: its own port, and a list that grows by one for each connection."""
    connections: list[asyncio.Task[None] | None] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asyncio.current_task())
        server_reader, server_writer = await asyncio.open_connection("localhost", port)
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], connections
        await asyncio.gather(*filter(None, connections))


def async_client(url: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=SAFETY)


def test_async_client_reuses_its_connection(chat_server: RunningServer) -> None:
    """After `[DONE]` it waits for no byte more: where the last chunk is not there yet, it closes
    the connection, and every answer costs a new one. So both leave in one write."""

    async def two_streams() -> int:
        async with (
            counting_relay(chat_server.port) as (port, connections),
            async_client(f"http://127.0.0.1:{port}") as client,
        ):
            for _ in range(2):
                stream = await client.chat.completions.create(
                    model=MODEL, messages=HELLO, stream=True
                )
                chunks = [chunk async for chunk in stream]
                said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
                assert said == TEXT
        return len(connections)

    assert asyncio.run(asyncio.wait_for(two_streams(), SAFETY)) == 1


def test_async_not_streamed(chat_server: RunningServer) -> None:
    async def ask() -> str | None:
        async with async_client(chat_server.url) as client:
            completion = await client.chat.completions.create(model=MODEL, messages=HELLO)
        return completion.choices[0].message.content

    assert asyncio.run(ask()) == TEXT
