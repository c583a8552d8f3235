"""Five netcats send the same request. Each gets every token and returns to the prompt.

They share a name, but behave differently at the end of their input, which a pipe reaches at once:

    nc.openbsd, nc.traditional       wait until the server closes
    ncat, socat, busybox nc, -N      send FIN at once: only "no more input", or a disconnect?

A server that treats FIN as a disconnect sends nothing to the second kind.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from servers import chat, chunked, sse
from servers.llm.model.tokens import tokenize

from ..saying import answer
from .held import Held
from .peers import Answer, RunningServer, need, read_until, running, shell, started

# name: the program, its package, what to type after the pipe
NETCATS = {
    "openbsd": ("nc.openbsd", "netcat-openbsd", "nc.openbsd localhost {}"),
    "openbsd-N": ("nc.openbsd", "netcat-openbsd", "nc.openbsd -N localhost {}"),
    "openbsd-q0": ("nc.openbsd", "netcat-openbsd", "nc.openbsd -q0 localhost {}"),
    "traditional": ("nc.traditional", "netcat-traditional", "nc.traditional localhost {}"),
    "ncat": ("ncat", "ncat", "ncat localhost {}"),
    "ncat-no-shutdown": ("ncat", "ncat", "ncat --no-shutdown localhost {}"),
    "socat": ("socat", "socat", "socat -t 30 - TCP:localhost:{}"),
    "busybox": ("busybox", "busybox", "busybox nc localhost {}"),
}
HELLO = answer("hello")

# the server's fixture, the path, the tokens
PLACES = {
    "8000": ("chat_server", "/", tokenize(chat.GREETING)),
    "8000-chat": ("chat_server", "/chat/hello", [*HELLO.thinking, *HELLO.text]),
    "8003": ("chunked_server", "/", tokenize(chunked.TEXT)),
    "8004": ("sse_server", "/", tokenize(sse.TEXT)),
}


def asks(netcat: str, port: int, path: str = "/chat/hello", method: str = "GET") -> str:
    """The command line for this netcat."""
    program, package, line = NETCATS[netcat]
    need(program, package)
    request = rf"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return f"printf '{request}' | {line.format(port)}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("netcat", NETCATS)
def test_every_token_then_the_prompt(
    netcat: str, place: str, request: pytest.FixtureRequest
) -> None:
    """Each token comes in its own chunk, then the last chunk, and the server closes."""
    fixture, path, tokens = PLACES[place]
    server: RunningServer = request.getfixturevalue(fixture)

    reply = Answer.of(shell(asks(netcat, server.port, path)))

    assert reply.status == 200
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.headers["connection"] == "close"
    assert reply.tokens == tokens


@pytest.mark.parametrize("netcat", NETCATS)
def test_each_token_is_printed_before_the_next_exists(netcat: str, held: Held) -> None:
    """Live on the terminal, even if the client sent FIN long before the first token."""
    with started(asks(netcat, held.port)) as (process, output):
        read_until(output, b"\r\n\r\n")  # the head is sent before the first token
        for token in HELLO.thinking[:4]:
            held.release()
            assert token.encode() in read_until(output, b"\n\n\r\n")
        held.release(1000)
        read_until(output, b"0\r\n\r\n")
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def late() -> Iterator[dict[str, Future[bytes]]]:
    """The output of each netcat, when the first token comes later than socat's half second. All of
    them wait in parallel."""
    with (
        running("servers.chat", "--ttft", "0.8", "--itl", "0") as server,
        ThreadPoolExecutor(len(NETCATS)) as pool,
    ):
        yield {
            netcat: pool.submit(lambda netcat: shell(asks(netcat, server.port)), netcat)
            for netcat in NETCATS
        }


@pytest.mark.parametrize("netcat", NETCATS)
def test_a_late_first_token_is_waited_for(netcat: str, late: dict[str, Future[bytes]]) -> None:
    """socat needs `-t 30`, because this option sets how long it waits in silence after its own
    FIN."""
    reply = Answer.of(late[netcat].result())
    assert reply.tokens == [*HELLO.thinking, *HELLO.text]


@pytest.mark.parametrize(
    ("netcat", "flag"), [("socat", "socat -t 30"), ("traditional", "nc.traditional")]
)
def test_some_disconnect_too_early(netcat: str, flag: str, silent_server: RunningServer) -> None:
    """It looks as if the server truncated the answer, but the client disconnected. socat without
    `-t` does so after half a second of silence, and the traditional netcat with `-q 0` at once."""
    hasty = {"socat": "socat", "traditional": "nc.traditional -q 0"}[netcat]
    output = shell(asks(netcat, silent_server.port).replace(flag, hasty))
    assert output.partition(b"\r\n\r\n")[2] == b""


@pytest.mark.parametrize("path", ["/", "/chat/hello"])
def test_head_has_no_body(path: str, chat_server: RunningServer) -> None:
    """Unlike `curl -I`, a netcat would show bytes after the head."""
    reply = Answer.of(shell(asks("openbsd", chat_server.port, path, "HEAD")), "HEAD")
    assert reply.status == 200


@pytest.mark.parametrize("netcat", ["openbsd", "ncat"])
def test_a_request_typed_with_enter(netcat: str, chunked_server: RunningServer) -> None:
    """Enter sends a bare LF, which is not allowed in a head. The server immediately answers 400,
    with a hint. With `-C` the netcat sends CR LF. (The traditional netcat has `-C` too, but changes
    only the last line of each read. This is enough for typing, but not for a pipe.)"""
    line = asks(netcat, chunked_server.port, "/").replace(r"\r\n", r"\n")

    refused = Answer.of(shell(line))
    assert refused.status == 400
    assert b"nc -C" in b"".join(refused.pieces)
    assert b"printf" in b"".join(refused.pieces)

    reply = Answer.of(shell(line.replace(" localhost ", " -C localhost ")))
    assert reply.tokens == tokenize(chunked.TEXT)
