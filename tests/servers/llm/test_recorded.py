"""Recorded responses: the recorded bytes at their times, the recorded end, and bad files.

Each recording is replayed by a server in memory, on trio's autojump clock: every time is exact.
"""

import argparse
import errno
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from protocol.recording import RecordedRead, write_recording
from servers.chat import routes
from servers.http.routes import Routes
from servers.llm.api import Settings
from servers.llm.engine import Engine
from servers.llm.flags import add_flags, model_of, settings_of
from servers.llm.pace import Pace
from servers.llm.recorded import HOLD_SECONDS, is_recording, load_recording

from ...streams import MemoryStream
from ..driving import ask, connected, get
from .asking import error_of

REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd"
HEAD = b"HTTP/1.1 200 OK\r\nDate: yesterday\r\ncontent-type: text/event-stream\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
ONE, END = b"b\r\ndata: one\n\n\r\n", b"0\r\n\r\n"
CLOSES = HEAD + b"transfer-encoding: chunked\r\nConnection: close\r\n\r\n"
UNTIL_CLOSE = HEAD + b"\r\n"
SIZED = HEAD + b"content-length: 11\r\n\r\n"

FIN, RST, KEPT, HELD = "FIN", "RST", "kept", "held"


def client(at: float, data: bytes = REQUEST, connection: int = 0) -> RecordedRead:
    return RecordedRead(at, "client", data, connection=connection)


def server(at: float, data: bytes, connection: int = 0) -> RecordedRead:
    return RecordedRead(at, "server", data, connection=connection)


def end(at: float, how: str, connection: int = 0) -> RecordedRead:
    return RecordedRead(at, "server", end=how, connection=connection)  # type: ignore[arg-type]


def saved(path: Path, reads: Iterable[RecordedRead]) -> Path:
    path.write_bytes(b"".join(write_recording(reads)))
    return path


def asks(model: str) -> bytes:
    body = b'{"model":"%b","messages":[{"role":"user","content":"hi"}]}' % model.encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def arrivals(stream: MemoryStream) -> tuple[list[tuple[float, bytes]], str]:
    """What each read brought, with its time in milliseconds; and the end."""
    start = trio.current_time()
    came = []
    try:
        while data := await stream.receive_some():
            came.append((round(1000 * (trio.current_time() - start), 3), data))
    except trio.BrokenResourceError:
        return came, RST
    return came, FIN


async def replayed(
    path: Path, model: str = "recording:a"
) -> tuple[list[tuple[float, bytes]], str, float]:
    """What a client gets, how its connection ends, and after how many seconds. It asks a second
    time on the same connection, for the list of models."""
    again = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    served = routes(Pace(0, 0), settings=Settings(recordings=load_recording(path)))
    async with connected(served) as memory:
        start = trio.current_time()
        await memory.client.send_all(asks(model) + again)
        came, how = await arrivals(memory.client)
        seconds = trio.current_time() - start
    if came and b'"object":"list"' in came[-1][1]:
        return came[:-1], KEPT, seconds
    if how == FIN and seconds >= HOLD_SECONDS:
        return came, HELD, seconds - HOLD_SECONDS
    return came, how, seconds


# What the server sent, how its connection ended; then what a client of the replay gets, in
# milliseconds after its request, and the end.
ROWS = {
    "whole": (
        [server(120, CHUNKED), server(310.5, ONE), server(900, ONE + END), end(910, "fin")],
        [(120, CHUNKED), (310.5, ONE), (900, ONE + END)],
        KEPT,
    ),
    "in one read": ([server(5, CHUNKED + ONE + END)], [(5, CHUNKED + ONE + END)], KEPT),
    "a byte each": (
        [server(index, b"%c" % byte) for index, byte in enumerate(CHUNKED + ONE + END)],
        [(index, b"%c" % byte) for index, byte in enumerate(CHUNKED + ONE + END)],
        KEPT,
    ),
    "with its length": (
        [server(7, SIZED), server(9, b"data: one\n\n")],
        [(7, SIZED), (9, b"data: one\n\n")],
        KEPT,
    ),
    "Connection: close": (
        [server(120, CLOSES), server(310, ONE + END), end(500, "fin")],
        [(120, CLOSES), (310, ONE + END)],
        FIN,
    ),
    "Connection: close, end not recorded": (
        [server(120, CLOSES), server(310, ONE + END)],
        [(120, CLOSES), (310, ONE + END)],
        FIN,
    ),
    "until close": (
        [server(120, UNTIL_CLOSE), server(310, b"data: one\n\n"), end(500, "fin")],
        [(120, UNTIL_CLOSE), (310, b"data: one\n\n")],
        FIN,
    ),
    "truncated by FIN": (
        [server(120, CHUNKED + ONE), end(310, "fin")],
        [(120, CHUNKED + ONE)],
        FIN,
    ),
    "truncated without close_notify": (
        [server(120, CHUNKED + ONE), end(310, "truncated")],
        [(120, CHUNKED + ONE)],
        FIN,
    ),
    "reset": ([server(120, CHUNKED + ONE), end(310, "reset")], [(120, CHUNKED + ONE)], RST),
    "silent": ([server(120, CHUNKED + ONE), end(310, "silent")], [(120, CHUNKED + ONE)], HELD),
    "no end recorded": ([server(120, CHUNKED + ONE)], [(120, CHUNKED + ONE)], HELD),
    "half a head": ([server(120, HEAD), end(310, "fin")], [(120, HEAD)], FIN),
    "no response": ([end(310, "fin")], [], FIN),
    "103 first": (
        [server(1, b"HTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED), server(2, ONE + END)],
        [(1, b"HTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED), (2, ONE + END)],
        KEPT,
    ),
    "103 first, then truncated": (
        [server(1, b"HTTP/1.1 103 Early Hints\r\n\r\n"), server(2, CHUNKED), end(3, "fin")],
        [(1, b"HTTP/1.1 103 Early Hints\r\n\r\n"), (2, CHUNKED)],
        FIN,
    ),
    "bytes after the end": (
        [server(1, CHUNKED + END), server(2, b"late")],
        [(1, CHUNKED + END), (2, b"late")],
        KEPT,
    ),
    "a bad chunk-size": (
        [server(1, CHUNKED + b"xyz\r\n"), server(2, ONE + END), end(3, "fin")],
        [(1, CHUNKED + b"xyz\r\n"), (2, ONE + END)],
        FIN,
    ),
    "not HTTP": ([server(1, b"SSH-2.0-x\n"), end(2, "reset")], [(1, b"SSH-2.0-x\n")], RST),
    "an error": (
        [server(1, b"HTTP/1.1 529 Overloaded\r\nContent-Length: 0\r\n\r\n")],
        [(1, b"HTTP/1.1 529 Overloaded\r\nContent-Length: 0\r\n\r\n")],
        KEPT,
    ),
    "HTTP/1.0": (
        [server(1, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"), end(2, "fin")],
        [(1, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
        FIN,
    ),
}


@pytest.mark.parametrize(("reads", "came", "ending"), ROWS.values(), ids=ROWS)
async def test_a_recorded_response(
    reads: list[RecordedRead],
    came: list[tuple[float, bytes]],
    ending: str,
    tmp_path: Path,
    autojump_clock: MockClock,
) -> None:
    """The times are those after the last byte of the request."""
    later = [RecordedRead(read.at + 40, "server", read.bytes, read.end) for read in reads]
    request = [client(30, REQUEST[:50]), client(40, REQUEST[50:])]
    found, how, seconds = await replayed(saved(tmp_path / "a.jsonl", [*request, *later]))
    assert (found, how) == (came, ending)
    if ending in (FIN, RST, HELD):
        assert round(1000 * seconds, 3) == reads[-1].at


async def test_without_a_request(tmp_path: Path, autojump_clock: MockClock) -> None:
    """As a capture of one direction has it: the first byte comes at once."""
    path = saved(tmp_path / "a.jsonl", [server(5000, CHUNKED), server(5250, ONE + END)])
    assert (await replayed(path))[:2] == ([(0, CHUNKED), (250, ONE + END)], KEPT)


async def test_a_response_to_head(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its Content-Length is that of a body which is not sent, so the response is complete."""
    reads = [client(0, b"HEAD / HTTP/1.1\r\n"), client(1, b"Host: a\r\n\r\n"), server(2, SIZED)]
    path = saved(tmp_path / "a.jsonl", reads)
    assert (await replayed(path))[:2] == ([(1, SIZED)], KEPT)


async def test_a_client_of_http10(tmp_path: Path, autojump_clock: MockClock) -> None:
    """It gets the same bytes, and a FIN: an RST would say that they are incomplete."""
    path = saved(tmp_path / "a.jsonl", [client(0), server(10, CHUNKED + END)])
    served = routes(Pace(0, 0), settings=Settings(recordings=load_recording(path)))
    async with connected(served) as memory:
        await memory.client.send_all(asks("recording:a").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert await arrivals(memory.client) == ([(10, CHUNKED + END)], FIN)


async def test_several_responses(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Two on the first connection, one on the second; one request has no response."""
    path = saved(
        tmp_path / "a.b.jsonl",
        [
            client(0),
            client(5, connection=1),
            server(10, CHUNKED),
            client(15),  # pipelined, or the rest of an upload: the response has begun
            server(20, CHUNKED + ONE, connection=1),
            server(30, ONE + END),
            client(40),
            server(45, SIZED),
            end(50, "reset", connection=1),
            server(60, b"data: one\n\n"),
            client(70),
            client(80, connection=7),
        ],
    )
    assert list(load_recording(path)) == ["recording:a.b", "recording:a.b:2", "recording:a.b:3"]
    assert (await replayed(path, "recording:a.b"))[:2] == (
        [(10, CHUNKED), (30, ONE + END)],
        KEPT,
    )
    assert (await replayed(path, "recording:a.b:2"))[:2] == ([(15, CHUNKED + ONE)], RST)
    assert (await replayed(path, "recording:a.b:3"))[:2] == (
        [(5, SIZED), (20, b"data: one\n\n")],
        KEPT,
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.binary(min_size=1, max_size=20)), max_size=8))
def test_any_bytes_at_any_times(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, bytes]]
) -> None:
    """Each read in one write, in the recorded order; a time that runs back is no time at all."""
    path = saved(
        tmp_path_factory.mktemp("any") / "a.jsonl",
        [client(0), *(server(at, data) for at, data in parts), end(60, "reset")],
    )

    async def replay() -> tuple[list[bytes], str]:
        served = routes(Pace(0, 0), settings=Settings(recordings=load_recording(path)))
        async with connected(served) as memory:
            await memory.client.send_all(asks("recording:a"))
            _, how = await arrivals(memory.client)
            return memory.server.writes, how

    clock = MockClock(autojump_threshold=0)
    assert trio.run(replay, clock=clock) == ([data for _, data in parts], RST)


# ---- Which requests get it


@pytest.fixture
def served(tmp_path: Path) -> Routes:
    path = saved(tmp_path / "a.jsonl", [client(0), server(10, CHUNKED), server(20, ONE + END)])
    return routes(Pace(0, 0), settings=Settings(recordings=load_recording(path)))


async def test_any_route_and_any_request(served: Routes, autojump_clock: MockClock) -> None:
    """A stream or not, with a fault or not: the bytes are the recorded ones."""
    body = b'{"model":"recording:a","input":"hi","stream":true}'
    request = b"POST /v1/responses HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"
    for sent in (
        request % (len(body), body),
        get("/chat/hi?model=recording:a", "X-Fault: rst", "X-Pace: slow-local", "X-Wire: 1"),
        asks("recording:a").replace(b"\r\n", b"\r\nX-Fault: 503\r\n", 1),
    ):
        assert await ask(served, sent) == CHUNKED + ONE + END


async def test_its_name(served: Routes) -> None:
    """It is in the list of models. Another recording's name is an error, as a script's is."""
    listed = await ask(served, get("/v1/models"))
    assert b'"id":"recording:a"' in listed
    assert (await ask(served, get("/v1/models/recording:a"))).startswith(b"HTTP/1.1 200 ")
    status, error = error_of(await ask(served, asks("recording:b")))
    assert (status, error["code"]) == (404, "model_not_found")
    assert "recording:a" in error["message"]


async def test_head(served: Routes) -> None:
    request = get("/chat/hi?model=recording:a").replace(b"GET", b"HEAD", 1)
    assert (await ask(served, request)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_client_that_disconnects(tmp_path: Path, autojump_clock: MockClock) -> None:
    """Its replay ends, and its place in the batch is free again."""
    path = saved(tmp_path / "a.jsonl", [client(0), server(10, CHUNKED), end(20, "silent")])
    served = routes(
        Pace(0, 0), Engine(1, 0), settings=Settings(recordings=load_recording(path))
    )
    async with connected(served) as memory:
        await memory.client.send_all(asks("recording:a"))
        await memory.client.receive_some()
        memory.connection.client_disconnected()
        await memory.done.wait()
    assert (await ask(served, asks("echo"))).startswith(b"HTTP/1.1 200 ")


# ---- Files

LINE = next(write_recording([server(1, END)]))


def options(*paths: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return parser.parse_args([word for path in paths for word in ("--script", str(path))])


def test_scripts_are_told_apart_from_recordings(tmp_path: Path) -> None:
    """By content. Of each kind there may be several files."""
    one = saved(tmp_path / "one.jsonl", [server(1, END)])
    two = tmp_path / "two"
    two.write_bytes(b"\n \r\n" + LINE)
    mine, more = tmp_path / "mine.json", tmp_path / "more.jsonl"
    mine.write_text('{"at": {"turns": [{"text": "hi"}]}}')
    more.write_text('{"b": {"turns": [{"text": "ho"}]}}')
    given = options(one, mine, two, more)
    assert model_of(given).names[-2:] == ["script:at", "script:b"]
    assert list(settings_of(given).recordings) == ["recording:one", "recording:two"]
    assert "script:weather" in model_of(options(one)).names  # the example stays


@pytest.mark.parametrize(
    ("content", "told"),
    {
        LINE + b"{}\n": "line 2 is not part of a recording: ",
        LINE * 3: "a recording has at most 2 reads",
        LINE + b" " * 200: "a recording has at most 200 bytes",
        next(write_recording([client(1)])): "it holds no response: ",
    }.items(),
)
def test_a_bad_recording(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    assert is_recording(path)
    with pytest.raises(ValueError, match=rf"bad\.jsonl: {told}"):
        load_recording(path, max_size=200, max_reads=2)


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b'{"a":{"turns":[]}}', b"\xff"])
def test_not_a_recording(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    assert not is_recording(path)
    with pytest.raises(ValueError, match="other: "):
        model_of(options(path))


def test_names_that_are_taken(tmp_path: Path) -> None:
    paths = [saved(tmp_path / name, [server(1, END)]) for name in ("a.jsonl", "a.txt")]
    with pytest.raises(ValueError, match=r"a\.txt: an earlier recording has the same name"):
        settings_of(options(*paths))
    scripts = [tmp_path / "1.json", tmp_path / "2.json"]
    for path in scripts:
        path.write_text('{"a": {"turns": [{"text": "hi"}]}}')
    with pytest.raises(ValueError, match=r"2\.json: the script 'a' is in an earlier file, too"):
        model_of(options(*scripts))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    with pytest.raises(ValueError, match=rf"none\.jsonl: {os.strerror(errno.ENOENT)}"):
        load_recording(path)
    with pytest.raises(ValueError, match=rf"none\.jsonl: {os.strerror(errno.ENOENT)}"):
        model_of(options(path))
    assert settings_of(options(path)).recordings == {}
