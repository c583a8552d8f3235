"""The report of x-ray on one response: the object that `--json` prints and that screens show.

{"url":"http://localhost:8000/chat/hello","status":200,
 "verdicts":[{"code":"buffered-blocks","sure":0.95,"say":"…","cure":"…","hop":"nginx","facts":{"block":4096}}],
 "counts":{"reads":3,"chunks":3,"events":33,"tokens":30},
 "ttft_ms":1910.2,"head_ms":1910.1,"gaps_ms":{"p50":0.1,"p95":1600.0,"p99":1600.0,"max":1600.0},
 "wire_bytes":7911,"text_bytes":210,"end":"fin","end_ms":3511.9}
"""

import json

import msgspec

__all__ = ["Counts", "Gaps", "Report", "Verdict", "json_line"]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One finding about a stream, good or bad.

    Args:
        code: Name of the verdict in the table of `workshop/xray/judge/verdicts.py`.
        sure: The certainty of the verdict, from 0 to 1. A verdict over 0.5 must be right.
        say: One simple sentence about the problem.
        cure: What to do about the problem, or "".
        hop: Name of the hop that is the cause, if several paths were compared, or None.
        facts: The measured values, such as {"block": 4096}.
    """

    code: str
    sure: float
    say: str
    cure: str = ""
    hop: str | None = None
    facts: dict[str, float | int | str] = {}


class Counts(msgspec.Struct, frozen=True):
    """The number of reads, chunks, events and tokens of a response."""

    reads: int
    chunks: int
    events: int
    tokens: int


class Gaps(msgspec.Struct, frozen=True):
    """Milliseconds between reads that brought text: percentiles, and the longest."""

    p50: float
    p95: float
    p99: float
    max: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of x-ray about one response.

    Args:
        url: The URL that was asked for, without a name and password; "" if unknown.
        status: Status code, or 0 if no complete head arrived.
        verdicts: The problems, most harmful first. A live stream has the one verdict `live`.
        counts: Number of reads, chunks, events and tokens.
        ttft_ms: Time to the first token, or to the first byte of a body without tokens, in
            milliseconds since the request was sent, or None if nothing arrived.
        head_ms: Time to the end of the response's head, or None if it did not arrive.
        gaps_ms: Gaps between reads of the body, or None if there are fewer than two reads.
        wire_bytes: Size of the response in bytes, including its head and framing.
        text_bytes: Size of the model's text in bytes.
        end: How the server's side ended, as in a recording: "fin", "reset", "truncated" or
            "silent". "stopped" means that x-ray stopped reading, because of `--max-time` or Ctrl-C.
            "" means that the connection stays open.
        end_ms: Time of that end, in milliseconds since the request was sent, or None.
        quiet_ms: Milliseconds of silence before the end of the body or of the connection.
    """

    url: str
    status: int
    verdicts: list[Verdict]
    counts: Counts
    ttft_ms: float | None
    head_ms: float | None
    gaps_ms: Gaps | None
    wire_bytes: int
    text_bytes: int
    end: str = ""
    end_ms: float | None = None
    quiet_ms: float = 0.0


def json_line(found: msgspec.Struct) -> str:
    """Encode as one line of JSON that a terminal can show.

    The words of a server may hold characters that JSON leaves as they are, but that control a
    terminal: U+009B begins a control sequence as ESC [ does, and U+202E turns the text around.
    They are escaped: `\\u009b`.
    """
    text = msgspec.json.encode(found).decode()
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text) + "\n"
