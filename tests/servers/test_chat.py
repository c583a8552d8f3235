"""The chat server: home, page files, /health, /faults and /metrics, byte for byte. The tests of
`/chat/{text}` are in llm/test_named_events.py."""

import gzip
import re

import msgspec
import pytest
from trio.testing import MockClock

from protocol.sse import EventStreamParser
from servers.chat import GREETING, PAGE, routes
from servers.http.access import Access
from servers.http.reply import Reply, Request
from servers.llm.faults import FAULTS, listing
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace
from servers.llm.teaching import measured
from servers.llm.verdict.rules import RULES

from ..saying import answer
from .driving import CHUNKED, ask, get, head, text, timed
from .driving import TEXT as PLAIN

ROUTES = routes(Pace(1, 0.5))
AT_ONCE = routes(Pace(0, 0))


def body_of(reply: bytes) -> bytes:
    return reply.partition(b"\r\n\r\n")[2]


async def test_home_streams_to_a_program(autojump_clock: MockClock) -> None:
    received, words = await timed(ROUTES, get("/", "Accept: */*"))
    assert received == head(200, PLAIN, b"Vary: Accept\r\n", CHUNKED)
    assert words == {1 + 0.5 * n: word.encode() for n, word in enumerate(tokenize(GREETING))}


PAGE_FIELDS = (
    b"Vary: Accept\r\n"
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    b"img-src 'self'; connect-src 'self' http://localhost:8005; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
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
        b"Vary: Accept-Encoding\r\n",
    ) + content  # fmt: skip


@pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"])
async def test_home_is_the_page_to_a_browser(accept: str) -> None:
    assert await ask(AT_ONCE, get("/", f"Accept: {accept}")) == page_reply("index.html")


FILES = [path.relative_to(PAGE).as_posix() for path in PAGE.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", sorted(FILES))
async def test_page_files(name: str) -> None:
    """Each is sent unchanged, with its comments, because learners read the source in the browser;
    with its type, because `nosniff` is sent; and with the policy that allows no other source."""
    assert await ask(AT_ONCE, get(f"/page/{name}")) == page_reply(name)


async def test_a_page_file_is_compressed_where_the_client_accepts_it() -> None:
    """Its bytes are the same afterwards. A stream is never compressed."""
    reply = await ask(AT_ONCE, get("/page/chat.js", "Accept-Encoding: br, gzip"))
    fields, _, body = reply.partition(b"\r\n\r\n")
    assert b"\r\nVary: Accept-Encoding\r\nContent-Encoding: gzip" in fields
    assert b"Content-Length: %d\r\n" % len(body) in fields
    assert gzip.decompress(body) == (PAGE / "chat.js").read_bytes()
    for path in ("/", "/chat/hi"):
        assert b"Content-Encoding" not in await ask(AT_ONCE, get(path, "Accept-Encoding: gzip"))


async def test_the_page_has_a_link_to_a_course_that_is_served() -> None:
    """Without one it says how to get it."""

    async def course(request: Request) -> Reply:
        return Reply()

    accept = "Accept: text/html"
    assert b"<html lang" in await ask(AT_ONCE, get("/", accept))
    served = routes(Pace(0, 0), pages={"GET /course/": course})
    assert b"<html data-course lang" in await ask(served, get("/", accept))


def test_the_page_loads_only_its_own_files() -> None:
    """Every file that it names exists, under /page/."""
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert named
    named.remove("/course/")
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
    """A name is looked up in a table of files; no path is built from it."""
    expected = text(b"404 Not Found\n\nThe page has no such file.\n", status=404)
    assert await ask(AT_ONCE, get(path)) == expected


async def test_chat_with_control_characters() -> None:
    """JSON escapes the characters that would end a line of the stream."""
    events = EventStreamParser().receive_data
    reply = await ask(AT_ONCE, b"GET /chat/a%0D%0A%0A%00b HTTP/1.0\r\n\r\n")
    tokens = [event.data for event in events(body_of(reply)) if event.event == "thinking"]
    said = "".join(msgspec.json.decode(data)["text"] for data in tokens)
    assert said.startswith("The user says “a \0b”. ")


async def test_health() -> None:
    assert body_of(await ask(AT_ONCE, get("/health"))) == b'{"status":"ok"}'


async def test_faults_are_listed() -> None:
    expected = text(listing().encode(), b"Vary: Accept\r\n")
    assert await ask(AT_ONCE, get("/faults")) == expected
    assert await ask(AT_ONCE, get("/faults", "Accept: text/html, */*")) == expected


async def test_faults_as_json() -> None:
    """A program that accepts JSON gets one object per fault, beside the grammar."""
    reply = await ask(AT_ONCE, get("/faults", "Accept: application/json, text/plain;q=0.5"))
    json = b"Content-Type: application/json\r\n"
    length = b"Content-Length: %d\r\n" % len(body_of(reply))
    vary = b"Vary: Accept\r\nVary: Accept-Encoding\r\n"
    assert reply == head(200, json, length, vary) + body_of(reply)
    catalogue = msgspec.json.decode(body_of(reply))
    assert listing().startswith(catalogue["grammar"] + "\n")
    assert [fault["name"] for fault in catalogue["faults"]] == list(FAULTS)
    by_name = {fault["name"]: fault for fault in catalogue["faults"]}
    assert by_name["rst"] == {
        "name": "rst",
        "description": "The server sends RST between two chunks.",
        "needs_events": False,
        "position": {"unit": "event", "number": 3},
        "group": "cut",
        "lesson": RULES["took-half-for-whole"].rule,
        "clients": measured()["rst"],
    }
    assert by_name["bom"]["position"] == {"unit": "event", "number": 1}
    assert by_name["bom"]["needs_events"] is True
    assert by_name["no-done"]["position"] is None  # always at the end


async def test_chat_has_faults_too() -> None:
    """They are in the query, because an `EventSource` cannot send a header."""
    reply = await ask(AT_ONCE, get("/chat/hi?fault=no-done"))
    assert reply.endswith(b"\r\n0\r\n\r\n")
    assert b"event: message" in reply or b"data: " in reply
    assert b"event: done" not in reply
    assert (await ask(AT_ONCE, get("/chat/hi?fault=503"))).startswith(b"HTTP/1.1 503 ")
    unknown = await ask(AT_ONCE, get("/chat/hi?fault=rts"))
    assert unknown.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"no such fault: 'rts'. Did you mean 'rst'?" in unknown


async def test_chat_with_another_model() -> None:
    reply = await ask(AT_ONCE, get("/chat/ho?model=echo"))
    assert EventStreamParser().receive_data(body_of(reply))
    assert b'data: {"text":"ho"}' in reply


async def test_metrics() -> None:
    """The number of answers, their length, and how they ended."""
    served = routes(Pace(0, 0))
    await ask(served, get("/chat/hi"))
    await ask(served, get("/chat/hi?fault=x"))
    metrics = body_of(await ask(served, get("/metrics"))).decode()
    counts = [line for line in metrics.splitlines() if line.startswith("workshop_requests_total")]
    assert counts == [
        'workshop_requests_total{reason="done",route="GET /chat/{text}"} 1.0',
        'workshop_requests_total{reason="invalid",route="GET /chat/{text}"} 1.0',
    ]
    tokens = len(answer("hi").thinking) + len(answer("hi").text)
    assert f"workshop_tokens_total {tokens}.0" in metrics


KEY = "Authorization: Bearer sesame"


@pytest.mark.parametrize("path", ["/chat/hi", "/v1/models", "/wire/req_1"])
async def test_a_key_opens_the_model_by_every_route(path: str) -> None:
    """`--api-key-file`: every route to the model needs a key; home and health do not."""
    guarded = routes(Pace(0, 0), access=Access(["sesame"], ["https://app.example"]))
    assert (await ask(guarded, get(path))).startswith(b"HTTP/1.1 401 ")
    assert not (await ask(guarded, get(path, KEY))).startswith(b"HTTP/1.1 401 ")
    for open_to_all in ("/", "/health"):
        assert (await ask(guarded, get(open_to_all))).startswith(b"HTTP/1.1 200 ")
    asking = get(path, "Origin: https://app.example").replace(b"GET", b"OPTIONS", 1)
    assert b"Access-Control-Allow-Origin: https://app.example" in await ask(guarded, asking)


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (get("/chat/my%20secret"), "200 GET /chat/{text} "),
        (get("/chat/my%20secret/%0A"), "200 GET /chat/{text} "),
        (get("/chat/secret%ff"), "400 the path is not UTF-8 once percent-decoded"),
        (get("/v1/models/secret"), "200 GET /v1/models/{id} "),
        (get("/wire/secret"), "404 GET /wire/{id} "),
        (b"PUT /chat/secret HTTP/1.1\r\nHost: a\r\n\r\n", "405 PUT /chat/{text} "),
        (get("/chat/chat/secret"), "200 GET /chat/{text} "),
    ],
)
async def test_no_prompt_in_the_log(
    request_: bytes, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log shows the pattern of a route, not the path."""
    caplog.set_level("INFO", "servers")
    await ask(AT_ONCE, request_)
    (record,) = caplog.records
    assert record.getMessage().startswith(line)
    assert "secret" not in record.getMessage()
