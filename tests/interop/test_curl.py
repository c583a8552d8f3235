"""curl with the flags of the lessons' map, and with flags that show where a body ends."""

import json
import select
import socket
import subprocess
from collections.abc import Callable

import pytest

from protocol.chunked import encode_chunk, encode_last_chunk
from servers import chat, chunked, sse
from servers.http.routes import Routes
from servers.llm.model.tokens import tokenize
from servers.llm.pace import Pace

from ..saying import answer
from .held import Held, hold
from .peers import (
    SAFETY,
    Answer,
    RunningServer,
    event_texts,
    need,
    read_events,
    read_until,
    running,
    started,
)


@pytest.fixture(scope="module", autouse=True)
def _needs_curl() -> None:
    need("curl", "curl")


def curl(*arguments: str, given: bytes = b"") -> tuple[bytes, str]:
    """Run curl to its end. Fails unless the exit code is 0, which means that the body was complete.

    Returns:
        Its standard output and standard error.
    """
    done = subprocess.run(
        ["curl", "-sS", *arguments], input=given, capture_output=True, timeout=SAFETY
    )
    errors = done.stderr.decode()
    assert done.returncode == 0, errors
    return done.stdout, errors


# ---- while the stream runs

EVENT = [b"\n\n"]
THINKING = b'event: thinking\nid: 0-1\nretry: 1000\ndata: {"text":"The"}\n\n'
# the routes, the path, the end of each piece
STREAMS: dict[str, tuple[Callable[[Pace], Routes], str, list[bytes]]] = {
    "home": (chat.routes, "/", [t.encode() for t in tokenize(chat.GREETING)]),
    "chat": (chat.routes, "/chat/你好", EVENT * 4),
    "chunked": (chunked.routes, "/", [t.encode() for t in tokenize(chunked.TEXT)]),
    "sse": (sse.routes, "/", EVENT * 4),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_no_buffer_prints_each_token_before_the_next_exists(stream: str) -> None:
    """With `-N`, curl prints each token before the server sends the next."""
    routes, path, ends = STREAMS[stream]
    with (
        hold(routes(Pace(0, 0))) as held,
        started(f"exec curl -sN {held.url}{path}") as (process, output),
    ):
        for end in ends[:4]:
            held.release()
            read_until(output, end)
        held.release(1000)
        assert process.wait(SAFETY) == 0


@pytest.mark.parametrize(
    ("path", "first"),
    [("/", b"Hello"), ("/chat/hello", THINKING)],
    ids=["home", "chat"],
)
def test_the_second_token_is_an_hour_away(path: str, first: bytes) -> None:
    """The same with default flags of the server: one token is printed while curl still runs."""
    with (
        running("servers.chat", "--ttft", "0", "--itl", "3600") as server,
        started(f"exec curl -sN {server.url}{path}") as (process, output),
    ):
        assert read_until(output, first) == first
        assert process.poll() is None


def test_a_disconnect_ends_the_handler(held: Held) -> None:
    """After curl was killed, the kernel reports the disconnect after one write, and the handler's
    generator is closed. Without epoll (macOS), the second write detects the disconnect."""
    with started(f"exec curl -sN {held.url}/chat/hello") as (process, output):
        held.release()
        read_until(output, b"\n\n")
        process.terminate()
        process.wait(SAFETY)
        writes = 1 if hasattr(select, "epoll") else 2
        held.release(writes)
        assert held.wait_until_ended() == 1 + writes


# ---- how a body is framed


def test_raw_shows_the_chunks(chunked_server: RunningServer) -> None:
    """With `--raw`, curl shows one chunk for each word, with its size in hex, and a last chunk of
    size 0."""
    output, _ = curl("-N", "--raw", f"{chunked_server.url}/")

    words = tokenize(chunked.TEXT)
    assert output == b"".join(encode_chunk(w.encode()) for w in words) + encode_last_chunk()
    assert output.startswith(b"6\r\nChunks\r\n4\r\n say\r\n")
    assert "3\r\n你\r\n".encode() in output
    assert output.endswith(b"1\r\n\n\r\n0\r\n\r\n")


def test_http10_gets_no_chunks(chunked_server: RunningServer) -> None:
    """With `--http1.0`, a client cannot decode chunks, so the end of the connection ends the
    body."""
    output, _ = curl("-N", "-i", "--http1.0", f"{chunked_server.url}/")

    reply = Answer.of(output)
    assert reply.status == 200
    assert "transfer-encoding" not in reply.headers
    assert reply.headers["connection"] == "close"
    assert b"".join(reply.pieces).decode() == chunked.TEXT


def test_a_body_of_known_length(chunked_server: RunningServer) -> None:
    """`/whole`: the same text with Content-Length, which curl checks."""
    output, _ = curl("-i", f"{chunked_server.url}/whole")

    reply = Answer.of(output)
    assert reply.headers["content-length"] == str(len(chunked.TEXT.encode()))
    assert b"".join(reply.pieces).decode() == chunked.TEXT


@pytest.mark.parametrize("path", ["/", "/chat/hello"])
def test_head_waits_for_no_token(path: str, silent_server: RunningServer) -> None:
    """With `-I`, curl gets the head at once, although the first token would come in an hour."""
    output, _ = curl("-I", silent_server.url + path)

    reply = Answer.of(output, "HEAD")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/")
    assert reply.pieces == []


def test_one_connection_for_two_streams(chunked_server: RunningServer) -> None:
    """After the last chunk, the connection is ready for the next request."""
    url = f"{chunked_server.url}/"
    output, _ = curl(url, url, "-w", "[%{num_connects}]")
    assert output.decode() == f"{chunked.TEXT}[1]{chunked.TEXT}[0]"


@pytest.mark.parametrize("flag", ["-4", "-6"])
def test_localhost_by_both_addresses(flag: str, chunked_server: RunningServer) -> None:
    """`localhost` means 127.0.0.1 to one client and ::1 to another. No client may have to wait, or
    find another program there."""
    if flag == "-6" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    output, _ = curl(flag, f"{chunked_server.url}/")
    assert output.decode() == chunked.TEXT


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


# ---- requests that are more than a GET


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/", "GET, HEAD, OPTIONS"), ("/v1/chat/completions", "OPTIONS, POST")],
)
def test_options(path: str, allowed: str, chat_server: RunningServer) -> None:
    """`-X OPTIONS`: the methods of this path."""
    output, _ = curl("-i", "-X", "OPTIONS", chat_server.url + path)

    reply = Answer.of(output)
    assert reply.status == 204
    assert reply.headers["allow"] == allowed


def completion_request(prompt: str) -> bytes:
    messages = [{"role": "user", "content": prompt}]
    return json.dumps({"model": "sim-1", "stream": True, "messages": messages}).encode()


# This makes curl wait so long for `100 Continue` that the test notices if it is missing.
WAITING = ("-D", "/dev/stderr", "--expect100-timeout", "3600", "-H", "Expect: 100-continue")


def test_continue_before_a_large_body(chat_server: RunningServer) -> None:
    """For a body over 1 MB, curl sends the body only after `100 Continue`."""
    prompt = "long " * 250_000
    output, log = curl(
        *WAITING,
        "--data-binary",
        "@-",
        f"{chat_server.url}/v1/chat/completions",
        given=completion_request(prompt),
    )

    assert log.startswith("HTTP/1.1 100 Continue")
    assert "HTTP/1.1 200 OK" in log
    *chunks, done = read_events([output])
    assert done.data == "[DONE]"
    deltas = [json.loads(chunk.data)["choices"][0]["delta"] for chunk in chunks]
    assert [d["content"] for d in deltas if d.get("content")] == answer(prompt).text


def test_a_body_too_large_is_refused_before_it_is_sent(chat_server: RunningServer) -> None:
    """413 in place of `100 Continue`: curl does not send its 11 MB."""
    output, log = curl(
        *WAITING,
        "--data-binary",
        "@-",
        f"{chat_server.url}/v1/chat/completions",
        given=bytes(11 << 20),
    )
    assert "100 Continue" not in log
    assert log.startswith("HTTP/1.1 413 ")
    assert json.loads(output)["error"]["message"] == "a request body over 10485760 bytes"


@pytest.mark.parametrize(
    ("last_event_id", "words"),
    [("7", tokenize(sse.TEXT)[7:]), ("nonsense", tokenize(sse.TEXT))],
)
def test_last_event_id(last_event_id: str, words: list[str], sse_server: RunningServer) -> None:
    """A truncated stream continues after the given id. With an unknown id, it starts again."""
    output, _ = curl("-N", "-H", f"Last-Event-ID: {last_event_id}", f"{sse_server.url}/")
    assert event_texts(read_events([output])) == words


def test_last_event_id_of_the_end(sse_server: RunningServer) -> None:
    """A client that already has everything gets a 204, which tells it not to reconnect."""
    output, _ = curl("-i", "-H", "Last-Event-ID: end", f"{sse_server.url}/")
    assert Answer.of(output).status == 204
