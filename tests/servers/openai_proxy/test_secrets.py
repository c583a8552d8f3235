"""The canary: a key that is easy to find, and must not be found.

It may not reach a log of any level, a traceback, an error, a metric or a `repr`: only one field of
the upstream request.
"""

import io
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from clients.http.exchange import Headers, Response
from clients.streams.tcp import ByteStream
from servers.http.redact import RedactingFormatter, Secret
from servers.openai_proxy.__main__ import main
from servers.openai_proxy.handlers import Upstream

from ...conftest import Start, line_of, outputs
from ..driving import get
from .fake_api import EVENTS, KEY, chunked, fake_api, proxied, whole
from .test_relay import JSON, REPLIES, post

TOKEN = "the-clients-own-token"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that this process logs, at every level, in the format of the programs."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(RedactingFormatter("%(levelname)s %(message)s"))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


async def test_no_reply_leaks_the_key(log: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
    """Even if the API quotes the key. The log is safe even without its redacting formatter."""
    caplog.set_level(logging.DEBUG)
    words = b'{"error":{"message":"Incorrect API key: %b"}}' % KEY.encode()
    quoting = [sent for sent, _, _ in REPLIES.values()]
    quoting += [whole(words, status, JSON) for status in ("400 Bad Request", "403 Forbidden")]
    quoting += [EVENTS + chunked(b"data: 1\n\n"), EVENTS + b"bad key", b"HTTP/1.1 bad key\r\n\r\n"]
    seen = b""
    for sent in quoting:
        async with fake_api(sent.replace(b"bad key", KEY.encode())) as api:
            async with proxied(api.port) as proxy:
                seen += await proxy.ask(post(f"Authorization: Bearer {TOKEN}"))
                seen += await proxy.ask(get("/metrics", "Connection: close"))
            (request,) = api.requests
            assert request.count(KEY.encode()) == 1
            assert TOKEN.encode() not in request
    for secret in (KEY, TOKEN):
        assert secret.encode() not in seen
        assert secret not in log.getvalue()
        assert secret not in caplog.text
    assert "Bearer" not in caplog.text


async def test_a_bug_of_ours(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of an exception that quotes the header with the key."""

    async def broken(
        stream: ByteStream, method: str, target: str, headers: Headers, body: bytes = b""
    ) -> Response:
        raise RuntimeError(f"cannot send {headers}")

    monkeypatch.setattr("clients.http.client.exchange", broken)
    async with fake_api() as api, proxied(api.port) as proxy:
        reply = await proxy.ask(post())
        await trio.lowlevel.checkpoint()
    assert reply.startswith(b"HTTP/1.1 500 ")
    assert KEY.encode() not in reply
    assert "RuntimeError: cannot send (('Host', " in log.getvalue()
    assert "Bearer [redacted]" in log.getvalue()
    assert KEY not in log.getvalue()


def test_repr() -> None:
    """As a debugger or a traceback with locals would show it."""
    upstream = Upstream(key=Secret(KEY))
    assert KEY not in f"{upstream!r} {upstream} {upstream.key!r} {[upstream.key]}"


@pytest.mark.parametrize("key", ["sk-canary two", "sk-canary\x00", "sk-canary-é"])
def test_a_bad_key_is_refused(
    key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The program refuses it at the start, and does not show it."""
    monkeypatch.setattr(os, "environ", os.environ | {"OPENAI_API_KEY": key})
    with pytest.raises(SystemExit):
        main(["--port", "0"])
    said = capsys.readouterr().err
    assert "OPENAI_API_KEY is not a key" in said
    file = tmp_path / "key"
    file.write_text(key)
    with pytest.raises(SystemExit):
        main(["--port", "0", "--key-file", str(file)])
    said += capsys.readouterr().err
    assert f"line 1 of {file} is not a key" in said
    assert "canary" not in said


def test_the_program(start: Start, tmp_path: Path) -> None:
    """The output does not contain the key. Without a key, the program does not start."""
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    file.chmod(0o600)
    process = start("-m", "servers.openai_proxy", "--port", "0", "--key-file", str(file))
    said = line_of(process.stdout)
    assert said.startswith("servers.openai_proxy listens on http://localhost:")
    process.send_signal(signal.SIGTERM)
    code, out, error = outputs(process)
    assert code == 0
    assert KEY not in said + out + error
    code, _, error = outputs(start("-m", "servers.openai_proxy", "--port", "0"))
    assert code == 2
    assert "no key: set OPENAI_API_KEY, or write it to a file for --key-file" in error
