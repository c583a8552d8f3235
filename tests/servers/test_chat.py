"""The chat server: home, page files, `/chat/{text}` and the OpenAI API, byte for byte."""

import re
from types import SimpleNamespace

import msgspec
import pytest
from trio.testing import MockClock

from protocol.sse import EventStreamParser
from servers.chat import GREETING, PAGE, routes
from servers.llm.engine import Engine
from servers.llm.model import Answer, answer
from servers.llm.tokens import tokenize
from servers.pace import Pace

from ..streams import receive_until
from .driving import CHUNKED, ask, connected, get, head, text, timed
from .driving import TEXT as PLAIN

ROUTES = routes(Pace(1, 0.5))
AT_ONCE = routes(Pace(0, 0))
EVENTS = (
    b"Content-Type: text/event-stream; charset=utf-8\r\n",
    b"Cache-Control: no-cache, no-transform\r\n",
    b"X-Accel-Buffering: no\r\n",
)


def body_of(reply: bytes) -> bytes:
    return reply.partition(b"\r\n\r\n")[2]


async def test_home_streams_to_a_program(autojump_clock: MockClock) -> None:
    received, words = await timed(ROUTES, get("/", "Accept: */*"))
    assert received == head(200, PLAIN, b"Vary: Accept\r\n", CHUNKED)
    assert words == {1 + 0.5 * n: word.encode() for n, word in enumerate(tokenize(GREETING))}


PAGE_FIELDS = (
    b"Vary: Accept\r\n"
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'\r\n"
    b"Cache-Control: no-cache\r\n"
    b"Referrer-Policy: no-referrer\r\n"
)
TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


def page_reply(name: str) -> bytes:
    content = (PAGE / name).read_bytes()
    return head(
        200,
        b"Content-Type: %b\r\n" % TYPES[(PAGE / name).suffix],
        b"Content-Length: %d\r\n" % len(content),
        PAGE_FIELDS,
    ) + content  # fmt: skip


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"])
async def test_home_is_the_page_to_a_browser(accept: str) -> None:
    assert await ask(AT_ONCE, get("/", f"Accept: {accept}")) == page_reply("index.html")


@pytest.mark.parametrize("name", sorted(path.name for path in PAGE.iterdir() if path.is_file()))
async def test_page_files(name: str) -> None:
    """Each with its type, for `nosniff` is said too, and the policy that lets nothing in."""
    assert await ask(AT_ONCE, get(f"/page/{name}")) == page_reply(name)


def test_the_page_loads_its_own_files_only() -> None:
    """What it names is there, and under /page/."""
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert named
    for path in named:
        assert path.startswith("/page/")
        assert (PAGE / path.removeprefix("/page/")).is_file()


TRAVERSALS = [
    "/page/../chat.py",
    "/page/..%2fchat.py",
    "/page/%2e%2e/chat.py",
    "/page/%2e%2e%2fchat.py",
    "/page/..%5cchat.py",
    "/page/./index.html",
    "/page//index.html",
    "/page/%2fetc%2fpasswd",
    "/page/index.html%00",
    "/page/index.html/",
    "/page/%69ndex.htm",
    "/page/.",
    "/page/..",
    "/page/INDEX.HTML",
    "/page/\u2025%2fchat.py".replace("\u2025", "%E2%80%A5"),
]


@pytest.mark.parametrize("path", TRAVERSALS)
async def test_path_traversal(path: str) -> None:
    """A name is looked up among the files there are; no path is ever built from it."""
    expected = text(b"404 Not Found\n\nThe page has no such file.\n", status=404)
    assert await ask(AT_ONCE, get(path)) == expected


async def test_chat(autojump_clock: MockClock) -> None:
    """thinking, message, done: each token an event, each when it is due."""
    received, events = await timed(ROUTES, get("/chat/%E4%BD%A0%E5%A5%BD"))
    assert received == head(200, *EVENTS, CHUNKED)
    said = answer("你好")
    expected = [
        # "message" is the default event type and is not written (WHATWG HTML §9.2.6)
        name + b"data: %b\n\n" % msgspec.json.encode({"text": token})
        for name, tokens in ((b"event: thinking\n", said.thinking), (b"", said.text))
        for token in tokens
    ]
    assert expected[0] == b'event: thinking\ndata: {"text":"The"}\n\n'
    assert expected[len(said.thinking)] == b'data: {"text":"#"}\n\n'
    expected.append(b'event: done\ndata: {"finish_reason":"stop"}\n\n')  # a step like the others
    assert events == {1 + 0.5 * n: event for n, event in enumerate(expected)}


async def test_chat_with_control_characters() -> None:
    """JSON escapes what would end a line of the stream."""
    events = EventStreamParser().receive_data
    reply = await ask(AT_ONCE, b"GET /chat/a%0D%0A%0A%00b HTTP/1.0\r\n\r\n")
    tokens = [event.data for event in events(body_of(reply)) if event.event == "thinking"]
    said = "".join(msgspec.json.decode(data)["text"] for data in tokens)
    assert said.startswith("The user says “a \0b”. ")


async def test_health_and_models() -> None:
    health = body_of(await ask(AT_ONCE, get("/health")))
    assert health == b'{"status":"ok"}'
    models = body_of(await ask(AT_ONCE, get("/v1/models")))
    assert models == (
        b'{"object":"list","data":[{"id":"sim-1","object":"model","created":0,'
        b'"owned_by":"workshop"}]}'
    )


# ---- POST /v1/chat/completions


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short answer, and ids and a clock that stand still."""
    monkeypatch.setattr("servers.chat.answer", lambda prompt: Answer(["Hm"], ["你", " go"]))
    monkeypatch.setattr("servers.chat.secrets", SimpleNamespace(token_hex=lambda n: "0f" * n))
    monkeypatch.setattr("servers.chat.time", SimpleNamespace(time=lambda: 1e9 + 0.9))


def post(**fields: object) -> bytes:
    asked = {"model": "sim-1", "messages": [{"role": "user", "content": "hi ho"}]} | fields
    return post_raw(msgspec.json.encode(asked))


def post_raw(body: bytes) -> bytes:
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    ) + body


ID = "chatcmpl-" + "0f" * 12
REQUEST_ID = f"x-request-id: req_{'0f' * 12}\r\n".encode()


def chunk(delta: str, finish: str = "null", usage: str = "", model: str = "sim-1") -> bytes:
    return (
        f'data: {{"id":"{ID}","object":"chat.completion.chunk","created":1000000000,'
        f'"model":"{model}","system_fingerprint":"fp_sim_1","choices":[{{"index":0,'
        f'"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]{usage}}}\n\n'
    ).encode()


ROLE = chunk('{"role":"assistant","content":"","refusal":null}')
HM = chunk('{"reasoning_content":"Hm"}')
NI, GO = chunk('{"content":"你"}'), chunk('{"content":" go"}')
STOP = chunk("{}", '"stop"')
LENGTH = chunk("{}", '"length"')
DONE = b"data: [DONE]\n\n"


@pytest.mark.usefixtures("said")
async def test_completion_stream(autojump_clock: MockClock) -> None:
    """The role with the first token, each token when it is due; the end takes a step too."""
    received, events = await timed(ROUTES, post(stream=True))
    assert received == head(200, *EVENTS, REQUEST_ID, CHUNKED)
    assert events == {1: ROLE + HM, 1.5: NI, 2: GO, 2.5: STOP + DONE}


@pytest.mark.usefixtures("said")
async def test_done_leaves_with_the_last_chunk() -> None:
    """In one write: a client that sees [DONE] and no end gives up its connection."""
    async with connected(AT_ONCE) as memory:
        await memory.client.send_all(post(stream=True))
        await receive_until(memory.client, b"0\r\n\r\n")
        assert memory.server.writes[-1].endswith(STOP + DONE + b"\r\n0\r\n\r\n")


NULL = ',"usage":null'
USAGE = (
    f'data: {{"id":"{ID}","object":"chat.completion.chunk","created":1000000000,'
    '"model":"sim-1","system_fingerprint":"fp_sim_1","choices":[],'
    '"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}\n\n'
).encode()


@pytest.mark.usefixtures("said")
async def test_usage_when_asked_for(autojump_clock: MockClock) -> None:
    """null in every chunk, and then one without choices."""
    asked = post(stream=True, stream_options={"include_usage": True})
    _, events = await timed(ROUTES, asked)
    assert b"".join(events.values()) == b"".join(
        [
            chunk('{"role":"assistant","content":"","refusal":null}', usage=NULL),
            chunk('{"reasoning_content":"Hm"}', usage=NULL),
            chunk('{"content":"你"}', usage=NULL),
            chunk('{"content":" go"}', usage=NULL),
            chunk("{}", '"stop"', usage=NULL),
            USAGE,
            DONE,
        ]
    )


LIMITS = {
    "max_tokens 1": ({"max_tokens": 1}, [ROLE, HM, LENGTH, DONE]),
    "max_tokens 2": ({"max_tokens": 2}, [ROLE, HM, NI, LENGTH, DONE]),
    "max_tokens 3: all of it": ({"max_tokens": 3}, [ROLE, HM, NI, GO, STOP, DONE]),
    "max_tokens 4": ({"max_tokens": 4}, [ROLE, HM, NI, GO, STOP, DONE]),
    "max_completion_tokens": ({"max_completion_tokens": 1}, [ROLE, HM, LENGTH, DONE]),
    "both: the new name wins": (
        {"max_completion_tokens": 1, "max_tokens": 9},
        [ROLE, HM, LENGTH, DONE],
    ),
    "null": ({"max_tokens": None}, [ROLE, HM, NI, GO, STOP, DONE]),
}


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(("fields", "events"), LIMITS.values(), ids=LIMITS)
async def test_token_limit(
    fields: dict[str, object], events: list[bytes], autojump_clock: MockClock
) -> None:
    """Thinking is counted too; what was cut says `length`."""
    _, came = await timed(ROUTES, post(stream=True, **fields))
    assert b"".join(came.values()) == b"".join(events)


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}])
async def test_completion_whole(stream: dict[str, object], autojump_clock: MockClock) -> None:
    """The same answer in one object, when the model has said it all."""
    reply = await ask(ROUTES, post(**stream))
    assert autojump_clock.current_time() == 2.5
    body = (
        f'{{"id":"{ID}","object":"chat.completion","created":1000000000,"model":"sim-1",'
        '"choices":[{"index":0,"message":{"role":"assistant","content":"你 go","refusal":null,'
        '"reasoning_content":"Hm"},"logprobs":null,"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5},'
        '"system_fingerprint":"fp_sim_1"}'
    ).encode()
    assert reply == (
        head(
            200,
            b"Content-Type: application/json\r\n",
            b"Content-Length: %d\r\n" % len(body),
            REQUEST_ID,
        )
        + body
    )


async def test_whole_equals_the_joined_stream(autojump_clock: MockClock) -> None:
    """For the real model and any limit."""
    for limit in (1, 20, 50, 1000):
        _, came = await timed(ROUTES, post(stream=True, max_tokens=limit))
        events = EventStreamParser().receive_data(b"".join(came.values()))
        chunks = [msgspec.json.decode(event.data) for event in events[:-1]]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        whole = msgspec.json.decode(body_of(await ask(ROUTES, post(max_tokens=limit))))
        message = whole["choices"][0]["message"]
        for key in ("content", "reasoning_content"):
            assert "".join(delta.get(key, "") for delta in deltas) == message[key]
        finish = chunks[-1]["choices"][0]["finish_reason"]
        assert finish == whole["choices"][0]["finish_reason"]
        assert finish == ("stop" if limit == 1000 else "length")
        assert whole["usage"]["completion_tokens"] == min(limit, len(deltas) - 2)


@pytest.mark.parametrize("request_", [get("/chat/hi"), post(stream=True), post()])
async def test_a_full_engine_says_come_back_later(request_: bytes) -> None:
    """503 with Retry-After (RFC 9110 §15.6.4), before the head of a stream promises anything."""
    reply = await ask(routes(Pace(0, 0), Engine(max_batch=0, max_queue=0)), request_)
    assert reply.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in reply
    assert msgspec.json.decode(body_of(reply))["error"]["type"] == "server_error"


async def test_every_answer_has_its_own_id() -> None:
    ids = {msgspec.json.decode(body_of(await ask(AT_ONCE, post())))["id"] for _ in range(5)}
    assert len(ids) == 5
    assert all(re.fullmatch("chatcmpl-[0-9a-f]{24}", one) for one in ids)


@pytest.mark.usefixtures("said")
async def test_unknown_model_and_unknown_fields(autojump_clock: MockClock) -> None:
    """Any model is served, under the name it was asked for; unknown fields are ignored."""
    _, came = await timed(ROUTES, post(stream=True, model="gpt-ü", temperature=0.1, tools=[]))
    role = chunk('{"role":"assistant","content":"","refusal":null}', model="gpt-ü")
    assert came[1] == role + chunk('{"reasoning_content":"Hm"}', model="gpt-ü")
    whole = msgspec.json.decode(body_of(await ask(AT_ONCE, post(model="gpt-ü"))))
    assert whole["model"] == "gpt-ü"


async def test_the_prompt_is_what_the_user_said_last() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "la"}, {"type": "text", "text": "st"}],
        },
        {"role": "assistant", "content": None},
    ]
    whole = msgspec.json.decode(body_of(await ask(AT_ONCE, post(messages=messages))))
    thinking = whole["choices"][0]["message"]["reasoning_content"]
    assert thinking.startswith("The user says “last”. ")
    assert whole["usage"]["prompt_tokens"] == 4


GOOD = b'{"model":"m","messages":[{"role":"user","content":"x"}]'
ERRORS = {
    b"": ("The body is not JSON: Input data was truncated", None),
    b"hi": ("The body is not JSON: JSON is malformed: invalid character (byte 0)", None),
    b'{"model":"\xff"}': (None, None),
    b"[]": ("Expected `object`, got `array`", None),
    b"{}": ("Object missing required field `model`", "model"),
    b'{"model":"m"}': ("Object missing required field `messages`", "messages"),
    b'{"model":1,"messages":[]}': ("Expected `str`, got `int`", "model"),
    b'{"model":"m","messages":[]}': ("Expected `array` of length >= 1", "messages"),
    b'{"model":"m","messages":[{}]}': ("Object missing required field `role`", "messages[0].role"),
    b'{"model":"m","messages":[{"role":"boss"}]}': (
        "Invalid enum value 'boss'",
        "messages[0].role",
    ),
    GOOD + b',"n":2}': ("Expected `int` <= 1", "n"),
    GOOD + b',"max_tokens":0}': ("Expected `int` >= 1", "max_tokens"),
    GOOD + b',"stream":"yes"}': ("Expected `bool | null`, got `str`", "stream"),
}


@pytest.mark.parametrize("body", ERRORS, ids=lambda body: body.decode("latin-1") or "nothing")
async def test_errors(body: bytes) -> None:
    """400, and the API's error object, with the field at fault in `param`."""
    reply = await ask(AT_ONCE, post_raw(body))
    message, param = ERRORS[body]
    error = msgspec.json.decode(body_of(reply))
    assert list(error) == ["error"]
    assert list(error["error"].items()) == [
        ("message", message or error["error"]["message"]),
        ("type", "invalid_request_error"),
        ("param", param),
        ("code", None),
    ]
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in reply


async def test_a_prompt_over_the_context() -> None:
    """400 with the code that clients know; counting its tokens would be work for nothing."""
    reply = await ask(AT_ONCE, post(messages=[{"role": "user", "content": "a" * 2_000_001}]))
    error = msgspec.json.decode(body_of(reply))["error"]
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
