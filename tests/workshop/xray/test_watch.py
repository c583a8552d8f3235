"""The watch of a tap: the requests that pass through, and how their responses arrive and end."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from protocol.anatomy import ByteSpan
from protocol.recording import End, RecordedRead
from workshop.xray.tap.tapped import TappedExchange
from workshop.xray.tap.watch import ITEM_SIZE, Watch

from .tapping import (
    DONE,
    FINISH,
    GET,
    HEAD,
    JSON,
    LAST,
    POST,
    UPSTREAM,
    NoMask,
    event,
    tapping,
)


class Log:
    """A `WatchObserver` that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def received(
        self, exchange: TappedExchange, at: float, data: bytes, spans: Sequence[ByteSpan]
    ) -> None:
        self.seen.append((exchange.number, at, data))

    def ended(
        self, exchange: TappedExchange, at: float, end: End, spans: Sequence[ByteSpan]
    ) -> None:
        self.seen.append((exchange.number, at, exchange.how, end))

    def refused(self, problem: str) -> None:
        self.seen.append((problem,))


class Saved:
    """A `Saving` that keeps all."""

    def __init__(self) -> None:
        self.reads: list[RecordedRead] = []

    def write(self, read: RecordedRead) -> None:
        self.reads.append(read)


async def test_a_stream_from_request_to_end(autojump_clock: object) -> None:
    async with tapping() as tap:
        await tap.client.send_all(POST)
        await tap.settle()
        (exchange,) = tap.watch.running.values()
        assert (exchange.method, exchange.target) == ("POST", "/v1/chat/completions")
        assert exchange.state(tap.watch.now()) == "waiting"

        await tap.say(HEAD, pause=0.2)
        await tap.settle()
        assert exchange.state(tap.watch.now()) == "waiting"
        await tap.say(event("one"), event("two"), event("three"), pause=0.1)
        await tap.settle()
        assert exchange.state(tap.watch.now()) == "streaming"
        await trio.sleep(6)
        assert exchange.state(tap.watch.now()) == "silent"

        await tap.say(FINISH + DONE + LAST)
        await tap.settle()
        assert exchange.state(tap.watch.now()) == "done"
        assert (exchange.reads, exchange.size) == (5, tap.watch.size)
        assert exchange.report is not None
        assert exchange.report.url == UPSTREAM + "/v1/chat/completions"
        assert exchange.report.ttft_ms == pytest.approx(300)
        assert exchange.report.counts.tokens == 3
        assert list(tap.watch.finished) == [exchange]
        assert tap.watch.running == {}
        assert tap.watch.tokens == 3
        assert (tap.watch.first_token.count, tap.watch.gap.count) == (1, 2)
        assert tap.watch.gap_ms.percentile(50) == pytest.approx(100)


async def test_exchanges_of_one_connection_are_told_apart(autojump_clock: object) -> None:
    """Two requests in one read, and the end of one response in a read with the next."""
    log = Log()
    async with tapping(Watch(UPSTREAM, NoMask, observers=[log])) as tap:
        await tap.client.send_all(GET + POST)
        await tap.say(JSON + HEAD, event("hi") + LAST)
        await tap.settle()
        first, second = tap.watch.finished
        assert (first.method, first.reads, first.size) == ("GET", 1, len(JSON))
        assert (second.method, second.reads) == ("POST", 2)
        assert log.seen == [
            (1, 0, JSON),
            (1, 0, "done", ""),
            (2, 0, HEAD),
            (2, 0, event("hi") + LAST),
            (2, 0, "done", ""),
        ]


@pytest.mark.parametrize(
    ("ends", "how", "end"),
    [
        ("server resets", "cut", "reset"),
        ("server closes", "cut", "fin"),
        ("client resets", "left", ""),
        ("client closes", "left", "fin"),
    ],
)
async def test_how_an_unfinished_response_ends(
    ends: str, how: str, end: str, autojump_clock: object
) -> None:
    """If the client disconnected first, the end of the stream is not a fault of the server."""
    log = Log()
    async with tapping(Watch(UPSTREAM, NoMask, observers=[log])) as tap:
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("hi"))
        match ends:
            case "server resets":
                tap.server.reset()
            case "server closes":
                await tap.server.send_eof()
            case "client resets":
                tap.client.reset()
            case "client closes":
                await tap.client.send_eof()
                await trio.testing.wait_all_tasks_blocked()
                await tap.server.send_eof()
        await tap.settle()
        assert log.seen[-1] == (1, 0, how, end)
        (exchange,) = tap.watch.finished
        assert exchange.report is not None
        codes = [verdict.code for verdict in exchange.report.verdicts]
        assert ("cut-transport" in codes) is (how == "cut")


async def test_a_body_that_the_end_delimits_is_complete(autojump_clock: object) -> None:
    async with tapping() as tap:
        await tap.client.send_all(GET)
        await tap.say(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nall")
        await tap.server.send_eof()
        await tap.settle()
        (exchange,) = tap.watch.finished
        assert exchange.how == "done"
        assert exchange.meter is not None
        assert exchange.meter.complete
        assert exchange.meter.end == "fin"


async def test_a_server_that_never_answers(autojump_clock: object) -> None:
    async with tapping() as tap:
        await tap.client.send_all(POST)
        await trio.sleep(1)
        tap.server.reset()
        await tap.settle()
        (exchange,) = tap.watch.finished
        assert (exchange.how, exchange.reads) == ("cut", 0)
        assert exchange.report is not None
        assert exchange.report.status == 0


async def test_a_client_that_asks_for_nothing(autojump_clock: object) -> None:
    async with tapping() as tap:
        tap.client.close()
        await tap.settle()
        assert (tap.watch.begun, tap.watch.connections) == (0, 1)


async def test_keys_are_masked_in_all_that_leaves(autojump_clock: object) -> None:
    """`NoMask` masks a word of the request and the response. A key in the target is found by its
    form."""
    log, saved = Log(), Saved()
    async with tapping(Watch(UPSTREAM, NoMask, saving=saved, observers=[log])) as tap:
        await tap.client.send_all(GET + POST.replace(b"tap", b"secret"))
        await tap.say(JSON.replace(b"OK", b"secret"))
        await tap.settle()
        (exchange,) = tap.watch.finished
        assert exchange.target == "/v1/models?key=[redacted]"
        assert log.seen[0][2] == JSON.replace(b"OK", b"******")
        assert b"secret" not in b"".join(read.bytes for read in saved.reads)


async def test_what_is_saved(autojump_clock: object) -> None:
    """The recording has each read of both senders as it was relayed, and one end for each
    sender."""
    saved = Saved()
    async with tapping(Watch(UPSTREAM, NoMask, saving=saved)) as tap:
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("hi") + LAST, pause=0.5)
        await tap.server.send_eof()
        await tap.client.send_eof()
        await tap.settle()
        sent = POST.replace(b"tap", b"api.example.com")
        assert saved.reads[:3] == [
            RecordedRead(0, "client", sent, connection=1, url=UPSTREAM),
            RecordedRead(500, "server", HEAD, connection=1),
            RecordedRead(1000, "server", event("hi") + LAST, connection=1),
        ]
        assert sorted((read.sender, read.end) for read in saved.reads[3:]) == [
            ("client", "fin"),
            ("server", "fin"),
        ]


async def test_beyond_the_limit_bytes_are_counted_and_not_measured(autojump_clock: object) -> None:
    """The queue has room for the request and one read. The stream continues, and its counts stay
    right."""
    saved = Saved()
    room = len(POST) + 12 + len(HEAD) + 2 * ITEM_SIZE
    async with tapping(Watch(UPSTREAM, NoMask, saving=saved, max_queue=room)) as tap:
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("one"), event("two"))
        await tap.settle()
        await tap.say(event("three") + LAST)
        await tap.settle()
        (exchange,) = tap.watch.finished
        assert (exchange.reads, exchange.unmeasured, tap.watch.unmeasured) == (4, 3, 3)
        assert (exchange.size, exchange.report) == (tap.watch.size, None)
        assert exchange.verdict == "unmeasured"
        assert [read.bytes for read in saved.reads] == []

        await tap.client.send_all(GET)  # the next one is measured again
        await tap.settle()
        await tap.say(JSON)
        await tap.settle()
        assert tap.watch.finished[-1].report is not None


async def test_memory_is_flat_on_an_endless_stream(autojump_clock: object) -> None:
    async with tapping(Watch(UPSTREAM, NoMask, history=10)) as tap:
        await tap.client.send_all(POST)
        await tap.say(HEAD)
        for _ in range(100):
            await tap.server.send_all(event("x") * 20)
            await trio.testing.wait_all_tasks_blocked()
            tap.client.receive_now()
            tap.watch.measure(60)
        (exchange,) = tap.watch.running.values()
        assert exchange.meter is not None
        assert len(exchange.meter.arrivals) == 10
        assert (exchange.request, tap.watch._queued) == (b"", 0)
        assert tap.watch.tokens == 2000
        tap.client.receive_now()


async def test_the_finished_ones_are_limited(autojump_clock: object) -> None:
    async with tapping(Watch(UPSTREAM, NoMask, max_finished=2)) as tap:
        for _ in range(5):
            await tap.client.send_all(GET)
            await tap.say(JSON)
            await tap.settle()
        assert [one.number for one in tap.watch.finished] == [4, 5]
        assert sum(tap.watch.verdicts.values()) == 5


async def test_run_measures_when_something_has_passed(autojump_clock: object) -> None:
    async with tapping() as tap, trio.open_nursery() as nursery:
        nursery.start_soon(tap.watch.run)
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("hi"))
        await trio.testing.wait_all_tasks_blocked()
        assert tap.watch.tokens == 1
        nursery.cancel_scope.cancel()


async def test_a_large_read_is_measured_in_a_thread() -> None:
    """The relays run at the same time. This test uses the real clock, because the autojump clock
    does not wait for a thread."""
    log = Log()
    watch = Watch(UPSTREAM, NoMask, observers=[log])
    async with tapping(watch) as tap, trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await tap.client.send_all(POST)
        events = b"".join(event(str(number)) for number in range(50))
        await tap.say(HEAD, events, LAST)
        while not watch.finished:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert watch.tokens == 50
    assert [len(entry[2]) for entry in log.seen[:3]] == [len(HEAD), len(events), len(LAST)]
    assert not watch.lock.locked()


async def test_a_bug_of_a_meter_does_not_end_the_relays(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: object
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("workshop.xray.tap.watch.Meter.receive_data", fail)
    async with tapping(has_bug=True) as tap:
        await tap.client.send_all(GET)
        await tap.server.send_all(JSON)
        await tap.settle()
        assert tap.client.receive_now() == JSON
        assert tap.watch.finished[0].verdict == "unmeasured"
