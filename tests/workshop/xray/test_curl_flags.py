"""The flags with curl's names, and the request that is sent."""

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from clients.streams.memory import MemoryStream, memory_pair
from protocol.secret import Secret, redact
from workshop import __version__
from workshop.xray.asking.curl_flags import CurlFlags, UsageError, asking_of

URL = "http://h/a"
USUAL = (
    ("User-Agent", f"workshop-xray/{__version__}"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip"),
)
FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")


def test_a_url_alone() -> None:
    asking = asking_of(URL, CurlFlags())
    assert (asking.method, asking.url, asking.headers, asking.body) == ("GET", URL, USUAL, b"")


@pytest.mark.parametrize(
    ("flags", "method", "body", "kind"),
    [
        (CurlFlags("PUT"), "PUT", b"", ()),
        (CurlFlags(data=["a=1"]), "POST", b"a=1", (FORM,)),
        (CurlFlags(data=["a=1", "b=2"]), "POST", b"a=1&b=2", (FORM,)),
        (CurlFlags("GET", data=["{}"]), "GET", b"{}", (FORM,)),
        (CurlFlags(data=["@{file}"]), "POST", b'{"a":1}', (FORM,)),
        (CurlFlags(data=["@-"]), "POST", "你".encode(), (FORM,)),
        (CurlFlags(json_body='{"a":1}'), "POST", b'{"a":1}', (JSON,)),
        (CurlFlags(json_body="@{file}"), "POST", b'{"a":\n1}\n', (JSON,)),
        (CurlFlags(data=["你"]), "POST", "你".encode(), (FORM,)),
    ],
)
def test_body(
    flags: CurlFlags,
    method: str,
    body: bytes,
    kind: tuple[tuple[str, str], ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(b'{"a":\n1}\n')
    monkeypatch.setattr(sys, "stdin", Input("你\n".encode()))
    data = [text.replace("{file}", str(file)) for text in flags.data]
    whole = flags.json_body and flags.json_body.replace("{file}", str(file))
    asking = asking_of(URL, CurlFlags(flags.method, data, json_body=whole))
    assert (asking.method, asking.body) == (method, body)
    assert asking.headers == USUAL + kind


@dataclass
class Input:
    data: bytes

    @property
    def buffer(self) -> io.BytesIO:
        return io.BytesIO(self.data)


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        (["X-Fault: fin@3"], (*USUAL, ("X-Fault", "fin@3"))),
        (["Accept-Encoding:"], USUAL[:2]),
        (["accept: text/event-stream"], (USUAL[0], USUAL[2], ("accept", "text/event-stream"))),
        (["X-Empty;"], (*USUAL, ("X-Empty", ""))),
        (["@{file}", "X-C:3"], (*USUAL, ("X-A", "1"), ("X-B", "2"), ("X-C", "3"))),
        (["X-A: 1", "X-A: 2"], (*USUAL, ("X-A", "1"), ("X-A", "2"))),
    ],
)
def test_fields(fields: list[str], headers: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    file = tmp_path / "fields"
    file.write_text("X-A: 1\n\nX-B: 2\n")
    fields = [field.replace("{file}", str(file)) for field in fields]
    assert asking_of(URL, CurlFlags(fields=fields)).headers == headers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/base/v1/responses?x=1"])
def test_a_body_that_streams_is_added(path: str) -> None:
    here = asking_of(f"http://localhost:8000{path}", CurlFlags())
    assert (here.method, here.headers) == ("POST", (*USUAL, JSON))
    asked = json.loads(here.body)
    assert (asked["model"], asked["stream"]) == ("echo", True)
    assert "1 一, 2 二, 3 三" in here.body.decode()
    there = asking_of(f"https://api.example{path}", CurlFlags("POST"))
    assert json.loads(there.body)["model"] == "gpt-4o-mini"
    assert json.loads(asking_of(URL[:8] + path, CurlFlags(model="m")).body)["model"] == "m"
    assert asking_of(f"http://h{path}", CurlFlags("GET")).body == b""
    assert asking_of(f"http://h{path}", CurlFlags(data=["x"])).body == b"x"


@pytest.mark.parametrize(
    ("url", "flags", "message"),
    [
        ("ftp://h/", CurlFlags(), "not an http:// or https:// URL: 'ftp://h/'"),
        ("http://me:pass@h:x/", CurlFlags(), "not an http:// or https:// URL: 'http://h:x/'"),
        ("http://[/", CurlFlags(), "not an http:// or https:// URL: 'http://[/'"),
        (URL, CurlFlags("get"), "not a method: 'get'; write it in capitals, such as -X POST"),
        (URL, CurlFlags(data=["a"], json_body="1"), "give -d or --json-body, not both"),
        (
            URL,
            CurlFlags(json_body="{"),
            "--json-body is not JSON: Input data was truncated (-d sends any bytes)",
        ),
        (URL, CurlFlags(fields=["sk-secret"]), "-H wants a field: -H 'Name: value'"),
        (URL, CurlFlags(fields=["Connection: close"]), "x-ray writes Connection itself; drop …"),
        (URL, CurlFlags(fields=["Host: a b"]), "-H Host: not a host: 'a b'"),
        (
            URL,
            CurlFlags(key=Secret("sk-1")),
            "a key over plain http:// can be read on the way to h",
        ),
    ],
)
def test_usage(url: str, flags: CurlFlags, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        asking_of(url, flags)
    start, dots, _ = message.partition("…")
    assert str(raised.value).startswith(start)
    assert dots or str(raised.value) == message


def test_keys() -> None:
    """A key becomes a Secret, so no message shows it."""
    asking = asking_of("https://h/", CurlFlags(key=Secret("sk-a")))
    assert ("Authorization", "Bearer sk-a") in asking.headers
    asking_of(URL, CurlFlags(fields=["Authorization: Bearer canary-in-field"]))
    asking_of(URL, CurlFlags(fields=["X-API-Key: canary-in-key"]))
    asking = asking_of("http://me:canary%21in-url@h/a", CurlFlags())
    assert (asking.url, asking.headers[3]) == (
        "http://h/a",
        ("Authorization", "Basic bWU6Y2FuYXJ5IWluLXVybA=="),
    )
    told = "canary-in-field canary-in-key canary!in-url"
    assert redact(told) == "[redacted] [redacted] [redacted]"


async def test_host() -> None:
    """`-H Host` keeps the connection where the URL says, and asks for another host there."""
    asked = []

    async def reach(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        asked.append((host, port))
        return memory_pair()[0]

    asking = asking_of("http://10.0.0.7:81/a?b", CurlFlags(fields=["Host: api.example"]), reach)
    assert asking.url == "http://api.example/a?b"
    await asking.connect("api.example", 80, stall_seconds=1)
    assert asked == [("10.0.0.7", 81)]
    with pytest.raises(OSError, match=r"HTTPS_PROXY is set: add NO_PROXY=api\.example$"):
        await asking.connect("proxy", 3128, stall_seconds=1)
