"""One request, and every read of its response with the time of the read, on streams in memory and
trio's autojump clock."""

import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from clients.http.errors import ConnectError, ConnectTimeoutError, TLSError
from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import Connect
from clients.streams.tls import HandshakeError, TLSStream
from protocol.anatomy import ByteSpan
from protocol.recording import RecordedRead
from workshop.xray.asking.ask import KERNEL_TELLS, MAX_SECONDS, Asking, StoppedError, ask
from workshop.xray.meter.measure import Meter

from ...clients.streams.tls_peers import CA, server_context

Serve = Callable[[MemoryStream], Awaitable[None]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
KEY = "sk-canary-0123456789abcdef"


def plain(connect: Connect) -> Asking:
    return Asking("GET", "http://h/a", connect=connect)


async def asked(
    serve: Serve,
    asking: Callable[[Connect], Asking] = plain,
    *,
    max_seconds: float = MAX_SECONDS,
    stop: trio.CancelScope | None = None,
    vanishing: bool = False,
) -> tuple[list[RecordedRead], Meter]:
    """The recording of a request to this server, and the measurements."""
    reads: list[RecordedRead] = []
    spans: list[ByteSpan] = []

    def watch(read: RecordedRead, found: list[ByteSpan]) -> None:
        reads.append(read)
        spans.extend(found)

    async with trio.open_nursery() as nursery:

        async def reach(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
            ours, theirs = memory_pair()
            if vanishing:
                ours.__class__ = Vanishing
            nursery.start_soon(answer, theirs)
            return ours

        async def answer(theirs: MemoryStream) -> None:
            while b"\r\n\r\n" not in await theirs.receive_some():
                pass
            await serve(theirs)

        meter = await ask(asking(reach), watch, max_seconds=max_seconds, stop=stop)
        nursery.cancel_scope.cancel()
    assert reads[0].sender == "client"
    size = sum(len(read.bytes) for read in reads if read.sender == "server")
    if meter.end and meter.end != "silent":
        assert sum(span.end - span.start for span in spans) == size
    return reads, meter


def of_server(reads: list[RecordedRead]) -> list[tuple[float, bytes | str]]:
    return [(read.at, read.bytes or read.end) for read in reads if read.sender == "server"]


async def test_each_read_and_its_time(autojump_clock: object) -> None:
    async def serve(stream: MemoryStream) -> None:
        await stream.send_all(HEAD)
        await trio.sleep(0.5)
        await stream.send_all(b"2\r\nhe\r\n")
        await trio.sleep(0.25)
        await stream.send_all(b"0\r\n\r\n")
        await trio.sleep(0.1)
        stream.close()

    reads, meter = await asked(serve)
    assert reads[0] == RecordedRead(
        0.0,
        "client",
        b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        url="http://h/a",
    )
    assert of_server(reads) == [
        (0.0, HEAD),
        (500.0, b"2\r\nhe\r\n"),
        (750.0, b"0\r\n\r\n"),
        (850.0, "fin"),
    ]
    assert (meter.url, meter.method, meter.request) == ("http://h/a", "GET", reads[0].bytes)
    assert (meter.head_ms, meter.end, meter.complete) == (0.0, "fin", True)


async def test_a_complete_response_needs_no_end(autojump_clock: object) -> None:
    """A server that keeps its connection open does not delay the report."""

    async def serve(stream: MemoryStream) -> None:
        await stream.send_all(HEAD + b"0\r\n\r\n")
        await trio.sleep_forever()

    start = trio.current_time()
    reads, meter = await asked(serve)
    assert trio.current_time() - start == 0.25
    assert of_server(reads) == [(0.0, HEAD + b"0\r\n\r\n")]
    assert meter.end == ""


async def fin_in_the_body(stream: MemoryStream) -> None:
    await stream.send_all(HEAD + b"2\r\nh")
    await trio.sleep(1)
    stream.close()


async def reset_in_the_body(stream: MemoryStream) -> None:
    await stream.send_all(HEAD + b"2\r\nh")
    await trio.sleep(1)
    stream.reset()


async def fin_in_the_head(stream: MemoryStream) -> None:
    await stream.send_all(HEAD[:20])
    await trio.sleep(1)
    stream.close()


async def fin_before_the_head(stream: MemoryStream) -> None:
    await trio.sleep(1)
    stream.close()


async def reset_before_the_head(stream: MemoryStream) -> None:
    await trio.sleep(1)
    stream.reset()


async def silent_in_the_body(stream: MemoryStream) -> None:
    await stream.send_all(HEAD + b"2\r\nh")
    await trio.sleep_forever()


async def silent_from_the_beginning(stream: MemoryStream) -> None:
    await trio.sleep_forever()


async def not_http(stream: MemoryStream) -> None:
    await stream.send_all(b"220 mail.example ESMTP\r\n\r\n")
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        (fin_in_the_body, [(0.0, HEAD + b"2\r\nh"), (1000.0, "fin")]),
        (reset_in_the_body, [(0.0, HEAD + b"2\r\nh"), (1000.0, "reset")]),
        (fin_in_the_head, [(0.0, HEAD[:20]), (1000.0, "fin")]),
        (fin_before_the_head, [(1000.0, "fin")]),
        (reset_before_the_head, [(1000.0, "reset")]),
        (silent_in_the_body, [(0.0, HEAD + b"2\r\nh"), (75_000.0, "silent")]),
        (silent_from_the_beginning, [(75_000.0, "silent")]),
        (not_http, [(0.0, b"220 mail.example ESMTP\r\n\r\n")]),
    ],
)
async def test_ends(
    serve: Serve, expected: list[tuple[float, bytes | str]], autojump_clock: object
) -> None:
    reads, meter = await asked(serve)
    assert of_server(reads) == expected
    assert meter.end == (expected[-1][1] if isinstance(expected[-1][1], str) else "")


class Vanishing(MemoryStream):
    """A stream whose peer's kernel stops acknowledging. After 60 s of silence, reads fail."""

    async def wait_readable(self) -> None:
        with trio.move_on_after(60):
            await super().wait_readable()
            return
        error = OSError(errno.ETIMEDOUT, "Connection timed out")
        raise trio.BrokenResourceError("the connection is broken") from error


@pytest.mark.parametrize("serve", [silent_in_the_body, silent_from_the_beginning])
async def test_a_peer_that_has_vanished_is_no_reset(serve: Serve, autojump_clock: object) -> None:
    """Nothing arrived from the vanished peer. A peer that is only silent still acknowledges."""
    reads, meter = await asked(serve, vanishing=True)
    assert of_server(reads)[-1] == (60_000.0, "silent")
    assert meter.acknowledged is False
    _, meter = await asked(serve)
    assert meter.acknowledged is (True if KERNEL_TELLS else None)


async def ticking(stream: MemoryStream) -> None:
    """A stream without end."""
    await stream.send_all(HEAD)
    while True:
        await trio.sleep(1)
        await stream.send_all(b"1\r\n.\r\n")


async def test_the_time_is_over(autojump_clock: object) -> None:
    """If bytes were still arriving, the stream is not silent, so no end is recorded."""
    reads, meter = await asked(ticking, max_seconds=10.5)
    assert len(reads) == 2 + 10
    assert meter.end == ""


async def test_the_time_is_over_in_a_silence(autojump_clock: object) -> None:
    reads, _ = await asked(silent_in_the_body, max_seconds=10)
    assert of_server(reads)[-1] == (10_000.0, "silent")


async def test_a_finished_answer_is_not_waited_for_long(autojump_clock: object) -> None:
    """The server should have closed at once."""
    event = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    head = HEAD.replace(b"text/plain", b"text/event-stream")

    async def serve(stream: MemoryStream) -> None:
        await stream.send_all(head + b"%x\r\n%s\r\n" % (len(event), event))
        await trio.sleep_forever()

    reads, _ = await asked(serve)
    assert of_server(reads)[-1] == (10_000.0, "silent")


async def test_stopped(autojump_clock: object) -> None:
    """After Ctrl-C, the part that has arrived is measured."""
    stop = trio.CancelScope()

    async def serve(stream: MemoryStream) -> None:
        await stream.send_all(HEAD + b"1\r\nx\r\n")
        await trio.sleep(2)
        stop.cancel()
        await trio.sleep_forever()

    reads, meter = await asked(serve, stop=stop)
    assert len(reads) == 2
    assert (meter.end, meter.counts.chunks) == ("", 1)


async def test_no_connection(autojump_clock: object) -> None:
    async def refuse(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        raise OSError(111, "Connection refused")

    async def hang(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        await trio.sleep_forever()

    with pytest.raises(ConnectError, match=r"^no connection to h: Connection refused$"):
        await ask(Asking("GET", "http://h/a", connect=refuse), never)
    with pytest.raises(ConnectTimeoutError, match=r"^no connection to h in 30 s$"):
        await ask(Asking("GET", "http://h/a", connect=hang), never)
    stop = trio.CancelScope()
    stop.cancel()
    with pytest.raises(StoppedError):
        await ask(Asking("GET", "http://h/a", connect=hang), never, stop=stop)


def never(read: RecordedRead, spans: list[ByteSpan]) -> None:
    raise AssertionError(read)


async def test_no_key_is_recorded(autojump_clock: object) -> None:
    """The key is masked in the request, and also where the server repeats it."""

    async def serve(stream: MemoryStream) -> None:
        body = f"no such key: {KEY}".encode()
        await stream.send_all(HEAD + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        stream.close()

    def asking(connect: Connect) -> Asking:
        return Asking("GET", "http://h/a", (("Authorization", f"Bearer {KEY}"),), connect=connect)

    reads, meter = await asked(serve, asking)
    told = b"".join(read.bytes for read in reads) + meter.request
    assert b"no such key: " in told
    assert KEY.encode() not in told


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ignore this machine's HTTP proxy."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")


class Secure:
    """A TLS server in memory that sends its head and a piece of the body, and then closes."""

    def __init__(self, nursery: trio.Nursery, *, says_so: bool) -> None:
        self._nursery = nursery
        self._says_so = says_so

    async def connect(self, host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        ours, theirs = memory_pair()
        self._nursery.start_soon(self.serve, theirs)
        return ours

    async def serve(self, stream: MemoryStream) -> None:
        secure = TLSStream(stream, server_context(), server_side=True)
        try:
            await secure.handshake()
        except HandshakeError:
            return  # the client refuses the certificate
        await secure.receive_some()
        await secure.send_all(HEAD + b"2\r\nh")
        if self._says_so:
            await secure.aclose()
        else:
            await stream.send_eof()


@pytest.mark.parametrize(("says_so", "end"), [(True, "fin"), (False, "truncated")])
async def test_tls(says_so: bool, end: str, autojump_clock: object, tmp_path: Path) -> None:
    """The bytes inside TLS are recorded. An end without close_notify is a truncation."""
    authority = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(authority))
    reads: list[RecordedRead] = []
    async with trio.open_nursery() as nursery:
        server = Secure(nursery, says_so=says_so)
        url = "https://localhost/a"
        asking = Asking("GET", url, ca_file=str(authority), connect=server.connect)
        await ask(asking, lambda read, spans: reads.append(read))
        nursery.cancel_scope.cancel()
    assert reads[0].bytes.startswith(b"GET /a HTTP/1.1\r\nHost: localhost\r\n")
    assert [one.bytes or one.end for one in reads[1:]] == [HEAD + b"2\r\nh", end]


async def test_a_certificate_is_checked(autojump_clock: object) -> None:
    """No byte of the request is sent to another server."""
    async with trio.open_nursery() as nursery:
        server = Secure(nursery, says_so=True)
        asking = Asking("GET", "https://localhost/a", connect=server.connect)
        with pytest.raises(TLSError, match="the certificate of localhost is refused"):
            await ask(asking, never)
        nursery.cancel_scope.cancel()
