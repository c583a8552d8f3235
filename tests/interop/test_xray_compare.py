"""Tests `--compare` with a real program: the faulty one of two nginx is named, with the setting
that repairs it."""

from pathlib import Path

from workshop.xray.asking.ask import ask
from workshop.xray.asking.compare import Comparison, Way, ask_by_turns, compare
from workshop.xray.asking.curl_flags import CurlFlags
from workshop.xray.asking.ways import compared_addresses
from workshop.xray.meter.measure import Meter

from ..servers.driving import running
from ..workshop.xray.chains import Naive
from .peers import Address
from .test_badproxy import nginx_with_upstream

STREAMS = "proxy_http_version 1.1; proxy_buffering off;"


class Quick(Naive):
    TTFT, ITL = 0.3, 0.02


async def compared(*vias: str) -> Comparison:
    """Send one request on each of these paths."""
    ways = compared_addresses("http://api.example/v1/chat/completions", vias, CurlFlags())

    async def once(way: Way, number: int) -> Meter:
        return await ask(way.asking, lambda read, spans: None)

    return compare(ways, await ask_by_turns(ways, once, rounds=1))


async def test_the_outer_one_of_two(tmp_path: Path) -> None:
    for name in ("inner", "outer"):
        (tmp_path / name).mkdir()
    async with running(Quick()) as server:
        with (
            nginx_with_upstream(Address(server.port), tmp_path / "inner", STREAMS) as inner,
            nginx_with_upstream(inner, tmp_path / "outer") as outer,
        ):
            ports = {"server": server.port, "inner": inner.port, "outer": outer.port}
            comparison = await compared(*(f"{name}=127.0.0.1:{ports[name]}" for name in ports))
            direct = await compared(f"server=127.0.0.1:{server.port}", f"127.0.0.1:{outer.port}")
    verdict = comparison.verdicts[0]
    assert (verdict.hop, comparison.ways[1].codes) == ("outer", [])
    assert verdict.code in ("buffered-blocks", "buffered-whole")
    assert verdict.sure > 0.5
    assert next(iter(comparison.cures)) == "nginx"
    # The Server field shows the program, if the path before it has another value.
    verdict = direct.verdicts[0]
    assert verdict.hop == f"127.0.0.1:{outer.port}"
    assert verdict.facts["product"] == "nginx"
    assert verdict.cure == "nginx: proxy_buffering off;"
