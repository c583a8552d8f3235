"""CORS: what pages of other origins may read, in exact heads (Fetch standard)."""

from collections.abc import AsyncGenerator

import pytest

from servers.http.access import ALLOWED_FIELDS, EXPOSED_FIELDS, Access
from servers.http.reply import EventStream, Handler, Reply, Request
from servers.http.routes import Routes

from ...streams import receive_until
from ..driving import CHUNKED, TEXT, ask, connected, get, head, replying, text
from .test_access import CANARY, NO_KEY, unauthorized

APP = "https://app.example"
VARY = b"Vary: Origin\r\n"
ALLOWED = b"Access-Control-Allow-Origin: https://app.example\r\n"
ANY = b"Access-Control-Allow-Origin: *\r\n"
READABLE = f"Access-Control-Expose-Headers: {EXPOSED_FIELDS}\r\n".encode()
SENT_FIELDS = ", ".join(ALLOWED_FIELDS)


async def events(request: Request) -> EventStream:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"data: 1\n\n"

    return EventStream(pieces())


HI = replying(Reply("hi"))
TABLE: dict[str, Handler] = {
    "GET /": HI,
    "POST /": HI,
    "GET /{rest}": HI,
    "GET /events": events,
}


def guarded(keys: tuple[str, ...], origins: tuple[str, ...]) -> Routes:
    return Routes(Access(keys, origins).guard(TABLE))


# ---- reading a reply


async def test_no_origins_are_configured() -> None:
    """Then no CORS field is sent, and OPTIONS gets its usual answer."""
    assert await ask(guarded((), ()), get("/", f"Origin: {APP}")) == text(b"hi")
    assert await ask(guarded((), ()), b"OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n") == head(
        204, b"Allow: GET, HEAD, OPTIONS, POST\r\n"
    )


async def test_a_page_that_may_read() -> None:
    """Twice, because the handler returns the same reply both times: it must not get more fields."""
    request = get("/", f"Origin: {APP}")
    expected = text(b"hi", VARY, ALLOWED, READABLE)
    assert await ask(guarded((), ("null", APP)), request, request) == expected * 2


REFUSED = [
    (),  # not a browser, or the server's own page
    ("Origin: https://evil.example",),
    ("Origin: https://app.example.evil.example",),
    ("Origin: http://app.example",),  # another scheme
    ("Origin: https://app.example:8443",),  # another port
    ("Origin: null",),  # allowed only if it is listed
    ("Origin: ",),
]


@pytest.mark.parametrize("fields", REFUSED)
async def test_a_page_that_may_not_read(fields: tuple[str, ...]) -> None:
    """Its browser hides the reply from it. Vary is sent too, because caches need it."""
    assert await ask(guarded((), (APP,)), get("/", *fields)) == text(b"hi", VARY)


@pytest.mark.parametrize("fields", REFUSED)
async def test_every_page_may_read(fields: tuple[str, ...]) -> None:
    """The reply is the same for all, so it does not vary."""
    assert await ask(guarded((), (APP, "*")), get("/", *fields)) == text(b"hi", ANY, READABLE)


async def test_null_if_it_is_listed() -> None:
    reply = await ask(guarded((), ("null",)), get("/", "Origin: null"))
    assert reply == text(b"hi", VARY, b"Access-Control-Allow-Origin: null\r\n", READABLE)


async def test_the_head_of_a_stream() -> None:
    """It has the CORS fields, and is sent before the first event."""
    async with connected(guarded((), (APP,))) as memory:
        await memory.client.send_all(get("/events", f"Origin: {APP}"))
        received = await receive_until(memory.client, b"\r\n0\r\n\r\n")
    assert received == (
        head(
            200,
            b"Content-Type: text/event-stream; charset=utf-8\r\n",
            b"Cache-Control: no-cache, no-transform\r\n",
            b"X-Accel-Buffering: no\r\n",
            VARY,
            ALLOWED,
            READABLE,
            CHUNKED,
        )
        + b"9\r\ndata: 1\n\n\r\n0\r\n\r\n"
    )


async def test_a_page_may_read_why_it_is_refused() -> None:
    reply = await ask(guarded((CANARY,), (APP,)), get("/", f"Origin: {APP}"))
    assert reply == unauthorized(NO_KEY, VARY, ALLOWED, READABLE)


async def test_head_request() -> None:
    request = f"HEAD / HTTP/1.1\r\nHost: a\r\nOrigin: {APP}\r\n\r\n".encode()
    expected = head(200, TEXT, b"Content-Length: 2\r\n", VARY, ALLOWED, READABLE)
    assert await ask(guarded((), (APP,)), request) == expected


# ---- the preflight


def preflight(path: str, asked: str | None, origin: str = APP) -> bytes:
    lines = [f"OPTIONS {path} HTTP/1.1", "Host: a", f"Origin: {origin}"]
    lines.append("Access-Control-Request-Method: POST")
    lines += [] if asked is None else [f"Access-Control-Request-Headers: {asked}"]
    return "\r\n".join([*lines, "", ""]).encode()


def permission(methods: str, by_sdk: str = "") -> tuple[bytes, ...]:
    return (
        f"Access-Control-Allow-Methods: {methods}\r\n".encode(),
        f"Access-Control-Allow-Headers: {SENT_FIELDS}{by_sdk}\r\n".encode(),
        b"Access-Control-Max-Age: 600\r\n",
    )


PATHS = {"/": "GET, POST", "/events": "GET", "/anything/else": "GET"}


@pytest.mark.parametrize("path", PATHS)
async def test_preflight(path: str) -> None:
    """It is answered without a key, because browsers send none with it."""
    reply = await ask(guarded((CANARY,), (APP,)), preflight(path, "authorization,content-type"))
    assert reply == head(204, VARY, ALLOWED, *permission(PATHS[path]))


async def test_preflight_if_every_page_may_read() -> None:
    reply = await ask(guarded((CANARY,), ("*",)), preflight("/", None))
    assert reply == head(204, ANY, *permission("GET, POST"))


async def test_preflight_of_a_page_that_may_not_read() -> None:
    reply = await ask(guarded((CANARY,), (APP,)), preflight("/", None, "https://evil.example"))
    assert reply == head(204, VARY)


async def test_preflight_of_an_unknown_path() -> None:
    routes = Routes(Access((), (APP,)).guard({"GET /v1/models": HI}))
    reply = await ask(routes, preflight("/v1/other", None))
    assert reply.startswith(b"HTTP/1.1 404 ")


LONG = "x-stainless-" + "a" * 64
MANY = [f"x-stainless-{number}" for number in range(40)]
ASKED = {
    "": "",
    "authorization,x-stainless-lang,x-stainless-os": ", x-stainless-lang, x-stainless-os",
    " X-Stainless-Retry-Count , x-stainless-arch": ", x-stainless-retry-count, x-stainless-arch",
    "x-evil,cookie,x-stainless,x-stainless-": "",
    'x-stainless-a b,x-stainless-"q",x-stainless-é,x-stainless-;': "",
    f"{LONG},{LONG}a": f", {LONG}",
    ",".join(MANY): ", " + ", ".join(MANY[:32]),
}


@pytest.mark.parametrize("asked", ASKED)
async def test_fields_that_an_sdk_asks_for(asked: str) -> None:
    """Field names of the SDK's own form are allowed, up to a length and a number."""
    reply = await ask(guarded((), (APP,)), preflight("/", asked))
    assert reply == head(204, VARY, ALLOWED, *permission("GET, POST", ASKED[asked]))


async def test_never_with_credentials() -> None:
    """With them a page could use its user's cookies, and not only its own key."""
    for origins in ((APP,), ("*",), ("null", APP, "*")):
        for request in (get("/", f"Origin: {APP}"), preflight("/", "authorization")):
            assert b"redentials" not in await ask(guarded((CANARY,), origins), request)


# ---- origins


ORIGINS = [
    "*",
    "null",
    "https://app.example",
    "http://localhost:3000",
    "http://127.0.0.1:8000",
    "http://[::1]:8000",
    "https://xn--fiq228c.example",
    "https://app.example:80",
    "chrome-extension://abcdefghijklmnop",
    "app://obsidian.md",
]
NOT_ORIGINS = [
    "",
    "app.example",
    "localhost:3000",
    "https://",
    "https://app.example/",
    "https://app.example/chat",
    "https://app.example?x",
    "https://user@app.example",
    "https://App.example",
    "HTTPS://app.example",
    "https://例.example",
    "https://*.app.example",
    "https://app.example:",
    "https://app.example:443",
    "http://app.example:80",
    "https://a.example,https://b.example",
    "https://a.example https://b.example",
    "https://app.example\r\nX-Evil: 1",
    "https://app.example\n",
    "Null",
    " *",
]


@pytest.mark.parametrize("origin", ORIGINS)
async def test_an_origin(origin: str) -> None:
    reply = await ask(guarded((), (origin,)), get("/", f"Origin: {origin}"))
    assert f"\r\nAccess-Control-Allow-Origin: {origin}\r\n".encode() in reply


@pytest.mark.parametrize("origin", NOT_ORIGINS)
def test_not_an_origin(origin: str) -> None:
    """It would never equal a browser's Origin, so it is an error at the start."""
    with pytest.raises(ValueError, match=r"^not an origin: ") as caught:
        Access((), (APP, origin))
    assert str(caught.value) == (
        f"not an origin: {origin!r}. Write it as browsers do: https://app.example or "
        "http://localhost:3000, in lower case, no path, no slash at the end, no default port; "
        "or * for every page"
    )
