"""Several ways to one server: the faulty hop of three is named, wherever it is."""

import pytest

from workshop.xray.ask import ask
from workshop.xray.compare import Comparison, Way, ask_by_turns, compare
from workshop.xray.curl_flags import CurlFlags
from workshop.xray.measure import Meter
from workshop.xray.ways import compared_urls

from .chains import chain

PATH = "/v1/chat/completions"

# A mode of the bad proxy, and the codes that may come first.
MODES = {
    "buffer": {"buffered-whole"},
    "truncate=3000": {"cut-transport"},
    "http10,truncate=3000": {"cut-clean"},
}


async def compared(hops: list[str], rounds: int = 1) -> Comparison:
    """Compare the server and a chain of bad proxies."""
    async with chain(hops) as made:
        names = ["server", *(f"hop{number}" for number in range(1, len(hops) + 1))]
        urls = [f"{name}=http://{name}{PATH}" for name in names]
        ways = compared_urls(urls, CurlFlags(model="echo"), made.connect)

        async def once(way: Way, number: int) -> Meter:
            return await ask(way.asking, lambda read, spans: None, silence=20)

        measured = await ask_by_turns(ways, once, rounds)
        assert [len(each) for each in measured] == [rounds] * len(names)
        return compare(ways, measured)


@pytest.mark.parametrize("position", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
async def test_names_the_hop(mode: str, position: int, autojump_clock: object) -> None:
    hops = ["none", "none", "none"]
    hops[position - 1] = mode
    first = (await compared(hops)).verdicts[0]
    assert first.hop == f"hop{position}"
    assert first.code in MODES[mode]
    assert first.sure > 0.5
