"""`workshop spec` as a command: exit codes, the report, and how a failure is tried again."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import trio

from clients.streams.tcp import ByteStream, SocketStream
from protocol.errors import DecodeError
from workshop.spec import main

from . import cases
from .case import CASES, CUSTOM, SHOULD, Case, Failed, Level, Skipped
from .engine import Outcome, run_case
from .failure import escape, shown
from .mutants import Answering, Good
from .mutants.chunked import CountsCharacters
from .reaction import REFUSALS
from .target import Target

assert cases

Serve = Callable[[Good], str]


class Quick(Good):
    gap = 0.02


class GoesAway(Quick):
    """It stops after its first connection."""

    listener: socket.socket

    async def serve(self, stream: ByteStream) -> None:
        await super().serve(stream)
        trio.lowlevel.notify_closing(self.listener)
        self.listener.close()


@contextmanager
def listening(server: Good) -> Iterator[str]:
    """Serve on the loopback, in a thread. Yields the URL of the stream."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}{server.path}"
    if isinstance(server, GoesAway):
        server.listener = listener
    ready = threading.Event()
    stop: list[Callable[[], object]] = []

    async def run() -> None:
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            stop.append(lambda: token.run_sync_soon(nursery.cancel_scope.cancel))
            ready.set()
            while listener.fileno() >= 0:
                with suppress(trio.ClosedResourceError):
                    await trio.lowlevel.wait_readable(listener)
                    nursery.start_soon(server.serve, SocketStream(listener.accept()[0]))

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    ready.wait()
    try:
        yield url
    finally:
        with suppress(trio.RunFinishedError):
            stop[0]()
        thread.join()
        listener.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(listening(server))


def test_a_good_server_passes(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("r.json", "r.html", "r.xml")]
    flags = [f"{flag}={path}" for flag, path in zip(("--json", "--html", "--junitxml"), files)]  # noqa: B905
    assert main([serve(Quick()), "-k", "chunked.size or date", *flags]) == 0
    out = capsys.readouterr().out
    assert out.startswith("GET /stream: status 200, ")
    assert ", text/plain; charset=utf-8, chunked. Profile http\n" in out
    assert "PASS  chunked.size-is-bytes                        MUST   RFC 9112 §7.1\n" in out
    assert out.endswith("3 passed, 0 warnings, 0 failed, 0 skipped\n")
    found = json.loads(files[0].read_text("utf-8"))
    assert found["counts"] == {"PASS": 3, "WARN": 0, "FAIL": 0, "SKIP": 0}
    assert [one["slug"] for one in found["cases"]] == [
        "chunked.size-is-bytes",
        "chunked.size-is-hex",
        "head.date",
    ]
    assert "<td>chunked.size-is-hex<td>MUST" in files[1].read_text("utf-8")
    assert 'name="head.date"' in files[2].read_text("utf-8")


class HoldsItAll(Quick):
    """An application that collects its events, on an HTTP server that writes no Date."""

    content_type = "text/event-stream"

    def pieces(self) -> list[bytes]:
        return [b"data: %d\n\n" % number for number in range(self.count)]

    def date(self) -> list[str]:
        return []

    async def send_pieces(self, stream: ByteStream, request: Answering) -> None:
        await trio.sleep(self.count * self.gap)
        await self.send_piece(stream, request, b"".join(self.pieces()))


def test_what_the_application_can_mend_comes_first(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([serve(HoldsItAll()), "-k", "not-held or date or no-transform"]) == 1
    lines = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    found = [line for line in lines if line.startswith(("FAIL", "WARN"))]
    wanted = ["FAIL  live.not-held-to-the-end", "WARN  sse.no-transform", "FAIL  head.date"]
    assert found == wanted
    assert "These are about the HTTP server" in lines[lines.index("FAIL  head.date") - 2]
    (first,) = [line for line in lines if line.startswith("Mend first: ")]
    assert first.startswith("Mend first: live.not-held-to-the-end: All of the body came in one")
    causes = [line for line in lines if line.startswith("  cause")]
    # What x-ray says about the body is not the cause of a field of the head.
    assert ["x-ray says" in line for line in causes] == [True, False]


class CountsBadly(CountsCharacters):
    gap = 0.02


def test_a_failure_has_five_parts(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(CountsBadly())
    assert main([url, "-k", "size-is-bytes"]) == 1
    lines = capsys.readouterr().out.split("FAIL  chunked.size-is-bytes")[2].splitlines()
    host, port = url.removeprefix("http://").removesuffix("/stream").split(":")
    assert lines[1] == "  A chunk does not end where its size says."
    assert lines[2] == (
        rf"  sent    printf 'GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n'"
        f" | nc {host} {port}"
    )
    came = next(line for line in lines if "streams!" in line)
    caret = lines[lines.index(came) + 1]
    # 16 characters are 24 bytes: after 16 bytes no CRLF comes.
    assert caret.strip() == "^"
    names = [line[2:10].strip() for line in lines if line[2:10].strip()]
    assert [name for name in names if name in ("came", "rule", "cause", "lesson")] == [
        "came",
        "rule",
        "cause",
        "lesson",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 2, "which server?"),
        (["--why", "chunked.size-is-byte"], 2, "Did you mean chunked.size-is-bytes?"),
        (["--list", "-k", "no-such-case"], 2, "no case of this profile"),
        (["http://127.0.0.1:1/"], 3, "cannot be reached"),
        (["ftp://localhost/"], 2, "not an http://"),
        (["http://localhost:1/", "--path", "stream"], 2, "--path begins with a slash"),
        (["http://localhost:1/", "--body", "/no/such/file"], 2, "No such file"),
    ],
)
def test_usage(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert told in capsys.readouterr().err


def test_what_is_not_a_stream(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(Quick())
    assert main([url, "--path", "/nowhere"]) == 2
    assert (
        "GET /nowhere was answered with 404: give the path that streams" in capsys.readouterr().err
    )
    assert main([url, "--profile", "sse"]) == 3
    assert "not with an event stream" in capsys.readouterr().err


def test_a_server_that_goes_away(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([serve(GoesAway()), "-k", "request-is-read or size-is-hex"]) == 3
    told = capsys.readouterr()
    assert "does not answer any more" in told.err
    assert "1 passed, 0 warnings, 0 failed, 1 skipped" in told.out


def test_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--why", "chunked.size-is-bytes"]) == 0
    out = capsys.readouterr().out
    assert "  code    protocol/chunked.py:" in out
    assert "  fault   CountsCharacters, CountsTheLineEndToo (tests/spec/mutants)" in out
    assert "  lesson  workshop/03_http_chunked/README.md" in out


def test_each_case_knows_its_code() -> None:
    for case in CASES.values():
        assert case.code_place
        assert case.rule
        assert case.place.startswith("tests/spec/cases/")


# ---- The engine


def engine(*raised: Exception | None, level: Level = CUSTOM, strict: bool = False) -> Outcome:
    """Run a case that raises one of these each time it is tried."""
    results = iter(raised)

    async def check(target: Target) -> None:
        if error := next(results):
            raise error

    case = Case("conn.test", level, "lesson 3", "A rule.", check, "", 3)

    async def run() -> Outcome:
        return await run_case(case, Target("http://localhost:1/"), strict=strict)

    return trio.run(run)


def test_a_failure_must_come_twice() -> None:
    assert engine(Failed("no"), Failed("no")).result == "FAIL"
    once = engine(Failed("no"), None)
    assert (once.result, once.why) == ("PASS", "it failed once and passed then: no")
    assert engine(Failed("no"), Skipped("noise")).result == "SKIP"


def test_the_level_decides() -> None:
    assert engine(Failed("no"), Failed("no"), level=SHOULD).result == "WARN"
    assert engine(Failed("no"), Failed("no"), level=SHOULD, strict=True).result == "FAIL"


def test_noise_is_no_failure() -> None:
    assert engine(trio.BrokenResourceError("reset")).why == "the connection broke: reset"
    assert engine(ExceptionGroup("", [Skipped("busy")])).why == "busy"
    assert engine(*[ExceptionGroup("", [Failed("no")])] * 2).result == "FAIL"
    with pytest.raises(DecodeError):  # a bug of the suite is not hidden
        engine(DecodeError("bug", 0))


def test_no_more_requests_than_the_budget() -> None:
    async def run() -> str:
        target = Target("http://localhost:1/", budget=0)
        try:
            await target.ask()
        except Skipped as error:
            return str(error)
        return ""

    assert trio.run(run).startswith("0 requests were sent to a host that is not this machine")


# ---- The bytes


def test_bytes_can_be_pasted() -> None:
    assert escape(b"a\r\n\t\\%'\x00\xff\xe4\xbd\xa0", quote="'") == r"a\r\n\t\\%%\047\000\377你"
    assert escape(b"100%'") == "100%'"


def test_a_caret_under_the_byte() -> None:
    from .answer import Answer

    answer = Answer(b"")
    answer.receive_data(2.0, b"HTTP/1.1 200 OK\r\nA: b\n\r\n")
    assert answer.error_at == 21
    assert shown(answer, answer.error_at) == [
        r"     2.0 ms  HTTP/1.1 200 OK\r\n",
        r"             A: b\n",
        r"                 ^",
        r"             \r\n",
    ]
    assert 400 in REFUSALS
