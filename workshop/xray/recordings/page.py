"""Writes a recording as one HTML page, which replays the recording and can be sent to a colleague.

    <!doctype html>
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src …">
    <style>…</style>
    <main><section id="viewer"></section></main>
    <script type="application/json" id="recording">{"reads":[{"at":0,…}],…}</script>
    <script type="module">…</script>

The page is the viewer of the chat page (servers/page/viewer) with its modules and its style sheet
in one file. The page loads nothing, and its Content-Security-Policy allows only this one script.

The rules this file keeps:

1. The JavaScript of the page does not parse HTTP or event streams. The spans of a response come
   from its Meter, and this file divides them where a read ends.
2. The page has all bytes of the recording, in the reads that brought them. If the exchanges of a
   connection do not hold the same bytes as its reads, the reads have no spans.
3. No text in a recording can become HTML or a script, because `<` is escaped in the JSON.
"""

import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from pathlib import Path

import msgspec

import servers
from protocol.anatomy import ByteSpan
from protocol.recording import RecordedRead, RecordingError

from ..judge.cures import with_cures
from ..judge.verdicts import report
from ..meter.address import url_of
from ..meter.exchange import Exchange, exchanges
from ..meter.measure import Meter
from ..report import Report
from .har import Message

__all__ = ["write_page"]

FILES = Path(servers.__file__).parent / "page"
MODULES = (  # each after its imports
    "dom.js",
    "viewer/columns.js",
    "viewer/lines.js",
    "viewer/recording.js",
    "viewer/bytes.js",
    "viewer/story.js",
    "viewer/draw.js",
    "viewer/meaning.js",
    "viewer/chart.js",
    "viewer/exchange.js",
    "viewer/export.js",
    "viewer/heights.js",
    "viewer/rows.js",
    "viewer/journey.js",
    "viewer/layers.js",
    "viewer/lit.js",
    "viewer/time.js",
    "viewer/words.js",
    "viewer/viewer.js",
)
START = """
const recorded = JSON.parse(document.getElementById("recording").textContent);
const place = document.getElementById("viewer");
viewer(place, readRecording(recorded), { language: navigator.language, keys: document });
"""
BODY = """
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 system-ui; }
main { display: flex; flex-flow: column; max-width: 72rem; min-height: 100dvh; }
main { margin: 0 auto; padding: 1rem; }
#viewer { flex: 1; }
main > h1 { color: var(--soft); font-size: .9rem; font-weight: 400; }
"""

HEADING = "A recorded stream, read by read"

IMPORT = re.compile(r'^import \{[^}]*\} from "\.{1,2}/([\w/-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ", re.MULTILINE)

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
script-src '{script_hash}'; style-src '{style_hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main><h1>{heading}</h1><section id="viewer"></section></main>
<noscript>This page plays a recording, which needs JavaScript.</noscript>
<script type="application/json" id="recording">{recording}</script>
<script type="module">{script}</script>
</body>
</html>
"""

MAX_SIZE = 64 << 20
MAX_PLAIN = 4000  # bytes of a decompressed body that are shown


class ShownRead(msgspec.Struct):
    """A read in the form that the viewer takes.

    Args:
        offset: Position of the read's first byte among all bytes of its sender on its connection.
        spans: The spans of the read's bytes, if they have labels. Their offsets are counted like
            `offset`.
    """

    at: float
    sender: str
    connection: int
    bytes: bytes
    end: str
    offset: int
    spans: list[ByteSpan]


class ShownExchange(msgspec.Struct):
    """A request, and the report of x-ray on its response.

    Args:
        plain: The beginning of a compressed body as text, because its bytes alone cannot be read.
    """

    method: str
    url: str
    report: Report | None
    plain: str = ""


def write_page(reads: Iterable[RecordedRead], *, max_size: int = MAX_SIZE) -> str:
    """Write a recording as an HTML page.

    Args:
        reads: A recording whose keys are masked (masking.py).
        max_size: Largest size of the recording, in bytes, because a browser must hold all of them.

    Raises:
        RecordingError: The recording is larger than `max_size`.
    """
    reads = list(reads)
    if sum(len(read.bytes) for read in reads) > max_size:
        raise RecordingError(f"a page can hold a recording of at most {max_size} bytes")
    shown, found = _shown(reads)
    # In a script, "<" could begin "</script>" or "<!--" (HTML §4.12.1.3).
    recording = msgspec.json.encode({"reads": shown, "exchanges": found}).decode()
    script, style = _script(), _style()
    title = next((exchange.url for exchange in found if exchange.url), "") or "Recording"
    return PAGE.format(
        title=escape(title),
        heading=HEADING,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        recording=recording.replace("<", "\\u003c"),
    )


# ---- The recording


def _shown(reads: list[RecordedRead]) -> tuple[list[ShownRead], list[ShownExchange]]:
    found = exchanges(reads)
    # The spans of the server's bytes, by connection.
    spans: dict[int, list[ByteSpan]] = defaultdict(list)
    pieces_of: dict[int, list[bytes]] = defaultdict(list)
    sizes: dict[int, int] = defaultdict(int)
    shown_exchanges = []
    for exchange in found:
        number, pieces = exchange.connection, [read.bytes for read in exchange.reads]
        meter, labelled = _measured(exchange)
        spans[number] += [_moved(span, sizes[number]) for span in labelled]
        pieces_of[number] += pieces
        sizes[number] += sum(map(len, pieces))
        said, plain = None, ""
        if exchange.reads:
            said = with_cures(report(meter), meter)
            plain = _plain(b"".join(pieces), exchange.method) if meter.coding else ""
        url = url_of(exchange)
        shown_exchanges.append(ShownExchange(exchange.method, url, said, plain))
    for connection, pieces in pieces_of.items():
        recorded = [
            read.bytes for read in reads if (read.sender, read.connection) == ("server", connection)
        ]
        if b"".join(pieces) != b"".join(recorded):
            del spans[connection]
    return _divided(reads, spans), shown_exchanges


def _measured(exchange: Exchange) -> tuple[Meter, list[ByteSpan]]:
    """Return a meter that has received the whole response, and all its spans in order."""
    meter = Meter(
        url=url_of(exchange),
        method=exchange.method,
        request=exchange.request,
        began=exchange.began,
    )
    spans: list[ByteSpan] = []
    for read in exchange.reads:
        if read.bytes:
            spans += meter.receive_data(read.at, read.bytes)
        if read.end:
            spans += meter.receive_end(read.at, read.end)
    return meter, sorted(spans, key=lambda span: span.start)


def _plain(response: bytes, method: str) -> str:
    message = Message(response, is_request=False, method=method)
    plain = message.decompressed()
    return "" if plain is message.body else plain[:MAX_PLAIN].decode("utf-8", "replace")


def _moved(span: ByteSpan, distance: int) -> ByteSpan:
    return span._replace(start=span.start + distance, end=span.end + distance)


def _divided(reads: list[RecordedRead], spans: dict[int, list[ByteSpan]]) -> list[ShownRead]:
    """Divide the spans among the reads, so that each read has the labels of its own bytes."""
    places: dict[tuple[str, int], int] = defaultdict(int)
    # by connection: index of the first span that may label the next read
    indexes: dict[int, int] = defaultdict(int)
    shown = []
    for read in reads:
        connection = read.connection
        start = places[read.sender, connection]
        end = places[read.sender, connection] = start + len(read.bytes)
        own: list[ByteSpan] = []
        all_spans = spans.get(connection, []) if read.sender == "server" else []
        while indexes[connection] < len(all_spans):
            span = all_spans[indexes[connection]]
            if span.start >= end:
                break
            own.append(span._replace(start=max(span.start, start), end=min(span.end, end)))
            if span.end > end:
                break
            indexes[connection] += 1
        shown.append(ShownRead(read.at, read.sender, connection, read.bytes, read.end, start, own))
    return shown


# ---- The page


def _script() -> str:
    """Return the modules of the viewer as one script, and the line that starts it.

    Imports are removed, and exports become ordinary declarations. This works because no name occurs
    at the top level of two of these modules.
    """
    parts = []
    for name in MODULES:
        source = (FILES / name).read_text(encoding="utf-8")
        parts.append(EXPORT.sub("", IMPORT.sub("", source)))
    return "\n".join([*parts, START]).replace("</script", "<\\/script")


def _style() -> str:
    """Return the colours of the chat page (the first rule of its style sheet), followed by the
    viewer's own styles."""
    page, viewer = (
        (FILES / name).read_text(encoding="utf-8") for name in ("style.css", "viewer/viewer.css")
    )
    return "\n".join([page[: page.index("/* ----")], BODY, viewer])


def _hash(text: str) -> str:
    """Return the hash of an inline script or style, for the policy (CSP 3 §2.3.1)."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


# What this file does not do: draw anything (servers/page/viewer), or mask keys (masking.py).
