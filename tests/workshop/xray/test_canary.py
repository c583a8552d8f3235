"""A server quotes a key in many forms, but nothing that x-ray shows, saves or exports contains the
key.

Each output is searched twice: unchanged, and with all base64 in it decoded.
"""

import gzip
import html
import io
import json
import re
import urllib.parse
import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from rich.console import Console

from protocol.recording import RecordedRead, write_recording
from protocol.secret import Secret
from servers.http.reply import Handler, Headers, Last, Reply, Request, StreamingReply
from servers.http.routes import Routes
from workshop.xray.command import Command
from workshop.xray.flags import parser
from workshop.xray.recordings.files import load

from .chains import network

BEARER = "canary-bW7+q/Zk'Lr\"e4Xt0mP"
QUERY = "canary+Jd9/v3Rc8YhQw2NsUf"
COOKIE = "canary-oT5yKb1gExAi6DzMl"
PASSWORD = "canary-Gp4uHc0jSn7VaFqB"
KEYS = (BEARER, QUERY, COOKIE, PASSWORD)


def forms(key: str) -> list[str]:
    """A key in the forms in which programs write it: in base64, with one, two and three bytes
    before it."""
    based = [b64encode(b"x" * size + key.encode()).decode() for size in range(3)]
    return [
        key,
        json.dumps(key)[1:-1],
        json.dumps(json.dumps(key))[3:-3],
        "".join(f"\\u{ord(char):04x}" for char in key),
        urllib.parse.quote(key, safe=""),
        re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote_plus(key)),
        html.escape(key),
        key.encode().hex(),
        *based,
    ]


class Quoting(Routes):
    """Answers with the keys in all forms, in pieces of some bytes."""

    def __init__(self, size: int, *, compresses: bool = False) -> None:
        super().__init__({})
        self._size = size
        self._compresses = compresses
        self.asked = b""

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        return self.answer, {}

    async def answer(self, request: Request) -> StreamingReply:
        self.asked = request.path.encode() + repr(request.headers).encode()
        headers: Headers = (("X-Echo", QUERY), ("Set-Cookie", f"id={COOKIE}; Path=/"))
        if self._compresses:
            headers += (("Content-Encoding", "gzip"),)
        return StreamingReply(self.pieces(), 401, "text/plain", headers)

    async def pieces(self) -> AsyncGenerator[bytes | Last, None]:
        text = "".join(f"no such key: {form}, sorry\n" for key in KEYS for form in forms(key))
        text += "x-api-key: canary-of-an-echo\nsk-canary-of-another-one\n"
        data = gzip.compress(text.encode()) if self._compresses else text.encode()
        for start in range(0, len(data), self._size):
            yield data[start : start + self._size]


URL = f"http://me:{PASSWORD}@server/v1?key={urllib.parse.quote(QUERY, safe='')}&x=1"
FIELDS = ("-H", f"Authorization: Bearer {BEARER}", "-H", f"Cookie: id={COOKIE}; theme=dark")


def decompressed(text: str) -> list[str]:
    """The decompressed text of any gzip in a text, without the chunked coding."""
    data = re.sub(rb"\r\n[0-9a-f]{1,5}\r\n", b"", text.encode("latin-1"))
    found = []
    for start in (match.start() for match in re.finditer(b"\x1f\x8b\x08", data)):
        try:
            found.append(zlib.decompressobj(31).decompress(data[start:]).decode("latin-1"))
        except zlib.error:
            continue
    return found


def leaks(output: bytes) -> list[str]:
    """Parts of keys in an output: nine characters of any form, after the first four."""
    texts = [output.decode("latin-1")]
    for found in re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", texts[0]):
        padded = found.rstrip("=")
        padded += "=" * (-len(padded) % 4)
        if len(padded.rstrip("=")) % 4 != 1:
            texts.append(b64decode(padded).decode("latin-1"))
    texts += [text for each in tuple(texts) for text in decompressed(each)]
    spaced = re.sub(r"[^0-9a-f]", "", texts[0])  # a dump in hex
    found = []
    for key in KEYS:
        for form in forms(key):
            for start in range(4 * len(form) // len(key) + 8, len(form) - 9):
                part = form[start : start + 9]
                found += [part for text in texts if part in text and "canary" not in part]
            if form[5:].encode().hex() in spaced:
                found.append(form)
    found += [text[max(0, text.find("canary") - 9) :][:60] for text in texts if "canary" in text]
    return found


def test_a_leak_is_found() -> None:
    """The search finds each form of each key when it is alone, and also in base64."""
    for key in KEYS:
        for form in forms(key):
            assert leaks(f"no such key: {form}, sorry".encode()), form
            for data in (form.encode(), gzip.compress(form.encode())):
                recording = b"".join(write_recording([RecordedRead(0.0, "server", data)]))
                assert leaks(recording), form
    assert leaks(b"nothing here") == []


@pytest.fixture(autouse=True)
def _no_other_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Secret, "known", set())


@pytest.mark.parametrize(
    "server", [Quoting(100_000), Quoting(5), Quoting(100_000, compresses=True)]
)
@pytest.mark.parametrize("shown", [(), ("--hex",), ("--summary",), ("--json",)])
async def test_no_format_has_a_key(
    shown: tuple[str, ...], server: Quoting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {name: tmp_path / name for name in ("save", "html", "har", "pcap")}
    flags = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    file = io.StringIO()
    console = Console(file=file, width=80, highlight=False)
    async with network({"server": server}) as made:
        arguments = [URL, *FIELDS, *shown, *flags]
        await Command(parser().parse_args(arguments), console, made.connect).run()
    assert b"canary" in server.asked  # the keys were sent
    told = capsys.readouterr()
    outputs = {
        "shown": file.getvalue().encode(),
        "stdout": told.out.encode(),
        "stderr": told.err.encode(),
        **{name: path.read_bytes() for name, path in files.items()},
    }
    assert {name: leaks(output) for name, output in outputs.items()} == {
        name: [] for name in outputs
    }
    assert all(len(outputs[name]) > 1000 for name in files)


def test_a_foreign_recording_has_no_key_when_it_is_loaded(tmp_path: Path) -> None:
    """Other programs record keys."""
    file = tmp_path / "raw"
    head = f"GET /v1?key={urllib.parse.quote(QUERY)} HTTP/1.1\r\n"
    head += f"Authorization: Bearer {BEARER}\r\nCookie: id={COOKIE}\r\n\r\n"
    url = f"http://me:{PASSWORD}@h/?key={urllib.parse.quote(QUERY)}"
    answer = "".join(f"no: {form}, sorry\n" for key in KEYS for form in forms(key))
    reads = [
        RecordedRead(0.0, "client", head.encode(), url=url),
        RecordedRead(1.0, "server", answer.encode()),
    ]
    file.write_bytes(b"".join(write_recording(reads)))
    assert leaks(b"".join(write_recording(load(file)))) == []
