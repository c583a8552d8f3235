"""How fast the codecs are, compared with codecs of other projects that do the same work.

One core, no sockets: the input is bytes, split beforehand; each event or body piece of the output
is passed to a function. Four kinds of row: SSE parsing (beside httpx-sse and the decoder of the
`openai` SDK), chunked decoding (beside h11, and httptools as the limit: it is C), inputs that make
a careless decoder quadratic (time has to double when the input doubles), and encoding (beside the
one `%` that it cannot do without). `table.py` checks and times them.
"""

import json
import random
from codecs import getincrementaldecoder
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import import_module, metadata

from protocol.chunked import ChunkedDecoder, encode_chunk, encode_last_chunk
from protocol.sse import EventStreamParser, ServerSentEvent, encode_event

from . import idle, table
from .table import Contestant, Expected, Row, Take, Target

FULL = 50_000  # events; the other inputs shrink with --events in proportion

Pieces = Sequence[bytes]
Runner = Callable[[Pieces, Take], None]
"""Feeds the pieces to one decoder, and passes the decoder's output to the Take."""


class Corpus:
    """`count` chat.completion.chunk events, all different: ASCII, Han and emoji as raw UTF-8."""

    def __init__(self, count: int) -> None:
        self.count = count

    @cached_property
    def datas(self) -> list[str]:
        rng = random.Random(9112)
        return [_chunk_json(rng, number) for number in range(self.count)]

    @cached_property
    def frames(self) -> list[bytes]:
        return [f"data: {data}\n\n".encode() for data in self.datas]

    @cached_property
    def stream(self) -> bytes:
        return b"".join(self.frames)

    @cached_property
    def chunks(self) -> list[bytes]:
        return [*map(encode_chunk, self.frames), encode_last_chunk()]


WORDS = ["the ", " stream", "token", "{}", " 0x1F", "\\", "`code`", "\n\n", '"quoted"', " don't"]
WORDS += ["你好", "，世界", "流式", "字节", "的", "一个一个地", "到达。", "浏览器", "「像素」"]
WORDS += ["🙂", "🚀 go", "👩‍🚀", "✅", " naïve", "é", "Ω"]


def _chunk_json(rng: random.Random, number: int) -> str:
    delta = {"content": f"{rng.choice(WORDS)}{rng.choice(WORDS)}{number}"}
    chunk = {
        "id": "chatcmpl-C9bY2kQx7Lw0nVhT4eRf",
        "object": "chat.completion.chunk",
        "created": 1727346169,
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp_57",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}],
    }
    return json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))


def cut(data: bytes, size: int) -> list[bytes]:
    """Pieces of `size` bytes, even inside lines and characters; size 0: one piece."""
    size = size or len(data)
    return [data[start : start + size] for start in range(0, len(data), size)]


def sse_ours(pieces: Pieces, take: Take) -> None:
    receive_data = EventStreamParser().receive_data
    for piece in pieces:
        for event in receive_data(piece):
            take(event.data)


def load_httpx_sse() -> Runner:
    """EventSource.iter_sse() over Response.iter_text(), without the layers of generators."""
    decoders = import_module("httpx_sse._decoders")
    line_decoder, event_decoder = decoders.SSELineDecoder, decoders.SSEDecoder

    def run(pieces: Pieces, take: Take) -> None:
        text_of = getincrementaldecoder("utf-8")(errors="replace").decode
        lines_of, event_of = line_decoder().decode, event_decoder().decode
        for piece in pieces:
            if text := text_of(piece):
                for line in lines_of(text):
                    event = event_of(line.rstrip("\n"))
                    if event is not None:
                        take(event.data)

    return run


def load_openai() -> Runner:
    """The code that Stream._iter_events() runs on Response.iter_bytes()."""
    decoder = import_module("openai._streaming").SSEDecoder

    def run(pieces: Pieces, take: Take) -> None:
        for event in decoder().iter_bytes(iter(pieces)):
            take(event.data)

    return run


def chunked_ours(pieces: Pieces, take: Take) -> None:
    decoder = ChunkedDecoder()
    receive_data = decoder.receive_data
    for piece in pieces:
        for data in receive_data(piece):
            take(data)
    if not decoder.complete:
        raise table.DifferentWork("the body did not end")


RESPONSE_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def load_h11() -> Runner:
    h11 = import_module("h11")
    body = h11.Data

    def run(pieces: Pieces, take: Take) -> None:
        connection = h11.Connection(h11.CLIENT)
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(RESPONSE_HEAD)
        connection.next_event()
        receive_data, next_event = connection.receive_data, connection.next_event
        for piece in pieces:
            receive_data(piece)
            while type(event := next_event()) is body:
                take(event.data)
        if connection.their_state is not h11.DONE:
            raise table.DifferentWork("the body did not end")

    return run


def load_httptools() -> Runner:
    parser_type = import_module("httptools").HttpResponseParser

    class Protocol:
        complete = False

        def __init__(self, take: Take) -> None:
            self.on_body = take

        def on_message_complete(self) -> None:
            self.complete = True

    def run(pieces: Pieces, take: Take) -> None:
        protocol = Protocol(take)
        feed_data = parser_type(protocol).feed_data
        feed_data(RESPONSE_HEAD)
        for piece in pieces:
            feed_data(piece)
        if not protocol.complete:
            raise table.DifferentWork("the body did not end")

    return run


# A loader raises ImportError or AttributeError where its package is missing or has changed.
LOADERS: dict[str, Callable[[], Runner]] = {
    "httpx-sse": load_httpx_sse,
    "openai": load_openai,
    "h11": load_h11,
    "httptools": load_httptools,
}


def load_peers() -> tuple[dict[str, Runner], dict[str, str]]:
    """Return the installed peers, and for each other peer the reason why it is missing."""
    here: dict[str, Runner] = {}
    missing: dict[str, str] = {}
    for name, load in LOADERS.items():
        try:
            here[name] = load()
        except (ImportError, AttributeError) as error:
            missing[name] = str(error)
    return here, missing


@dataclass(frozen=True)
class Work:
    """One row before its measurement. `build` makes the inputs when the row is measured."""

    group: str
    name: str
    unit: str
    build: Callable[[Corpus, dict[str, Runner]], list[Contestant]]
    peers: Sequence[str] = ()


def decoding(
    group: str,
    fed: str,
    ours: Runner,
    pieces_of: Callable[[Corpus], Pieces],
    expect_of: Callable[[Corpus], Expected],
    targets: dict[str, Target | None],
) -> Work:
    """A row in which every peer decodes the same pieces."""

    def build(corpus: Corpus, peers: dict[str, Runner]) -> list[Contestant]:
        pieces, expect = pieces_of(corpus), expect_of(corpus)
        size = sum(map(len, pieces))
        first = Contestant("ours", partial(ours, pieces), corpus.count, size, expect)
        others = [
            replace(first, name=name, go=partial(peers[name], pieces), target=target)
            for name, target in targets.items()
            if name in peers
        ]
        return [first, *(replace(other, ratio_to="ours") for other in others)]

    return Work(group, fed, "event", build, tuple(targets))


def sse_row(fed: str, size: int, openai: Target, httpx_sse: Target) -> Work:
    return decoding(
        "SSE parse",
        fed,
        sse_ours,
        lambda corpus: cut(corpus.stream, size) if size else corpus.frames,
        lambda corpus: corpus.datas,
        {"httpx-sse": httpx_sse, "openai": openai},
    )


def chunked_row(fed: str, size: int, target: Target) -> Work:
    return decoding(
        "Chunked decode, one event a chunk",
        fed,
        chunked_ours,
        lambda corpus: cut(b"".join(corpus.chunks), size) if size else corpus.chunks,
        lambda corpus: corpus.frames,
        {"h11": target, "httptools": None},
    )


def linear_row(
    name: str,
    size: int,
    full: int,
    counted: str,
    run: Runner,
    make: Callable[[int], tuple[bytes, Expected]],
) -> Work:
    """A row that decodes a quarter, a half and all of an input, each compared with the previous
    one.

    `make(n)` returns an input with n units, to be split into pieces of `size` bytes (0: one piece),
    and the expected output.
    """

    def build(corpus: Corpus, _: dict[str, Runner]) -> list[Contestant]:
        contestants: list[Contestant] = []
        for parts in (4, 2, 1):
            n = max(full * corpus.count // FULL // parts, 1)
            data, expect = make(n)
            pieces = cut(data, size)
            contestant = Contestant(f"{n:,} {counted}", partial(run, pieces), n, len(data), expect)
            if contestants:
                contestant = replace(contestant, ratio_to=contestants[-1].name, target=LINEAR)
            contestants.append(contestant)
        return contestants

    return Work("Linear: twice the input, twice the time", name, "unit", build)


LINEAR = Target(2.5, at_least=False)  # linear is 2, quadratic is 4; the rest is noise and caches


def one_line(n: int) -> tuple[bytes, Expected]:
    text = ("流式 stream 🚀 " * (n // 20 + 1)).encode()[:n].decode(errors="ignore")
    return f"data: {text}\n\n".encode(), [text]


def many_lines(n: int) -> tuple[bytes, Expected]:
    return b"data: 1\n" * n + b"\n", ["\n".join(["1"] * n)]


def cr_events(n: int) -> tuple[bytes, Expected]:
    corpus = Corpus(n)
    return corpus.stream.replace(b"\n", b"\r"), corpus.datas


def one_chunk(n: int) -> tuple[bytes, Expected]:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (n, b"x" * n), [b"x" * n]


def one_byte_chunks(n: int) -> tuple[bytes, Expected]:
    return b"1\r\nx\r\n" * n + b"0\r\n\r\n", [b"x" * n]


def encode_build(corpus: Corpus, _: dict[str, Runner]) -> list[Contestant]:
    """Yield lists of a hundred items: so the loop costs almost nothing, and memory is reused."""
    batches = [corpus.datas[start : start + 100] for start in range(0, corpus.count, 100)]
    frames = [[f"data: {data}\n\n".encode() for data in batch] for batch in batches]
    events = [[ServerSentEvent(data=data) for data in batch] for batch in batches]

    def alone(take: Take) -> None:
        for batch in frames:
            take([b"%x\r\n%b\r\n" % (len(frame), frame) for frame in batch])

    def ours(take: Take) -> None:
        for batch in events:
            take([encode_chunk(encode_event(event)) for event in batch])

    def ours_and_struct(take: Take) -> None:
        for batch in batches:
            take([encode_chunk(encode_event(ServerSentEvent(data=data))) for data in batch])

    def utf8(take: Take) -> None:
        for batch in batches:
            take([data.encode() for data in batch])

    encoded = [data.encode() for data in corpus.datas]
    expect = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in corpus.frames]
    size = sum(map(len, expect))
    base = Contestant('b"%x…" alone', alone, corpus.count, size, expect)
    return [
        replace(base, name="ours", go=ours, ratio_to=base.name, target=Target(4, at_least=False)),
        replace(base, name="ours + Struct", go=ours_and_struct, ratio_to=base.name),
        replace(base, name="UTF-8 alone", go=utf8, expect=encoded, ratio_to=base.name),
        base,
    ]


WORK: list[Work] = [
    sse_row("per event", 0, openai=Target(3), httpx_sse=Target(1.5)),
    sse_row("64 KiB", 65536, openai=Target(3), httpx_sse=Target(1.5)),
    sse_row("4 KiB", 4096, openai=Target(3), httpx_sse=Target(1.5)),
    sse_row("16 B", 16, openai=Target(1.5, aim=2.5), httpx_sse=Target(1.1, aim=1.7)),
    chunked_row("per chunk", 0, Target(6, aim=10)),
    chunked_row("64 KiB", 65536, Target(6, aim=10)),
    chunked_row("4 KiB", 4096, Target(6, aim=10)),
    chunked_row("64 B", 64, Target(8, aim=10)),
    linear_row("1 data line, 64 B", 64, 8_000_000, "bytes", sse_ours, one_line),
    linear_row("1 event, 64 B", 64, 100_000, "lines", sse_ours, many_lines),
    linear_row("CR line ends, whole", 0, FULL, "events", sse_ours, cr_events),
    linear_row("CR line ends, 64 B", 64, FULL, "events", sse_ours, cr_events),
    linear_row("1 chunk, 64 B", 64, 8_000_000, "bytes", chunked_ours, one_chunk),
    linear_row("1-byte chunks, whole", 0, 100_000, "chunks", chunked_ours, one_byte_chunks),
    linear_row("1-byte chunks, 1 B", 1, 100_000, "chunks", chunked_ours, one_byte_chunks),
    Work("Encode one event into one chunk", "SSE + chunk", "event", encode_build),
]


IDLE = "Memory, idle keep-alive connection"


def names(only: str = "") -> list[str]:
    """Return the full names of the rows, if they contain `only`."""
    every = [*(f"{work.group}, {work.name}" for work in WORK), IDLE]
    return [name for name in every if only.lower() in name.lower()]


def measure(events: int, rounds: int, only: str, step: Callable[[str], object]) -> table.Report:
    """Run every row whose name contains `only`. Call `step` once before and after each round.

    Raises:
        DifferentWork: A contestant's output is not the expected one.
    """
    peers, missing = load_peers()
    wanted = names(only)
    corpus = Corpus(events)
    rows: list[Row] = []
    for work in WORK:
        name = f"{work.group}, {work.name}"
        if name in wanted:
            step(name)
            row = Row(work.group, work.name, work.unit)
            contestants = work.build(corpus, peers)
            row.facts = table.check(contestants)
            row.timings = table.race(contestants, rounds, partial(step, name))
            row.timings += [table.Timing(p, absent=missing[p]) for p in work.peers if p in missing]
            rows.append(row)
    if IDLE in wanted:
        step(IDLE)
        group, _, name = IDLE.partition(", ")
        rows.append(Row(group, name, note=idle.measure(min(events, idle.CONNECTIONS))))
    versions = {name: metadata.version(name) for name in [*peers, "msgspec"]}
    settings: dict[str, int | str] = {"events": events, "rounds": rounds, "clock": table.CLOCK}
    return table.Report(rows, versions, settings)
