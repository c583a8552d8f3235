"""Unusual exchanges, and the codes that they get in place of a verdict."""

import pytest
import trio
import trio.testing

from workshop.xray.report import Counts, Report, Verdict
from workshop.xray.tap.tapped import TappedExchange

from .tapping import GET, HEAD, JSON, POST, tapping


async def test_a_response_that_nobody_asked_for(autojump_clock: object) -> None:
    """A server that closes an idle connection may announce this with a 408."""
    async with tapping() as tap:
        await tap.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await tap.settle()
        (exchange,) = tap.watch.finished
        assert (exchange.method, exchange.how, exchange.verdict) == ("", "done", "none")


async def test_an_early_answer_while_the_request_is_sent(autojump_clock: object) -> None:
    async with tapping() as tap:
        await tap.client.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        await tap.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await tap.client.send_all(b"123456789" + GET)
        await tap.say(JSON)
        await tap.settle()
        assert [(one.method, one.how) for one in tap.watch.finished] == [
            ("POST", "done"),
            ("GET", "done"),
        ]


async def test_what_is_not_http_is_relayed_and_not_judged(autojump_clock: object) -> None:
    async with tapping() as tap:
        await tap.client.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert await tap.server.receive_some() == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        await tap.say(b"\0\0\0\x04\0\0\0\0\0")
        tap.server.reset()
        await tap.settle()
        (exchange,) = tap.watch.finished
        assert (exchange.method, exchange.size, exchange.report) == ("", 9, None)
        assert exchange.verdict == "none"


@pytest.mark.parametrize("request_line", [b"GET /ws", b"CONNECT api:443"])
async def test_after_a_switch_of_protocols_there_are_no_exchanges(
    request_line: bytes, autojump_clock: object
) -> None:
    status = b"101 Switching Protocols" if request_line.startswith(b"GET") else b"200 OK"
    async with tapping() as tap:
        await tap.client.send_all(request_line + b" HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\n\r\n")
        await tap.say(b"HTTP/1.1 " + status + b"\r\nUpgrade: x\r\n\r\n", b"HTTP/ \x81\x02hi")
        await tap.client.send_all(b"\x81\x80....")
        await tap.settle()
        assert tap.watch.running == {}
        assert tap.watch.begun == 1
        assert tap.server.receive_now() is not None


@pytest.mark.parametrize(
    ("request_", "verdict"),
    [
        (GET, "no-stream"),
        (GET.replace(b"Host:", b"Accept: text/event-stream\r\nHost:"), "not-a-stream"),
        (POST.replace(b"2\r\n\r\n{}", b'15\r\n\r\n{"stream":true}'), "not-a-stream"),
        (POST, "no-stream"),
    ],
)
async def test_a_client_that_wants_no_stream_is_not_warned(
    request_: bytes, verdict: str, autojump_clock: object
) -> None:
    async with tapping() as tap:
        await tap.client.send_all(request_)
        await tap.say(JSON)
        await tap.settle()
        assert tap.watch.finished[0].verdict == verdict


async def test_the_time_that_the_client_takes_is_kept(autojump_clock: object) -> None:
    async with tapping() as tap, trio.open_nursery() as nursery:
        await tap.client.send_all(POST)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(tap.server.send_all, HEAD + b"x" * (1 << 17))
        await trio.sleep(2)
        (exchange,) = tap.watch.running.values()
        while exchange.waited == 0:
            tap.client.receive_now()
            await trio.testing.wait_all_tasks_blocked()
        assert exchange.waited == pytest.approx(2000)


@pytest.mark.parametrize(
    ("waited", "codes", "shown"),
    [
        (0.0, ["coalesced", "http10"], ["coalesced", "http10"]),
        (500.0, ["coalesced", "http10"], ["http10"]),
        (500.0, ["coalesced"], ["slow-client"]),
        (500.0, ["live"], ["live"]),
    ],
)
def test_a_slow_client_is_not_the_fault_of_the_server(
    waited: float, codes: list[str], shown: list[str]
) -> None:
    exchange = TappedExchange(1, 1, 0.0)
    exchange.waited = waited
    said = Report(
        url="",
        status=200,
        verdicts=[Verdict(code=code, sure=0.9, say="") for code in codes],
        counts=Counts(1, 1, 1, 1),
        ttft_ms=None,
        head_ms=None,
        gaps_ms=None,
        wire_bytes=1,
        text_bytes=1,
    )
    assert exchange.codes(said) == shown
