"""Lessons 5 and 6: the output for a real stream, and the exit codes."""

import errno
import os
import re
from pathlib import Path

import pytest
import trio

from clients.chat import stream_chat
from clients.streams.tcp import SocketStream
from clients.streams.tls import TLSStream
from protocol.openai.chat_completions import ChatRequest, RequestMessage
from workshop.runner.exercises import load

from ..clients.streams.tls_peers import CA, server_context
from ..conftest import Start, line_of, outputs
from ..interop.peers import ROOT
from ..servers.openai_proxy.fake_api import read_request

LESSON_5 = "workshop/05_openai_stream"
LESSON_6 = "workshop/06_complete_chat"
KEY = "sk-canary-of-lesson-five"


def test_lesson_5_every_layer(start: Start) -> None:
    """With `--raw` it shows the chunks around the events."""
    code, out, error = outputs(
        start(LESSON_5, "--simulate", "--raw", "--once", "--fast", "--port", "0", "你好")
    )
    assert (code, error) == (0, "")
    assert re.search(r"^chunks    chunk-size [0-9a-f]+  ␍␊  chunk-data data: ", out, re.MULTILINE)
    assert 'delta {"content":"你"}\n' in out
    assert "\nchunks    chunk-size 0  ␍␊  ␍␊\n" in out
    weight = re.search(r"^the envelope   ([0-9]+) bytes on the wire", out, re.MULTILINE)
    assert weight
    assert int(weight[1]) > 100


def lesson_5(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Run the lesson in this process, for cases that end before it shows a stream."""
    monkeypatch.setattr("sys.argv", [LESSON_5, *arguments])
    try:
        code = load(ROOT / LESSON_5 / "__main__.py").main()
    except SystemExit as refused:
        code = refused.code
    out, error = capsys.readouterr()
    return code, out, error


def test_lesson_5_without_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names both ways to run the lesson, and exits with 2."""
    code, out, error = lesson_5(monkeypatch, capsys)
    assert (code, error) == (2, "")
    assert "--simulate" in out
    assert "OPENAI_API_KEY=" in out


@pytest.mark.parametrize("url", ["http://example.com/v1", "ftp://localhost"])
def test_lesson_5_sends_a_key_over_tls_only(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, error = lesson_5(monkeypatch, capsys, "--base-url", url)
    assert (code, out) == (2, "")
    assert "argument --base-url: not " in error


def test_lesson_5_connection_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--base-url", "http://127.0.0.1:1/v1", "--once", "--port", "0")
    code, out, error = lesson_5(monkeypatch, capsys, *where)
    assert (code, error) == (1, "")
    refused = os.strerror(errno.ECONNREFUSED)
    assert out.endswith(f"no answer: no connection to 127.0.0.1:1: {refused}\n")


async def test_lesson_5_over_tls(tmp_path: Path, start: Start) -> None:
    """It shows the handshake but not the key, which the server gets in both requests."""
    (tmp_path / "key").write_text(KEY + "\n")
    (tmp_path / "key").chmod(0o600)
    CA.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    requests: list[bytes] = []
    event = b'data: {"choices":[{"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
    body = event % KEY.encode() + event % b"\x1b[2J" + b"data: [DONE]\n\n"
    body = body.replace(b"\x1b", b"\\u001b")
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"

    async def serve(opened: trio.SocketStream) -> None:
        stream = TLSStream(SocketStream.adopt(opened), server_context(), server_side=True)
        await stream.handshake()
        requests.append(await read_request(stream))
        await stream.send_all(head % len(body) + body)
        await stream.aclose()

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        lesson = start(
            LESSON_5,
            *("--base-url", f"https://localhost:{port}/v1", "--once", "--raw", "--port", "0"),
            *("--key-file", str(tmp_path / "key"), "--ca-file", str(tmp_path / "ca.pem")),
        )
        code, out, error = await trio.to_thread.run_sync(outputs, lesson)
        nursery.cancel_scope.cancel()
    assert (code, error) == (0, ""), out
    assert out.count("\nTLS       TLSv1.3, TLS_") == 1
    assert ", ALPN http/1.1\n" in out
    assert "\nTLS       certificate of O=trustme" in out
    assert re.search(r"^records   [0-9]+ bytes: 1[4-7] 03 03 ", out, re.MULTILINE)
    assert "we send   Authorization: Bearer [redacted]␍␊" in out
    assert KEY not in out
    assert "\x1b" not in out
    assert [request.count(KEY.encode()) for request in requests] == [1, 1]


async def test_lesson_5_goes_on_until_ctrl_c(start: Start) -> None:
    """Its proxy answers requests."""
    lesson = start(LESSON_5, "--simulate", "--fast", "--port", "0")
    lines = [""]
    while not lines[-1].startswith("Ctrl-C stops."):
        lines.append(await trio.to_thread.run_sync(line_of, lesson.stdout))
    (url,) = {found for line in lines for found in re.findall(r"curl -N (\S+)/chat/", line)}
    request = ChatRequest("echo", [RequestMessage("user", "hi")])
    async with stream_chat(url, request) as answer:
        assert "".join([delta.text async for delta in answer]) == "hi"
    lesson.send_signal(2)
    assert await trio.to_thread.run_sync(outputs, lesson) == (0, "", "")


@pytest.mark.parametrize("lesson", [LESSON_5, LESSON_6])
def test_closed_pipe_is_no_traceback(lesson: str, start: Start) -> None:
    """As `| head -1` does it."""
    arguments = ["--simulate"] if lesson == LESSON_5 else []
    process = start(lesson, *arguments, "--port", "0")
    assert line_of(process.stdout).startswith("1. ")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_lesson_6_names_existing_files(start: Start) -> None:
    code, out, error = outputs(start(LESSON_6, "--once", "--fast", "--port", "0"))
    assert (code, error) == (0, "")
    files = re.findall(r"\S+\.(?:py|js)$", out, re.MULTILINE)
    assert len(files) == 11
    assert all((ROOT / file).is_file() for file in files)
    assert "text '好', 3 bytes" in out
