"""The chat client: each delta as soon as it comes, and the right error for each bad end."""

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from clients.chat import APIError, ChatError, CutOffError, UnreadableError, stream_chat
from clients.http.errors import ConnectError, RequestError
from clients.streams.tcp import SocketStream
from clients.streams.tls import TLSParameters, TLSStream
from clients.tap import WireObserver
from protocol.openai.chat_completions import ChatRequest, RequestMessage, StreamOptions
from protocol.openai.deltas import ChatDelta, TokenCount
from protocol.secret import Secret
from protocol.sse import EventStreamParser, ServerSentEvent
from servers import chat
from servers.llm.faults.catalogue import STREAM_FAULTS
from servers.llm.pace import Pace

from ..servers.driving import running
from ..servers.openai_proxy.fake_api import (
    END,
    EVENTS,
    FakeAPI,
    chunked,
    fake_api,
    read_request,
    whole,
)
from ..streams import SAFETY
from .http.asking import ASK, DONE, JSON, STOP, ask, event
from .streams.tls_peers import CA, server_context

KEY = Secret("sk-canary-of-the-chat-client")


async def test_request() -> None:
    """Fields that are None are left out, and `stream` is true."""
    async with fake_api(EVENTS + chunked(STOP + DONE) + END) as api:
        asked = ChatRequest("m", [RequestMessage("user", "你")], stream_options=StreamOptions(True))
        url = f"http://localhost:{api.port}/v1/"
        async with stream_chat(url, asked, key=KEY) as answer:
            assert [delta async for delta in answer] == [ChatDelta(finish_reason="stop")]
            assert (answer.finish_reason, answer.request_id) == ("stop", "req_upstream")
    head, _, body = api.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer " + KEY.reveal().encode() + b"\r\n" in head
    assert body.decode() == (
        '{"model":"m","messages":[{"role":"user","content":"你"}],"stream":true,'
        '"stream_options":{"include_usage":true}}'
    )


async def test_each_delta_is_delivered_as_soon_as_it_comes() -> None:
    """The server sends the next one only after the test has read this one."""
    pieces = [EVENTS, *(chunked(event(word)) for word in "abc"), chunked(STOP + DONE) + END]
    async with fake_api(*pieces, held=True) as api:
        api.go.release()
        async with stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer:
            for word in "abc":
                api.go.release()
                with trio.fail_after(SAFETY):
                    assert (await anext(answer)).text == word
            api.go.release()
            assert [delta.finish_reason async for delta in answer] == ["stop"]


async def test_leaving_the_block_closes_the_connection() -> None:
    async with fake_api(EVENTS + chunked(event("a")), stays=True) as api:
        async with stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer:
            assert (await anext(answer)).text == "a"
        with trio.fail_after(SAFETY):
            await api.gone.wait()


TEXT = chunked(event("你") + event("好"))
KEEPALIVE = b'event: keepalive\ndata: {"type":"keepalive","sequence_number":9}\n\n'
ENDINGS = {
    "whole": (TEXT + chunked(STOP + DONE) + END, None),
    "no [DONE]": (TEXT + chunked(STOP) + END, None),
    "no finish_reason": (TEXT + chunked(DONE) + END, None),
    "empty data": (chunked(b"data:\n\n") + TEXT + chunked(DONE) + END, None),
    "a byte a chunk": (b"".join(chunked(bytes([b])) for b in event("你好") + DONE) + END, None),
    "keepalive events": (chunked(KEEPALIVE) + TEXT + chunked(KEEPALIVE + DONE) + END, None),
    "neither": (TEXT + END, CutOffError),
    "no last chunk": (TEXT + chunked(STOP), CutOffError),
    "half an event": (TEXT + chunked(STOP[:-1]), CutOffError),
    "a bad chunk-size": (TEXT + b"xyz\r\n", CutOffError),
    "an error": (TEXT + chunked(b'data: {"error":{"message":"full"}}\n\n') + END, APIError),
    "no JSON": (TEXT + chunked(b"data: {\n\n" + DONE) + END, UnreadableError),
}


@pytest.mark.parametrize(("body", "kind"), ENDINGS.values(), ids=ENDINGS)
async def test_ending(body: bytes, kind: type[ChatError] | None) -> None:
    """All deltas before the end are delivered first."""
    async with fake_api(EVENTS + body) as api:
        text, error = await ask(api.port)
    assert (text, type(error)) == ("你好", kind or type(None))


async def test_an_endless_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the parser's. The deltas before that line are delivered."""
    monkeypatch.setattr(
        "clients.chat.EventStreamParser", lambda: EventStreamParser(max_line_size=100)
    )
    async with fake_api(EVENTS + chunked(event("a") + b"x" * 200)) as api:
        text, error = await ask(api.port)
    assert (text, str(error)) == ("a", "a line of the event stream is over 100 bytes (at byte 178)")


async def test_reset() -> None:
    async with fake_api(EVENTS + TEXT, resets=True) as api:
        _, error = await ask(api.port)
    assert isinstance(error, CutOffError)


async def test_nobody_listens() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(ConnectError):
        await ask(port)


async def test_a_key_is_not_sent_over_a_network_in_plain_text() -> None:
    with pytest.raises(ValueError, match=r"^a key over plain http:// .*: http://example\.com/v1$"):
        async with stream_chat("http://example.com/v1", ASK, key=KEY):
            pass


async def test_the_key_is_in_no_error() -> None:
    """Neither if the server quotes it, nor if it cannot be sent."""
    key = Secret("a-key-of-no-form\n")
    quoted = b'{"error":{"message":"bad key: %b"}}' % KEY.reveal().encode()
    async with fake_api(whole(quoted, "401 Unauthorized", JSON)) as api:
        for secret in (KEY, key):
            try:
                _, error = await ask(api.port, secret)
                assert isinstance(error, APIError)
                raise error
            except Exception as error:
                shown = "".join(traceback.format_exception(error)) + repr(error)
                assert secret.reveal().strip() not in shown


# ---- Seen by an observer


class Log(WireObserver):
    """Records all calls."""

    def __init__(self) -> None:
        self.parameters: TLSParameters | None = None
        self.bytes = {"tcp": b"", "http": b""}
        self.requests = {"tcp": b"", "http": b""}
        self.events: list[ServerSentEvent] = []

    def secured(self, parameters: TLSParameters) -> None:
        self.parameters = parameters

    def sent(self, layer: str, data: bytes) -> None:
        self.requests[layer] += data

    def received(self, layer: str, data: bytes) -> None:
        self.bytes[layer] += data

    def event(self, event: ServerSentEvent) -> None:
        self.events.append(event)


async def test_observed() -> None:
    """It sees each event, and the bytes of both layers, which are the same without TLS."""
    sent = EVENTS + TEXT + chunked(STOP + DONE)  # the client does not wait for the last chunk
    log = Log()
    async with (
        fake_api(sent) as api,
        stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK, observer=log) as answer,
    ):
        assert "".join([delta.text async for delta in answer]) == "你好"
    assert log.bytes == {"tcp": sent, "http": sent}
    assert log.requests == dict.fromkeys(("tcp", "http"), api.requests[0])
    assert [event.data[:7] for event in log.events] == ['{"choic'] * 3 + ["[DONE]"]
    assert log.parameters is None


@asynccontextmanager
async def secure_api(body: bytes, close_notify: bool = True) -> AsyncIterator[FakeAPI]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    api = FakeAPI(listener.socket.getsockname()[1], [])

    async def serve(opened: trio.SocketStream) -> None:
        sock = SocketStream.adopt(opened)
        stream = TLSStream(sock, server_context(), server_side=True)
        await stream.handshake()
        api.requests.append(await read_request(stream))
        await stream.send_all(body)
        await (stream if close_notify else sock).aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield api
        nursery.cancel_scope.cancel()


async def test_observed_over_tls(tmp_path: Path) -> None:
    """It sees records, the HTTP inside them, and the TLS parameters."""
    ca_file = str(tmp_path / "ca.pem")
    CA.cert_pem.write_to_path(ca_file)
    sent = EVENTS + TEXT + chunked(STOP + DONE) + END
    log = Log()
    async with secure_api(sent) as api:
        url = f"https://localhost:{api.port}/v1"
        async with stream_chat(url, ASK, key=KEY, ca_file=ca_file, observer=log) as answer:
            assert "".join([delta.text async for delta in answer]) == "你好"
    assert log.bytes["http"] == sent
    assert log.requests["http"] == api.requests[0]
    assert KEY.reveal().encode() not in log.requests["tcp"]
    assert len(log.bytes["tcp"]) > len(sent)
    assert log.parameters is not None
    assert (log.parameters.version, log.parameters.protocol) == ("TLSv1.3", "http/1.1")
    assert log.parameters.cipher.startswith("TLS_")
    assert "O=trustme" in log.parameters.subject
    assert "O=trustme" in log.parameters.issuer


@pytest.mark.parametrize("close_notify", [True, False])
async def test_a_body_that_ends_with_a_tls_connection(close_notify: bool, tmp_path: Path) -> None:
    """Without close_notify it is truncated, and an observed stream tells that too."""
    ca_file = str(tmp_path / "ca.pem")
    CA.cert_pem.write_to_path(ca_file)
    until_close = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + STOP
    async with secure_api(until_close, close_notify) as api:
        url = f"https://localhost:{api.port}/v1"
        async with stream_chat(url, ASK, ca_file=ca_file, observer=Log()) as answer:
            assert (await anext(answer)).finish_reason == "stop"
            with pytest.raises(StopAsyncIteration if close_notify else CutOffError):
                await anext(answer)


# ---- The simulated LLM


async def test_the_simulated_model() -> None:
    """Its thinking, text, finish_reason and usage."""
    async with running(chat.routes(Pace(0, 0))) as server:
        asked = ChatRequest("echo", ASK.messages, stream_options=StreamOptions(True))
        async with stream_chat(f"http://127.0.0.1:{server.port}/v1", asked) as answer:
            deltas = [delta async for delta in answer]
    assert deltas[:-1] == [
        ChatDelta(),
        ChatDelta("你"),
        ChatDelta("好"),
        ChatDelta(finish_reason="stop"),
    ]
    assert deltas[-1] == ChatDelta(usage=TokenCount(2, deltas[-1].usage.prompt_tokens))  # type: ignore[union-attr]


WAITING = {"half-chunk", "stall", "stall-heartbeat", "drip", "hang"}
WAITING |= {"open-after-finish"}  # for two seconds: test_chat_waits.py
TWICE = {"duplicate", "invalid-utf8"}  # they change the text, and no client can notice


@pytest.mark.parametrize("fault", sorted(set(STREAM_FAULTS) - WAITING - TWICE))
async def test_no_fault_looks_like_success(fault: str) -> None:
    """The client gives all of the text or an error, never a part that looks complete."""
    async with running(chat.routes(Pace(0, 0))) as server:
        asked = ChatRequest(f"fault-{fault}", ASK.messages)
        text, error = "", ""
        try:
            async with stream_chat(f"http://127.0.0.1:{server.port}/v1", asked) as answer:
                async for delta in answer:
                    text += delta.thinking + delta.text
        except (ChatError, RequestError) as caught:
            error = str(caught)
        async with stream_chat(f"http://127.0.0.1:{server.port}/v1", ASK) as answer:
            everything = [delta.thinking + delta.text async for delta in answer]
    if error:
        assert "".join(everything).startswith(text)
    else:
        assert text == "".join(everything)
