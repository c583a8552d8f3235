"""The OpenAI API over HTTP: the exact bytes of the answers, and when they are sent."""

import re
from types import SimpleNamespace

import msgspec
import pytest
from trio.testing import MockClock

from protocol.sse import EventStreamParser
from servers.chat import routes
from servers.http.access import Access
from servers.llm.api import Settings
from servers.llm.engine import Engine
from servers.llm.model.conversation import Answer
from servers.llm.model.models import Model
from servers.llm.pace import PROFILES, Lognormal, Pace

from ...streams import receive_until
from ..driving import CHUNKED, ask, connected, get, head, timed
from .asking import body_of, error_of, post, post_raw

ROUTES = routes(Pace(1, 0.5))
AT_ONCE = routes(Pace(0, 0))
EVENTS = (
    b"Content-Type: text/event-stream; charset=utf-8\r\n",
    b"Cache-Control: no-cache, no-transform\r\n",
    b"X-Accel-Buffering: no\r\n",
)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short answer, with constant ids and times."""
    short = Answer(["Hm"], ["你", " go"])
    monkeypatch.setattr("servers.llm.model.models._small_talk", lambda question, seed: short)
    monkeypatch.setattr("os.urandom", lambda n: b"\x0f" * n)
    monkeypatch.setattr("servers.llm.api.time", SimpleNamespace(time=lambda: 1e9 + 0.9))


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
    """The role comes with the first token, each token when it is due. The end takes a step, too."""
    received, events = await timed(ROUTES, post(stream=True))
    assert received == head(200, *EVENTS, REQUEST_ID, CHUNKED)
    assert events == {1: ROLE + HM, 1.5: NI, 2: GO, 2.5: STOP + DONE}


@pytest.mark.usefixtures("said")
async def test_done_is_sent_with_the_last_chunk() -> None:
    """In one write, because a client that sees [DONE] without the end closes its connection."""
    async with connected(AT_ONCE) as memory:
        await memory.client.send_all(post(stream=True))
        await receive_until(memory.client, b"0\r\n\r\n")
        assert memory.server.writes[-1].endswith(STOP + DONE + b"\r\n0\r\n\r\n")


NULL = ',"usage":null'
USAGE = (
    f'data: {{"id":"{ID}","object":"chat.completion.chunk","created":1000000000,'
    '"model":"sim-1","system_fingerprint":"fp_sim_1","choices":[],'
    '"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,'
    '"completion_tokens_details":{"reasoning_tokens":1}}}\n\n'
).encode()


@pytest.mark.usefixtures("said")
async def test_usage_when_asked_for(autojump_clock: MockClock) -> None:
    """null in every chunk, then a chunk with the usage and without choices."""
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
    "null": ({"max_tokens": None}, [ROLE, HM, NI, GO, STOP, DONE]),
}


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize(("fields", "events"), LIMITS.values(), ids=LIMITS)
async def test_token_limit(
    fields: dict[str, object], events: list[bytes], autojump_clock: MockClock
) -> None:
    """Thinking counts, too. The finish_reason of a cut answer is `length`."""
    _, came = await timed(ROUTES, post(stream=True, **fields))
    assert b"".join(came.values()) == b"".join(events)


@pytest.mark.usefixtures("said")
@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}])
async def test_completion_whole(stream: dict[str, object], autojump_clock: MockClock) -> None:
    """The same answer in one object, when all its tokens are made."""
    reply = await ask(ROUTES, post(**stream))
    assert autojump_clock.current_time() == 2.5
    body = (
        f'{{"id":"{ID}","object":"chat.completion","created":1000000000,"model":"sim-1",'
        '"choices":[{"index":0,"message":{"role":"assistant","content":"你 go","refusal":null,'
        '"reasoning_content":"Hm"},"logprobs":null,"finish_reason":"stop"}],'
        '"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,'
        '"completion_tokens_details":{"reasoning_tokens":1}},'
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
    """For the default model and any limit."""
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
async def test_a_full_engine_answers_503(request_: bytes) -> None:
    """503 with Retry-After (RFC 9110 §15.6.4), in place of the head of a stream."""
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
    """Any model name is accepted and returned. Unknown fields are ignored."""
    _, came = await timed(ROUTES, post(stream=True, model="gpt-ü", temperature=0.1, top_k=[]))
    role = chunk('{"role":"assistant","content":"","refusal":null}', model="gpt-ü")
    assert came[1] == role + chunk('{"reasoning_content":"Hm"}', model="gpt-ü")
    whole = msgspec.json.decode(body_of(await ask(AT_ONCE, post(model="gpt-ü"))))
    assert whole["model"] == "gpt-ü"


async def test_the_prompt_is_the_last_user_message() -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "first"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "la"}, {"type": "text", "text": "st"}],
        },
        {"role": "assistant", "content": None, "refusal": "no"},
    ]
    whole = msgspec.json.decode(body_of(await ask(AT_ONCE, post(messages=messages))))
    thinking = whole["choices"][0]["message"]["reasoning_content"]
    assert thinking.startswith("The user says “last”. ")
    assert whole["usage"]["prompt_tokens"] == 4


GOOD = b'{"model":"m","messages":[{"role":"user","content":"x"}]'
ERRORS = {
    b"": None,
    b"hi": None,
    b'{"model":"\xff"}': None,
    b"[]": None,
    b"{}": "model",
    b'{"model":"m"}': "messages",
    b'{"model":1,"messages":[]}': "model",
    b'{"model":"m","messages":[]}': "messages",
    b'{"model":"m","messages":[{}]}': "messages[0].role",
    b'{"model":"m","messages":[{"role":"boss"}]}': "messages[0].role",
    GOOD + b',"n":129}': "n",
    GOOD + b',"max_tokens":0}': "max_tokens",
    GOOD + b',"stream":"yes"}': "stream",
}


@pytest.mark.parametrize("body", ERRORS, ids=lambda body: body.decode("latin-1") or "nothing")
async def test_errors(body: bytes) -> None:
    """400 and the API's error object, with the wrong field in `param`."""
    reply = await ask(AT_ONCE, post_raw(body))
    error = msgspec.json.decode(body_of(reply))
    assert list(error) == ["error"]
    assert list(error["error"].items()) == [
        ("message", error["error"]["message"]),
        ("type", "invalid_request_error"),
        ("param", ERRORS[body]),
        ("code", None),
    ]
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in reply


async def test_a_prompt_over_the_context() -> None:
    """400 with the code that clients know, without counting its tokens."""
    reply = await ask(AT_ONCE, post(messages=[{"role": "user", "content": "a" * 2_000_001}]))
    error = msgspec.json.decode(body_of(reply))["error"]
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert (error["code"], error["param"]) == ("context_length_exceeded", None)


# ---- The model's name, the request's seed, ids


STRICT = routes(Pace(0, 0), settings=Settings(strict_models=True))


async def test_models() -> None:
    listed = msgspec.json.decode(body_of(await ask(AT_ONCE, get("/v1/models"))))
    assert listed["object"] == "list"
    assert [each["id"] for each in listed["data"]] == ["sim-1", "echo", "lorem", "torture"]
    reply = await ask(STRICT, get("/v1/models/echo"))
    assert body_of(reply) == (
        b'{"id":"echo","object":"model","created":0,"owned_by":"workshop"}'
    )


@pytest.mark.parametrize(
    "request_", [get("/v1/models/gpt-5"), post(model="gpt-5"), post(model="gpt-5", stream=True)]
)
async def test_strict_models(request_: bytes) -> None:
    """404 with the code that clients know, and the names of all models."""
    status, error = error_of(await ask(STRICT, request_))
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert error["message"] == (
        "The model 'gpt-5' does not exist. There are: sim-1, echo, lorem, torture"
    )
    assert (await ask(AT_ONCE, request_)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_unknown_script() -> None:
    """A 404 even without strict_models, because nobody names a script by accident."""
    status, error = error_of(await ask(AT_ONCE, post(model="script:x")))
    assert (status, error["code"]) == (404, "model_not_found")


async def test_the_same_request_gets_the_same_bytes_at_the_same_times(
    autojump_clock: MockClock,
) -> None:
    """Also from another server with the same seed. Ids and dates differ."""

    async def come(server_seed: int, **asked: object) -> tuple[list[float], bytes]:
        pace = Pace(1, 0.05, spread=Lognormal())
        _, events = await timed(
            routes(pace, model=Model(server_seed)), post(stream=True, n=2, max_tokens=30, **asked)
        )
        body = re.sub(rb'"id":"[^"]+"|"created":\d+', b"", b"".join(events.values()))
        return [round(time, 6) for time in events], body

    first = await come(1, seed=5)
    assert await come(1, seed=5) == first
    assert (await come(2, seed=5))[0] != first[0]
    assert (await come(1, seed=6))[0] != first[0]


def paced(name: str) -> bytes:
    return post(stream=True).replace(b"Host: a", b"Host: a\r\nX-Pace: " + name.encode(), 1)


@pytest.mark.usefixtures("said")
async def test_a_request_chooses_its_pace(autojump_clock: MockClock) -> None:
    """The header names a profile that applies to this answer only."""
    _, events = await timed(ROUTES, paced("default"))
    ttft, itl = PROFILES["default"].ttft, PROFILES["default"].itl
    due = [ttft + itl * number for number in range(4)]
    assert list(events) == pytest.approx(due, abs=0.005)  # the engine's tick
    _, events = await timed(ROUTES, paced("instant"))
    assert b"".join(events.values()) == ROLE + HM + NI + GO + STOP + DONE
    assert set(events) == {0}
    _, events = await timed(ROUTES, post(stream=True))
    assert list(events) == [1, 1.5, 2, 2.5]


async def test_an_unknown_pace() -> None:
    status, error = error_of(await ask(AT_ONCE, paced("fastest")))
    assert (status, error["param"], error["code"]) == (400, "x-pace", "unknown_pace")
    assert error["message"].endswith(", ".join(PROFILES))


REQUEST_IDS = re.compile(rb"\r\nx-request-id: (req_[0-9a-f]{24})\r\n")


async def test_every_reply_has_a_request_id() -> None:
    """Errors have one, too, and so have replies to refused clients."""
    locked = routes(Pace(0, 0), access=Access(["secret"]))
    full = routes(Pace(0, 0), Engine(max_batch=0, max_queue=0))
    asked = [(AT_ONCE, post()), (AT_ONCE, post_raw(b"{")), (AT_ONCE, post(model="fault-503"))]
    asked += [(AT_ONCE, get("/v1/models")), (locked, post()), (full, post()), (STRICT, post())]
    ids = []
    for served, request_ in asked:
        (found,) = REQUEST_IDS.findall(await ask(served, request_))
        ids.append(found)
    assert len(set(ids)) == len(asked)


async def test_keys() -> None:
    """Only the API needs keys; the page, its chat and the health check do not."""
    locked = routes(Pace(0, 0), access=Access(["secret"]))
    status, error = error_of(await ask(locked, post()))
    assert (status, error["code"]) == (401, "invalid_api_key")
    opened = post().replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer secret\r\n\r\n", 1)
    assert (await ask(locked, opened)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert (await ask(locked, get("/health"))).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_nested_too_deeply() -> None:
    """A schema that can be parsed, but is too deep for Python to walk, does not stop the server."""
    for deep in (400, 900, 985):
        parameters = b'{"a":' * deep + b"{}" + b"}" * deep
        body = GOOD + b',"tools":[{"type":"function","function":{"name":"f","parameters":'
        reply = await ask(AT_ONCE, post_raw(body + parameters + b"}}]}"))
        assert reply[9:12] in (b"200", b"400")


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_other_routes_of_the_api(method: bytes) -> None:
    """The error has the API's form, because client libraries show only such messages."""
    reply = await ask(AT_ONCE, get("/v1/embeddings").replace(b"GET", method))
    status, error = error_of(reply)
    assert (status, error["code"]) == (404, "unknown_url")
    assert error["message"] == (
        "There is no route /v1/embeddings. There are: POST /v1/chat/completions, "
        "POST /v1/responses, GET /v1/models, GET /v1/models/{id}"
    )
