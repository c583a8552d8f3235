"""The table of hops: the effect of real programs on a stream, and x-ray's verdict on it.

    python -m tests.interop.hops            prints the page
    python -m tests.interop.hops --write    writes it
    python -m tests.interop.hops --save DIR keeps the recordings, one file for each case

A cell has the codes that x-ray claims, most harmful first, and the facts that were measured on both
sides. The tests compare only the codes, because times and numbers differ from run to run.

    | `default` | naive | `buffered-blocks`, held 0.8 s | `cut-transport`, 15 of 24 events | …
    |           | ours  | `live`                        | `cut-transport`                  | …
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from protocol.recording import RecordedRead
from workshop.xray.judge.verdicts import judge
from workshop.xray.meter.measure import Meter
from workshop.xray.report import Verdict

from ..peers import ROOT
from .asking import PATIENCE, Case, Seen
from .hop import IDLE
from .hops import HOPS
from .truth import PROMPT, is_true, right_codes
from .upstream import EVENTS, WAYS, Head, Way

__all__ = ["PAGE", "WRITE", "Page", "cases", "mistakes", "page", "verdicts"]

PAGE = ROOT / "workshop" / "09_proxies_and_buffering" / "HOPS.md"
WRITE = "python -m tests.interop.hops --write"

ASKED: Mapping[str, tuple[Head, bool]] = {
    "naive": ("naive", False),
    "naive gzip": ("naive", True),
    "ours": ("ours", False),
    "ours gzip": ("ours", True),
}
"""The second column: the upstream's head, and whether the client accepts gzip."""

ALL = "all"

COLUMNS: Mapping[Way, str] = {
    "whole": "whole answer",
    "reset": "reset after 24 events",
    "fin": "FIN inside event 25",
    "silent": "silent after 4 events",
}
"""The next columns."""

Results = Mapping[Case, tuple[Seen, list[Verdict]]]


def cases(hops: Iterable[str]) -> list[Case]:
    """All cases of these hops."""
    return [
        Case(hop, configuration, head, gzip, way)
        for hop in hops
        for configuration in HOPS[hop].configurations
        for head, gzip in ASKED.values()
        for way in WAYS
    ]


def verdicts(reads: Sequence[RecordedRead]) -> list[Verdict]:
    """X-ray's verdicts on a recording."""
    meter = Meter(url=reads[0].url, method="POST", request=reads[0].bytes)
    for read in reads[1:]:
        if read.bytes:
            meter.receive_data(read.at, read.bytes)
        if read.end:
            meter.receive_end(read.at, read.end)
    return judge(meter)


# ---- Writing


def page(results: Results) -> str:
    """The whole page."""
    names = dict.fromkeys(case.hop for case in results)
    sections = [section(name, results) for name in names]
    return "\n".join([INTRODUCTION + legend(results), in_short(results), *sections])


def section(name: str, results: Results) -> str:
    hop = HOPS[name]
    title = name if name == "no hop" else f"{name} {hop.version}"
    lines = [f"## {title}\n"]
    for each, configuration in hop.configurations.items():
        cure = f" Cure: as `{configuration.cure}`." if configuration.cure else ""
        lines.append(f"- `{each}`: `{configuration.lines}`.{cure}")
    lines += [f"\nIdle timeout: {hop.idle}.\n"]
    lines += [f"| configuration | upstream | {' | '.join(COLUMNS.values())} |", "|---" * 6 + "|"]
    for each in hop.configurations:
        groups: dict[tuple[str, ...], list[str]] = {}
        held: dict[tuple[str, ...], float] = {}
        for label, (head, gzip) in ASKED.items():
            outcomes = [results[Case(name, each, head, gzip, way)] for way in WAYS]
            cells = tuple(cell(way, *one) for way, one in zip(WAYS, outcomes, strict=True))
            groups.setdefault(cells, []).append(label)
            held[cells] = max(held.get(cells, 0.0), outcomes[0][0].longest_hold)
        first = f"`{each}`"
        for cells, asked in groups.items():
            which = ALL if len(asked) == len(ASKED) else ", ".join(asked)
            late = f", held {held[cells] / 1000:.1f} s" if held[cells] >= PROMPT else ""
            lines.append(f"| {first} | {which} | {cells[0]}{late} | {' | '.join(cells[1:])} |")
            first = ""
    return "\n".join([*lines, ""])


def cell(way: Way, seen: Seen, found: Sequence[Verdict]) -> str:
    """The text of a cell, without the time for which events were held."""
    codes = claims(found) or [found[0].code + "?"]
    parts = [f"`{code}`" for code in (codes if way == "whole" else codes[:1])]
    if seen.status not in (0, 200):
        parts.append(f"status {seen.status}")
    elif not seen.status:
        parts.append("no head")
    elif way != "whole" and len(seen.events) != EVENTS[way]:
        parts.append(f"{len(seen.events)} of {EVENTS[way]} events")
    return ", ".join(parts)


def claims(found: Sequence[Verdict]) -> list[str]:
    """The codes that x-ray is sure of."""
    return [verdict.code for verdict in found if verdict.sure > 0.5]


def mistakes(case: Case, seen: Seen, found: Sequence[Verdict]) -> list[str]:
    """A line for each wrong code in a verdict, according to the facts from both sides."""
    lines = []
    right = right_codes(case, seen)
    if found[0].code not in right:
        lines.append(f"{case.name}: {found[0].code}, and right is {' or '.join(sorted(right))}")
    if untrue := [code for code in claims(found) if not is_true(case, seen, code)]:
        lines.append(f"{case.name}: {', '.join(untrue)} is not true")
    return lines


def in_short(results: Results) -> str:
    """The configurations, grouped by their effect on a stream of the naive upstream."""
    whole: dict[str, dict[str, None]] = {}
    clean: dict[str, None] = {}
    for case, (_, found) in results.items():
        if case.head == "naive" and case.hop != "no hop":
            name = f"{case.hop} `{case.configuration}`"
            if case.way == "whole":
                whole.setdefault(found[0].code, {})[name] = None
            elif found[0].code == "cut-clean":
                clean[name] = None
    rows = [f"| `{code}` | {', '.join(names)} |" for code, names in sorted(whole.items())]
    rows += [f"| a cut answer looks complete: `cut-clean` | {', '.join(clean)} |"]
    head = "## In short\n\n| with the naive upstream, gzip or not | configurations |\n|---|---|"
    return "\n".join([head, *rows, ""])


def legend(results: Results) -> str:
    """The codes of the table, each with an example of x-ray's sentence."""
    said: dict[str, str] = {}
    for _, found in results.values():
        for verdict in found:
            if verdict.code in claims(found):
                said.setdefault(verdict.code, verdict.say)
    rows = [f"| `{code}` | {said[code].replace('|', '/')} |" for code in sorted(said)]
    return "\n".join(["| code | x-ray says, for example |", "|---|---|", *rows, ""])


INTRODUCTION = f"""\
# What real hops do to a stream

Each program below runs between one client and one upstream, with a configuration of a few lines.
The upstream streams an answer of 60 events, one each 50 ms, each about 250 bytes long: HTTP/1.1,
chunked, `text/event-stream`, the head at once. `workshop xray` judges the client's reads.
`{WRITE}` measures everything again and writes this page. A test
compares the codes of its own run with the page.

**Upstream.** *naive* says `Cache-Control: no-cache`. *ours* says what every event stream of this
project says: `Cache-Control: no-cache, no-transform` and `X-Accel-Buffering: no`. With *gzip* the
client sends `Accept-Encoding: gzip`. In the configurations, `UP` is the upstream's address.

**The four answers.** The first is complete. The upstream resets the second (RST) between two
events, and closes the third (FIN) inside an event. The fourth becomes silent, while its connection
stays open. For this one, programs with an idle timeout are configured with {IDLE} s in place of
the usual 60 s. The client gives up after {PATIENCE:.0f} s.

**Cells** have the codes that x-ray claims, most harmful first. If the answer is not whole, only the
first code is shown. Two facts follow that were measured on both sides: the number of events that
arrived, if some are missing, and the time for which the hop held an event, if it was over
{PROMPT:.0f} ms (nine tenths of the events were held no longer). A code with a question mark is a
guess. Some causes look alike to the client: a hop that keeps its connection open after the upstream
has died looks like a network that has failed.

"""


# ---- Reading


class Page(msgspec.Struct):
    """The content of the page.

    Args:
        versions: Version of each hop.
        codes: The codes of each case, most harmful first. A code with a question mark is a guess.
    """

    versions: dict[str, str]
    codes: dict[Case, list[str]]

    @classmethod
    def read(cls, text: str) -> "Page":
        """Read the page that `page` has written."""
        found = cls({}, {})
        for part in text.split("\n## ")[2:]:
            title, _, rest = part.partition("\n")
            name = next(name for name in HOPS if title.startswith(name))
            found.versions[name] = title.removeprefix(name).strip()
            configuration = ""
            for first, asked, cells in rows(rest):
                configuration = first or configuration
                for each in ASKED if asked == ALL else asked.split(", "):
                    head, gzip = ASKED[each]
                    for way, codes in zip(WAYS, cells, strict=True):
                        found.codes[Case(name, configuration, head, gzip, way)] = codes
        return found


def rows(text: str) -> Iterator[tuple[str, str, list[list[str]]]]:
    """For each row of a table: the configuration or "", the request, and the codes of each cell."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith(("|---", "| configuration")):
            first, asked, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            yield first.strip("`"), asked, [re.findall(r"`([^`]+)`", cell) for cell in cells]
