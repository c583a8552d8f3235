"""How the chat client reads servers that answer in ways of their own."""

import pytest

from clients.chat import APIError, ChatError, CutOffError, UnreadableError, stream_chat
from protocol.openai.chat_completions import ChatRequest
from protocol.openai.deltas import ChatDelta

from ..servers.openai_proxy.fake_api import END, EVENTS, chunked, fake_api, whole
from .http.asking import ASK, DONE, JSON, STOP, ask, event

LIMITED = b'{"error":{"message":"Slow down, sk-proj-abcdef","code":"rate_limit"}}'
HTML = "Content-Type: text/html"
REFUSALS = {
    "429": (
        whole(LIMITED, "429 Too Many Requests", JSON, "Retry-After: 7", "X-Request-Id: r"),
        APIError,
        "Slow down, [redacted] (status 429)",
    ),
    "HTML": (
        whole(b"<p>", "502 No", HTML),
        APIError,
        "text/html in place of an answer (status 502)",
    ),
    "cut off": (
        b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n",
        APIError,
        "no content type in place of an answer (status 500)",
    ),
    "an error of 200": (whole(LIMITED, "200 OK", JSON), APIError, "Slow down, [redacted]"),
    "JSON": (
        whole(b"{}", "200 OK", JSON),
        UnreadableError,
        "application/json in place of an event stream",
    ),
    "a login": (
        whole(b"<title>Log in</title>", "200 OK", HTML),
        UnreadableError,
        "text/html in place of an event stream: Log in",
    ),
    "a detail": (
        whole(b'{"detail":[{"loc":["body"],"msg":"too long"}]}', "422 No", JSON),
        APIError,
        "body: too long (status 422)",
    ),
    "text": (
        whole(b"no upstream, sk-proj-abcdef\n", "503 No", "Content-Type: text/plain"),
        APIError,
        "no upstream, [redacted] (status 503)",
    ),
    "events": (
        whole(b'data: {"error":"full"}\n\n', "503 No", "Content-Type: text/event-stream"),
        APIError,
        "full (status 503)",
    ),
    "long": (whole(b"x" * 9999, "500 No", HTML), APIError, "x" * 2000 + "… (status 500)"),
    "half an answer": (
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices":[{"message":',
        CutOffError,
        "the body ended after 23 of 99 bytes (at byte 23)",
    ),
    "an answer with a status of an error": (
        whole(b'{"choices":[{"message":{"content":"hi"}}]}', "500 No", JSON),
        APIError,
        '{"choices":[{"message":{"content":"hi"}}]} (status 500)',
    ),
}


@pytest.mark.parametrize(("response", "kind", "message"), REFUSALS.values(), ids=REFUSALS)
async def test_refusal(response: bytes, kind: type[ChatError], message: str) -> None:
    async with fake_api(response) as api:
        _, error = await ask(api.port)
    assert (type(error), str(error)) == (kind, message)
    if isinstance(error, APIError) and error.status == 429:
        assert (error.code, error.retry_after, error.request_id) == ("rate_limit", "7", "r")


ANSWER = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
ANSWERS = {
    "created": b"HTTP/1.1 201 Created\r\n" + EVENTS.partition(b"\r\n")[2] + chunked(STOP) + END,
    "all at once": whole(ANSWER, "200 OK", JSON),
    "all at once, and without a content type": whole(ANSWER),
}


@pytest.mark.parametrize("response", ANSWERS.values(), ids=ANSWERS)
async def test_answers_of_other_servers(response: bytes) -> None:
    async with (
        fake_api(response) as api,
        stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer,
    ):
        deltas = [delta async for delta in answer]
    assert deltas in ([ChatDelta(finish_reason="stop")], [ChatDelta("hi", finish_reason="stop")])
    assert answer.finish_reason == "stop"


SHAPES = {
    "parts": ('{"choices":[{"delta":{"content":[{"type":"text","text":"你"}]}}]}', "你"),
    "a refusal": ('{"choices":[{"delta":{"refusal":"No."}}]}', "No."),
    "no index 0": ('{"choices":[{"index":1,"delta":{"content":"你"}}]}', "你"),
    "half a character": ('{"choices":[{"delta":{"content":"a\\ud83d"}}]}', "a\ufffd"),
    "null": ("null", ""),
    "spaces": ("  ", ""),
}


@pytest.mark.parametrize(("data", "text"), SHAPES.values(), ids=SHAPES)
async def test_shapes(data: str, text: str) -> None:
    """No text is lost, and the answer goes on. tests/vectors/deltas.json has more of them."""
    events = f"data: {data}\n\n".encode() + event("好") + DONE
    async with (
        fake_api(EVENTS + chunked(events) + END) as api,
        stream_chat(f"http://127.0.0.1:{api.port}/v1", ASK) as answer,
    ):
        said = "".join([delta.said async for delta in answer])
    assert said.replace("好", "") == text
    assert "好" in said


async def test_half_a_character_at_the_end() -> None:
    half = b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n'
    for end in (DONE, STOP, half + b'data: {"error":"full"}\n\n'):
        async with fake_api(EVENTS + chunked(half + end) + END) as api:
            text, _ = await ask(api.port)
        assert text in ("a\ufffd", "a\ufffda\ufffd")


async def test_text_in_the_event_of_an_error() -> None:
    last = b'data: {"choices":[{"delta":{"content":"!"}}],"error":"full"}\n\n'
    async with fake_api(EVENTS + chunked(event("a") + last + event("b")) + END) as api:
        text, error = await ask(api.port)
    assert (text, str(error)) == ("a!", "full")


async def test_one_of_several_answers() -> None:
    """A client that asks for two answers gets the first, however they are mixed."""
    mixed = b"".join(
        f'data: {{"choices":[{{"index":{n},"delta":{{"content":"{n}"}}}}]}}\n\n'.encode()
        for n in (1, 0, 1, 0)
    )
    asked = ChatRequest("m", ASK.messages, n=2)
    async with (
        fake_api(EVENTS + chunked(mixed + DONE) + END) as api,
        stream_chat(f"http://127.0.0.1:{api.port}/v1", asked) as answer,
    ):
        assert "".join([delta.text async for delta in answer]) == "00"
