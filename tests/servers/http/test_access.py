"""Keys: which requests are admitted, the exact refusals, and that no key is shown anywhere.

The tests for pages of other origins are in test_cors.py.
"""

import hmac
import logging
import re
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from servers.http.access import Access, read_keys
from servers.http.reply import Handler, Reply, Request
from servers.http.routes import Routes

from ..driving import ask, get, head, replying, text

CANARY = "sk-canary-0123456789"
APP = "https://app.example"


async def fails(request: Request) -> Reply:
    raise ValueError("the handler's own bug")


HI = replying(Reply("hi"))
TABLE: dict[str, Handler] = {
    "GET /": HI,
    "POST /": replying(Reply("posted")),
    "GET /{id}": HI,
    "GET /fails": fails,
}


def guarded(keys: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> Routes:
    return Routes(Access(keys, origins).guard(TABLE))


def authorized(credentials: str = f"Bearer {CANARY}") -> str:
    return f"Authorization: {credentials}"


def test_free_access_needs_no_guard() -> None:
    """Without keys, origins and hosts there is nothing to check."""
    assert Access().guard(TABLE) == TABLE


# ---- keys


def unauthorized(message: str, *fields: bytes) -> bytes:
    body = msgspec.json.encode(
        {
            "error": {
                "message": message,
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_api_key",
            }
        }
    )
    return (
        head(
            401,
            b"Content-Type: application/json\r\n",
            b"Content-Length: %d\r\n" % len(body),
            b'WWW-Authenticate: Bearer realm="api"\r\n',
            *fields,
        )
        + body
    )


NO_KEY = "This server asks for a key. Send the header: Authorization: Bearer KEY"
WRONG_KEY = "The key in the Authorization header is not one of this server's."


async def test_no_keys_are_configured() -> None:
    """Then every request is admitted, with a key or without."""
    for fields in ((), (authorized(),)):
        assert await ask(guarded(), get("/", *fields)) == text(b"hi")


GOOD = [
    f"Bearer {CANARY}",
    f"bearer {CANARY}",  # a scheme in any case (RFC 9110 §11.1)
    f"BEARER   {CANARY}",  # 1*SP (RFC 6750 §2.1)
    f"Bearer {CANARY}  ",  # spaces around the value are not part of it (RFC 9110 §5.5)
    "Bearer other",
]


@pytest.mark.parametrize("credentials", GOOD)
async def test_one_of_the_keys(credentials: str) -> None:
    routes = guarded((CANARY, "other"))
    assert await ask(routes, get("/", authorized(credentials))) == text(b"hi")


WRONG = [
    "",
    "Bearer",
    f"Bearer {CANARY[:-1]}",
    f"Bearer {CANARY}x",
    f"Bearer {CANARY.upper()}",
    f"Bearer {CANARY} x",
    f"Bearer {CANARY},other",
    f"Bearer\t{CANARY}",
    f"Bearer {CANARY}é",
    f"Basic {CANARY}",
    CANARY,
]


@pytest.mark.parametrize("credentials", WRONG)
async def test_not_one_of_the_keys(credentials: str) -> None:
    reply = await ask(guarded((CANARY, "other")), get("/", authorized(credentials)))
    assert reply == unauthorized(WRONG_KEY)


async def test_no_key_is_sent() -> None:
    assert await ask(guarded((CANARY,)), get()) == unauthorized(NO_KEY)


async def test_two_fields_with_a_key() -> None:
    """A proxy may have used the other one."""
    for fields in ((authorized(), authorized()), (authorized(), authorized("Bearer x"))):
        assert await ask(guarded((CANARY,)), get("/", *fields)) == unauthorized(WRONG_KEY)


async def test_an_empty_key_is_refused() -> None:
    assert await ask(guarded(("",)), get("/", "Authorization: Bearer ")) == unauthorized(WRONG_KEY)


async def test_a_handler_is_not_called_without_a_key() -> None:
    """The connection stays open, and its next request may have the key."""
    called = []

    async def handler(request: Request) -> Reply:
        called.append(request.path)
        return Reply("hi")

    routes = Routes(Access((CANARY,)).guard({"GET /{id}": handler}))
    requests = get("/a"), get("/b", authorized())
    assert await ask(routes, *requests) == unauthorized(NO_KEY) + text(b"hi")
    assert called == ["/b"]


@pytest.mark.parametrize("given", ["one", "two", "none", "o"])
async def test_every_key_is_compared(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In constant time, and with all keys, also if the first one matches."""
    compared: list[tuple[bytes, bytes]] = []

    def compare_digest(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, theirs))
        return ours == theirs

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    reply = await ask(guarded(("one", "two")), get("/", authorized(f"Bearer {given}")))
    assert reply.startswith(b"HTTP/1.1 200 " if given in ("one", "two") else b"HTTP/1.1 401 ")
    digest = sha256(given.encode()).digest()
    assert compared == [(sha256(key).digest(), digest) for key in (b"one", b"two")]


async def test_a_key_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in a log, a reply or a repr. The same holds for any part of a wrong key."""
    caplog.set_level(logging.DEBUG)
    access = Access((CANARY,), (APP,))
    routes = Routes(access.guard(TABLE))
    said = [repr(access), repr(vars(access)), repr(routes), repr(vars(routes))]
    for path in ("/", "/fails", "/no/such"):
        for key in (CANARY, CANARY + "-wrong", f"Basic {CANARY}"):
            said.append(repr(await ask(routes, get(path, authorized(f"Bearer {key}")))))
    said.append(caplog.text)
    assert "401 GET /" in caplog.text
    assert "the handler's own bug" in caplog.text
    assert not [text for text in said if "canary" in text]


# ---- a file of keys


def write(folder: Path, data: str | bytes) -> Path:
    path = folder / "keys"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(0o600)
    return path


def test_read_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = b"\xef\xbb\xbf# who\nsk-one\r\n\n  sk-two==\t\n  # not: a key\n!~"
    assert read_keys(write(tmp_path, data)) == ["sk-one", "sk-two==", "!~"]
    assert read_keys(str(write(tmp_path, "one"))) == ["one"]
    assert caplog.text == ""


@pytest.mark.parametrize("data", ["", "\n", "# a\n  \n#b"])
def test_read_keys_of_a_file_without_keys(data: str, tmp_path: Path) -> None:
    """An empty list would admit every request."""
    path = write(tmp_path, data)
    message = f"there is no key in {path}: write one to a line"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        read_keys(path)


@pytest.mark.parametrize("line", ["sk canary", "sk-canary # mine", "sk-canaré", b"canary\xff\xfe"])
def test_read_keys_of_a_line_that_is_not_a_key(line: str | bytes, tmp_path: Path) -> None:
    """The error and its causes show the number of the line, and not its text."""
    path = write(tmp_path, b"one\n\n" + (line if isinstance(line, bytes) else line.encode()))
    with pytest.raises(ValueError, match=r"^line 3 of ") as caught:
        read_keys(path)
    assert str(caught.value) == (
        f"line 3 of {path} is not a key: letters, digits and signs of ASCII, without a space; "
        "a comment has a line of its own"
    )
    assert caught.value.__context__ is None


def test_read_keys_that_everybody_can_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, CANARY)
    path.chmod(0o644)
    assert read_keys(path) == [CANARY]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"every user of this machine can read the keys: chmod o-r {path}"
    )


LOCAL = Access(origins=["http://localhost:8000"], hosts=["localhost", "127.0.0.1", "[::1]"])


async def refused(access: Access, request: str) -> str:
    """The code of the refusal, or "" if the handler was called."""
    called = []

    async def handler(request: Request) -> Reply:
        called.append(request.path)
        return Reply("done")

    reply = await ask(Routes(access.guard({"GET /": handler})), request.encode())
    assert called == (["/"] if reply.startswith(b"HTTP/1.1 200 ") else [])
    if called:
        return ""
    assert reply.startswith(b"HTTP/1.1 403 ")
    return reply.partition(b'"code":"')[2].partition(b'"')[0].decode()


@pytest.mark.parametrize(
    ("host", "origin", "code"),
    [
        ("localhost:8005", None, None),
        ("LOCALHOST", None, None),
        ("127.0.0.1:8005", "http://localhost:8000", None),
        ("[::1]:8005", None, None),
        ("[::1]", None, None),
        ("evil.example", None, "host_not_allowed"),
        ("localhost.evil.example:8005", None, "host_not_allowed"),
        ("127.0.0.1.nip.example", None, "host_not_allowed"),
        ("[::2]:8005", None, "host_not_allowed"),
        ("localhost:8005", "https://evil.example", "origin_not_allowed"),
        ("localhost:8005", "null", "origin_not_allowed"),
        ("localhost:8005", "http://localhost:8001", "origin_not_allowed"),
        ("localhost:8005", "", "origin_not_allowed"),
    ],
)
async def test_hosts_and_origins(host: str, origin: str | None, code: str | None) -> None:
    """For a rebound name, or a page of another site, the handler is not called."""
    fields = f"Host: {host}\r\n" + (f"Origin: {origin}\r\n" if origin is not None else "")
    assert await refused(LOCAL, f"GET / HTTP/1.1\r\n{fields}\r\n") == (code or "")


@pytest.mark.parametrize(
    ("target", "host", "code"),
    [
        ("http://localhost:8005/", "localhost", ""),
        ("http://localhost/", "evil.example", ""),  # Host is ignored
        ("http://[0:0::1]/", "localhost", ""),
        ("http://evil.example/", "localhost", "host_not_allowed"),
        ("https://evil.example:8005", "localhost:8005", "host_not_allowed"),
    ],
)
async def test_the_host_of_an_absolute_target_counts(target: str, host: str, code: str) -> None:
    """The same holds for routing (RFC 9112 §3.2.2)."""
    assert await refused(LOCAL, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n") == code


@pytest.mark.parametrize(
    ("site", "origin", "code"),
    [
        (None, None, ""),  # a program
        ("none", None, ""),  # typed into the address bar
        ("same-origin", None, ""),
        ("same-site", "http://localhost:8000", ""),  # the chat page, through CORS
        ("cross-site", "http://localhost:8000", ""),  # the same, and this server is 127.0.0.1
        ("same-site", None, "origin_not_allowed"),  # any page at another port of localhost
        ("cross-site", None, "origin_not_allowed"),
        ("cross-site", "null", "origin_not_allowed"),
        ("same-origin", "http://localhost:8001", "origin_not_allowed"),
        ("of-tomorrow", None, "origin_not_allowed"),
        ("", None, "origin_not_allowed"),
    ],
)
async def test_pages_that_embed_the_server(site: str | None, origin: str | None, code: str) -> None:
    """Requests for images, scripts and forms have no Origin, but a Sec-Fetch-Site."""
    said = {"Host": "localhost", "Sec-Fetch-Site": site, "Origin": origin}
    fields = "".join(f"{name}: {value}\r\n" for name, value in said.items() if value is not None)
    assert await refused(LOCAL, f"GET / HTTP/1.1\r\n{fields}\r\n") == code


async def test_pages_of_all_origins_may_embed() -> None:
    """If the operator has allowed all origins, or has set no hosts."""
    fields = "Host: localhost\r\nSec-Fetch-Site: cross-site\r\n"
    for access in (Access(origins=["*"], hosts=["localhost"]), Access()):
        assert await refused(access, f"GET / HTTP/1.1\r\n{fields}\r\n") == ""
