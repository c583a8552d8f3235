"""Requests that differ in one property, and the verdict that a held answer and a live one prove
together."""

from collections.abc import Sequence

import pytest

from workshop.xray.asking.ask import Asking, ask
from workshop.xray.asking.curl_flags import CurlFlags, asking_of
from workshop.xray.asking.probe import conclude, probes_of
from workshop.xray.meter.measure import Meter
from workshop.xray.report import Report

from .chains import chain

URL = "http://hop1/chat/hello"
GZIP = "Accept-Encoding: gzip"
PLAIN = "Accept-Encoding: identity"


def changes(asking: Asking) -> list[tuple[str, str]]:
    return [(probe.original, probe.change) for probe in probes_of(asking)]


def test_which_requests() -> None:
    types = ("Accept: */*", "Accept: text/event-stream")
    assert changes(asking_of(URL, CurlFlags())) == [(GZIP, PLAIN), types, ("GET", "POST")]
    assert changes(asking_of(URL, CurlFlags("POST"))) == [(GZIP, PLAIN), types, ("POST", "GET")]
    assert changes(asking_of(URL, CurlFlags(data=["{}"]))) == [(GZIP, PLAIN), types]
    assert changes(asking_of(URL, CurlFlags("HEAD"))) == [(GZIP, PLAIN), types]
    flags = CurlFlags(fields=["Accept-Encoding:", "Accept: text/event-stream"])
    assert changes(asking_of(URL, flags))[:2] == [(PLAIN, GZIP), types[::-1]]


def test_each_changes_one_thing() -> None:
    asking = asking_of(URL, CurlFlags(fields=["X-A: 1"]))
    for probe in probes_of(asking):
        before = {(asking.method, *field) for field in (*asking.headers, ("", ""))}
        after = {(probe.asking.method, *field) for field in (*probe.asking.headers, ("", ""))}
        if probe.code == "method-gated":
            assert (probe.asking.method, probe.asking.headers) == ("POST", asking.headers)
        else:
            assert len(before ^ after) == 2
        assert (probe.asking.url, probe.asking.body) == (URL, b"")


async def probed(hops: Sequence[str], flags: CurlFlags, url: str = URL) -> Report:
    async with chain(hops) as made:

        async def once(asking: Asking) -> Meter:
            return await ask(asking, lambda read, spans: None)

        asking = asking_of(url, flags, made.connect)
        first = await once(asking)
        probes = probes_of(asking)
        return conclude(first, probes, [await once(probe.asking) for probe in probes])


@pytest.mark.parametrize("fields", [(), (PLAIN,)])
async def test_a_compressor(fields: tuple[str, ...], autojump_clock: object) -> None:
    """The cause is also found if the first request is the one without gzip."""
    report = await probed(["gzip-nosync"], CurlFlags(fields=fields))
    verdict = report.verdicts[0]
    assert (verdict.code, verdict.sure) == ("compressed-unflushed", 0.95)
    assert verdict.facts == {"held": GZIP, "live": PLAIN}
    assert verdict.say == (
        f"A compressor holds the text: the answer is held with {GZIP}, and live with {PLAIN}."
    )
    assert verdict.cure.startswith("Leave text/event-stream out of the compression")


async def test_a_buffer_is_no_gate(autojump_clock: object) -> None:
    report = await probed(["buffer"], CurlFlags())
    verdict = report.verdicts[0]
    assert verdict.code == "buffered-whole"
    same = f"It is the same with {PLAIN}, Accept: text/event-stream, POST."
    assert verdict.say.endswith(same)


async def test_a_live_stream_stays_live(autojump_clock: object) -> None:
    report = await probed(["none"], CurlFlags())
    assert [verdict.code for verdict in report.verdicts] == ["live"]


async def test_two_causes(autojump_clock: object) -> None:
    """Without gzip it is still held, but in another way."""
    report = await probed(["rechunk=1000", "gzip-nosync"], CurlFlags(), "http://hop2/chat/hello")
    first, second = report.verdicts[:2]
    assert (first.code, second.code) == ("compressed-unflushed", "buffered-blocks")
    hint = f"With {PLAIN} it is still held, as buffered-blocks: there is a second cause."
    assert hint in first.say
    assert second.say.startswith(f"With {PLAIN}: The text comes in ")
