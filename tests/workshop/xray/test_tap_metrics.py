"""`GET /metrics` of a tap: its numbers, and no label that a client could choose."""

import re

from workshop.xray.tap.tap_metrics import TapMetrics, metrics_routes

from ...servers.driving import connected
from ...streams import receive_all
from .tapping import DONE, FINISH, GET, HEAD, LAST, POST, event, tapping


def lines(metrics: TapMetrics) -> list[str]:
    return metrics.render().decode().splitlines()


async def test_the_numbers(autojump_clock: object) -> None:
    async with tapping() as tap:
        metrics = TapMetrics(tap.watch)
        assert 'workshop_tap_running{state="streaming"} 0.0' in lines(metrics)
        await tap.client.send_all(POST)
        await tap.say(HEAD, event("a"), event("b"), pause=0.2)
        await tap.settle()
        assert 'workshop_tap_running{state="streaming"} 1.0' in lines(metrics)
        await tap.say(FINISH + DONE + LAST)
        await tap.client.send_all(GET)
        await tap.say(HEAD)
        tap.server.reset()
        await tap.settle()
        tap.watch.refuse("no connection")
        found = lines(metrics)
        for line in (
            'workshop_tap_running{state="streaming"} 0.0',
            'workshop_tap_exchanges_total{end="cut",verdict="cut-transport"} 1.0',
            'workshop_tap_first_token_seconds_bucket{le="0.25"} 0.0',
            'workshop_tap_first_token_seconds_bucket{le="0.5"} 1.0',
            'workshop_tap_gap_seconds_bucket{le="0.1"} 0.0',
            'workshop_tap_gap_seconds_bucket{le="0.25"} 1.0',
            "workshop_tap_tokens_total 2.0",
            "workshop_tap_connections_total 1.0",
            "workshop_tap_refused_total 1.0",
            "workshop_tap_unmeasured_reads_total 0.0",
        ):
            assert line in found
        assert f"workshop_tap_bytes_total {float(tap.watch.size)}" in found


async def test_no_label_comes_from_a_request(autojump_clock: object) -> None:
    async with tapping() as tap:
        for number in range(3):
            await tap.client.send_all(b"GET /%d HTTP/1.1\r\nHost: %d\r\n\r\n" % (number, number))
            await tap.say(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % (200 + number))
        await tap.settle()
        text = TapMetrics(tap.watch).render().decode()
        labels = set(re.findall(r'(\w+)="', text))
        assert labels == {"state", "end", "verdict", "le"}


async def test_it_is_served_at_one_path(autojump_clock: object) -> None:
    async with tapping() as tap, connected(metrics_routes(tap.watch)) as memory:
        await memory.client.send_all(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = await receive_all(memory.client)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: text/plain; version=" in answer
        assert b"\nworkshop_tap_connections_total 1.0\n" in answer
