"""The official Python client of the OpenAI API, with only its `base_url` changed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sized
from contextlib import asynccontextmanager
from urllib.request import urlopen

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from servers.llm.model.models import MODEL

from ..saying import answer
from .held import Held
from .peers import SAFETY, RunningServer, running

PROMPT = "你好 👋🏽"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": PROMPT}]
SAID = answer(PROMPT)
THINKING = "".join(SAID.thinking)
TEXT = "".join(SAID.text)


@pytest.fixture
def client(chat_server: RunningServer) -> Iterator[OpenAI]:
    with sync_client(chat_server.url) as client:
        yield client


def sync_client(url: str, key: str = "none") -> OpenAI:
    # No retries, so that failures are visible.
    return OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=SAFETY)


def test_stream(client: OpenAI) -> None:
    """Every token is one chunk. First comes the thinking, which OpenAI's types do not have but the
    delta does, then the text."""
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
    """The SDK yields each chunk at once, so no buffer in it holds anything back."""
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
    """The client calls `stream.close()` after two chunks. Two writes later the server has stopped
    the model."""
    with sync_client(held.url) as client:
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        held.release()  # the role with the first token
        next(stream)
        next(stream)
        stream.close()
        held.release(2)
        assert held.wait_until_ended() <= 3
        assert b"workshop_cancelled_total 1.0\n" in urlopen(f"{held.url}/metrics").read()


def test_stream_helper(client: OpenAI) -> None:
    """`.stream()` reports what each chunk adds, and builds the final message."""
    deltas: list[str] = []
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        for event in stream:
            if event.type == "content.delta" and event.delta:
                deltas.append(event.delta)
                assert event.snapshot == "".join(deltas)
        final = stream.get_final_completion()

    assert event.type == "content.done"
    assert event.content == TEXT
    assert deltas == SAID.text
    assert final.choices[0].message.content == TEXT
    assert final.choices[0].finish_reason == "stop"


def test_length_limit(client: OpenAI) -> None:
    """A token limit ends the answer with `length`: it is incomplete."""
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True, max_tokens=3)
    )
    assert chunks[-1].choices[0].finish_reason == "length"


def test_not_streamed(client: OpenAI) -> None:
    """The same answer in one piece, with its usage."""
    completion = client.chat.completions.create(model=MODEL, messages=HELLO)

    message = completion.choices[0].message
    assert message.content == TEXT
    assert getattr(message, "reasoning_content", None) == THINKING
    assert completion.usage is not None
    assert completion.usage.completion_tokens == len(SAID.thinking) + len(SAID.text)


def test_usage_when_asked_for(client: OpenAI) -> None:
    """There is one more chunk with the usage and without choices. In the other chunks, the usage is
    null."""
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
    assert chunks
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize("streaming", [True, False])
def test_bad_request(client: OpenAI, streaming: bool) -> None:
    """Our 400 becomes the SDK's own exception, which names the wrong field."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[], stream=streaming)
    assert caught.value.param == "messages"
    assert caught.value.type == "invalid_request_error"
    assert "length >= 1" in caught.value.message


def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == MODEL
    assert [client.models.retrieve(name).id for name in names] == names


def test_request_ids(client: OpenAI) -> None:
    """Each reply has its own id, including streams and errors."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
    whole = client.chat.completions.create(model=MODEL, messages=messages)
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=messages, stream=True
    )
    raw.parse().close()
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[])
    ids = [whole._request_id, raw.request_id, caught.value.request_id]
    assert all(id is not None and id.startswith("req_") for id in ids)
    assert len(set(ids)) == 3


# ---- a server that checks keys and model names


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text("sk-one\nsk-two\n")
    keys.chmod(0o600)
    flags = ["--ttft", "0", "--itl", "0", "--api-key-file", str(keys), "--strict-models"]
    with running("servers.chat", *flags) as server:
        yield server


def test_keys(strict_server: RunningServer) -> None:
    """Any key in the file is accepted; another key causes the SDK's own exception."""
    for key in ("sk-one", "sk-two"):
        with sync_client(strict_server.url, key) as client:
            completion = client.chat.completions.create(model=MODEL, messages=HELLO)
        assert completion.choices[0].message.content == TEXT
    with (
        sync_client(strict_server.url, "sk-three") as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert caught.value.code == "invalid_api_key"
    assert "sk-three" not in caught.value.message


ASK: dict[str, Callable[[OpenAI], object]] = {
    "models": lambda client: client.models.retrieve("gpt-0"),
    "chat completions": lambda client: client.chat.completions.create(
        model="gpt-0", messages=HELLO, stream=True
    ),
    "responses": lambda client: client.responses.create(model="gpt-0", input="hi"),
}


@pytest.mark.parametrize("route", ASK)
def test_unknown_model(strict_server: RunningServer, route: str) -> None:
    with (
        sync_client(strict_server.url, "sk-one") as client,
        pytest.raises(openai.NotFoundError) as caught,
    ):
        ASK[route](client)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert "'gpt-0'" in caught.value.message


# ---- the async client


@asynccontextmanager
async def counting_relay(port: int) -> AsyncIterator[tuple[int, Sized]]:
    """A TCP relay to a port. Yields its own port, and a list with an item for each connection."""
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


@pytest.mark.parametrize("route", ["chat completions", "responses"])
def test_async_client_reuses_its_connection(chat_server: RunningServer, route: str) -> None:
    """After `[DONE]` the SDK stops reading. If the last chunk has not arrived by then, the SDK
    closes the connection, and the next request needs a new one. So our server sends both in one
    write."""

    async def said_by(client: AsyncOpenAI) -> str:
        if route == "responses":
            async with client.responses.stream(model=MODEL, input=PROMPT) as events:
                return (await events.get_final_response()).output_text
        stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    async def two_streams() -> int:
        async with (
            counting_relay(chat_server.port) as (port, connections),
            async_client(f"http://127.0.0.1:{port}") as client,
        ):
            for _ in range(2):
                assert await said_by(client) == TEXT
        return len(connections)

    assert asyncio.run(asyncio.wait_for(two_streams(), SAFETY)) == 1


def test_async_not_streamed(chat_server: RunningServer) -> None:
    async def ask() -> str | None:
        async with async_client(chat_server.url) as client:
            completion = await client.chat.completions.create(model=MODEL, messages=HELLO)
        return completion.choices[0].message.content

    assert asyncio.run(ask()) == TEXT
