"""The chat client: every delta when it comes, and every end by its name."""

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
from servers.llm.faults.catalogue import WAYS
from servers.llm.pace import Pace

from ..servers.driving import running
from ..servers.openai_proxy.behind import END, EVENTS, Behind, behind, chunked, read_request, whole
from ..streams import SAFETY
from .http.asking import ASK, DONE, JSON, STOP, event, told
from .streams.tls_peers import CA, server_context

KEY = Secret("sk-canary-of-the-chat-client")


async def test_request() -> None:
    """What is None is left out, and the stream is asked for."""
    async with behind(EVENTS + chunked(STOP + DONE) + END) as api:
        asked = ChatRequest("m", [RequestMessage("user", "你")], stream_options=StreamOptions(True))
        url = f"http://localhost:{api.port}/v1/"
        async with stream_chat(url, asked, key=KEY) as answer:
            assert [delta async for delta in answer] == [ChatDelta(finish_reason="stop")]
            assert (answer.finish_reason, answer.request_id) == ("stop", "req_behind")
    head, _, body = api.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer " + KEY.reveal().encode() + b"\r\n" in head
    assert body.decode() == (
        '{"model":"m","messages":[{"role":"user","content":"你"}],"stream":true,'
        '"stream_options":{"include_usage":true}}'
    )


async def test_each_delta_when_it_comes() -> None:
    """The next does not exist before this one was seen."""
    pieces = [EVENTS, *(chunked(event(word)) for word in "abc"), chunked(STOP + DONE) + END]
    async with behind(*pieces, held=True) as api:
        api.go.release()
        async with stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer:
            for word in "abc":
                api.go.release()
                with trio.fail_after(SAFETY):
                    assert (await anext(answer)).text == word
            api.go.release()
            assert [delta.finish_reason async for delta in answer] == ["stop"]


async def test_leaving_the_block_stops_it() -> None:
    async with behind(EVENTS + chunked(event("a")), stays=True) as api:
        async with stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer:
            assert (await anext(answer)).text == "a"
        with trio.fail_after(SAFETY):
            await api.gone.wait()


TEXT = chunked(event("你") + event("好"))
ENDINGS = {
    "whole": (TEXT + chunked(STOP + DONE) + END, None),
    "no [DONE]": (TEXT + chunked(STOP) + END, None),
    "no finish_reason": (TEXT + chunked(DONE) + END, None),
    "empty data": (chunked(b"data:\n\n") + TEXT + chunked(DONE) + END, None),
    "a byte a chunk": (b"".join(chunked(bytes([b])) for b in event("你好") + DONE) + END, None),
    "neither": (TEXT + END, CutOffError),
    "no last chunk": (TEXT + chunked(STOP), CutOffError),
    "half an event": (TEXT + chunked(STOP[:-1]), CutOffError),
    "a bad chunk-size": (TEXT + b"xyz\r\n", CutOffError),
    "an error": (TEXT + chunked(b'data: {"error":{"message":"full"}}\n\n') + END, APIError),
    "no JSON": (TEXT + chunked(b"data: {\n\n" + DONE) + END, UnreadableError),
}


@pytest.mark.parametrize(("body", "kind"), ENDINGS.values(), ids=ENDINGS)
async def test_ending(body: bytes, kind: type[ChatError] | None) -> None:
    """All that came before is given out first."""
    async with behind(EVENTS + body) as api:
        text, error = await told(api.port)
    assert (text, type(error)) == ("你好", kind or type(None))


async def test_a_line_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the parser's; what was good before it is given out."""
    monkeypatch.setattr(
        "clients.chat.EventStreamParser", lambda: EventStreamParser(max_line_size=100)
    )
    async with behind(EVENTS + chunked(event("a") + b"x" * 200)) as api:
        text, error = await told(api.port)
    assert (text, str(error)) == ("a", "a line of the event stream is over 100 bytes (at byte 178)")


async def test_reset() -> None:
    async with behind(EVENTS + TEXT, resets=True) as api:
        _, error = await told(api.port)
    assert isinstance(error, CutOffError)


async def test_nobody_listens() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    with pytest.raises(ConnectError):
        await told(port)


async def test_a_key_goes_over_no_network_in_the_clear() -> None:
    with pytest.raises(ValueError, match=r"^a key over plain http:// .*: http://example\.com/v1$"):
        async with stream_chat("http://example.com/v1", ASK, key=KEY):
            pass


async def test_the_key_is_in_no_error() -> None:
    """Not when the server quotes it, nor when it cannot be sent."""
    key = Secret("a-key-of-no-form\n")
    quoted = b'{"error":{"message":"bad key: %b"}}' % KEY.reveal().encode()
    async with behind(whole(quoted, "401 Unauthorized", JSON)) as api:
        for secret in (KEY, key):
            try:
                _, error = await told(api.port, secret)
                assert isinstance(error, APIError)
                raise error
            except Exception as error:
                shown = "".join(traceback.format_exception(error)) + repr(error)
                assert secret.reveal().strip() not in shown


# ---- Seen by an observer


class Log(WireObserver):
    """All that it is told, but for what was sent."""

    def __init__(self) -> None:
        self.session: TLSParameters | None = None
        self.bytes = {"tcp": b"", "http": b""}
        self.requests = {"tcp": b"", "http": b""}
        self.events: list[ServerSentEvent] = []

    def secured(self, session: TLSParameters) -> None:
        self.session = session

    def sent(self, layer: str, data: bytes) -> None:
        self.requests[layer] += data

    def received(self, layer: str, data: bytes) -> None:
        self.bytes[layer] += data

    def event(self, event: ServerSentEvent) -> None:
        self.events.append(event)


async def test_observed() -> None:
    """All bytes of both layers, the same without TLS; and each event."""
    sent = EVENTS + TEXT + chunked(STOP + DONE)  # the last chunk is not waited for
    log = Log()
    async with (
        behind(sent) as api,
        stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK, observer=log) as answer,
    ):
        assert "".join([delta.text async for delta in answer]) == "你好"
    assert log.bytes == {"tcp": sent, "http": sent}
    assert log.requests == dict.fromkeys(("tcp", "http"), api.requests[0])
    assert [event.data[:7] for event in log.events] == ['{"choic'] * 3 + ["[DONE]"]
    assert log.session is None


@asynccontextmanager
async def secure_api(body: bytes, goodbye: bool = True) -> AsyncIterator[Behind]:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    api = Behind(listener.socket.getsockname()[1], [])

    async def serve(opened: trio.SocketStream) -> None:
        sock = SocketStream.adopt(opened)
        stream = TLSStream(sock, server_context(), server_side=True)
        await stream.handshake()
        api.requests.append(await read_request(stream))
        await stream.send_all(body)
        await (stream if goodbye else sock).aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield api
        nursery.cancel_scope.cancel()


async def test_observed_over_tls(tmp_path: Path) -> None:
    """Records outside, HTTP inside, and who it was."""
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
    assert log.session is not None
    assert (log.session.version, log.session.protocol) == ("TLSv1.3", "http/1.1")
    assert log.session.cipher.startswith("TLS_")
    assert "O=trustme" in log.session.subject
    assert "O=trustme" in log.session.issuer


@pytest.mark.parametrize("goodbye", [True, False])
async def test_a_body_that_ends_with_a_tls_connection(goodbye: bool, tmp_path: Path) -> None:
    """Behind a tap as without: who ends without close_notify was cut off."""
    ca_file = str(tmp_path / "ca.pem")
    CA.cert_pem.write_to_path(ca_file)
    until_close = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + STOP
    async with secure_api(until_close, goodbye) as api:
        url = f"https://localhost:{api.port}/v1"
        async with stream_chat(url, ASK, ca_file=ca_file, observer=Log()) as answer:
            assert (await anext(answer)).finish_reason == "stop"
            with pytest.raises(StopAsyncIteration if goodbye else CutOffError):
                await anext(answer)


# ---- The simulated LLM


async def test_the_simulated_model() -> None:
    """Thinking, text, the end, the usage."""
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
TWICE = {"duplicate", "invalid-utf8"}  # another text, of which nobody can know


@pytest.mark.parametrize("fault", sorted(set(WAYS) - WAITING - TWICE))
async def test_no_fault_looks_like_success(fault: str) -> None:
    """All of the text, or an error; never a part of it as if it were whole."""
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
