"""Recordings for the table of verdicts, with and without faults.

ROWS["coalesced"]      its reads, how the connection ended, and the codes of its verdicts
"""

from protocol.chunked import encode_chunk

from .healthy import HEAD
from .making import (
    BODY,
    DONE,
    END,
    GZIP_HEAD,
    JSON,
    LAST,
    MESSAGES,
    PACE,
    STREAM,
    TOKENS,
    WHOLE,
    Reads,
    blocks,
    coalesced_reads,
    data,
    finish,
    gzip_flushed,
    gzip_lumps,
    gzip_reads,
    heartbeats,
    in_two_writes,
    lagging,
    late_ends,
    lumps,
    paced,
    plain_head,
    response,
    stalled,
    text,
    tls_blocks,
)

Row = tuple[Reads, str, list[str]]
RESPONSES = [
    response(0, "created"),
    response(1, "in_progress"),
    *(response(n, "output_text.delta", delta=f"w{n} ") for n in range(2, 30)),
    response(30, "completed"),
]
ROWS: dict[str, Row] = {
    "not-a-stream": ([(0, plain_head(JSON, "Content-Length: 2") + b"{}")], "", ["not-a-stream"]),
    "an error status": (
        [(0, plain_head(STREAM, "Content-Length: 0", status="429 Too Many"))],
        "",
        ["not-a-stream"],
    ),
    "framing-error": ([*paced(TOKENS[:5], end=b"xyz\r\n")], "", ["framing-error"]),
    "a large Content-Length": (
        [(0, plain_head(STREAM, f"Content-Length: 1{'0' * 18}"))],
        "",
        ["unsure", "framing-error"],
    ),
    "a switch of protocols": (
        [(0, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), (9, b"\x81")],
        "fin",
        ["not-a-stream"],
    ),
    "after the end": ([*paced(WHOLE), (3000, b"data: x\n\n")], "", ["framing-error"]),
    "cut-application": (
        paced([*TOKENS[:9], data({"error": {"message": "overloaded"}})], end=b""),
        "fin",
        ["cut-application"],
    ),
    "a lost data:": (
        paced([*TOKENS, finish()[6:], data({"choices": [], "usage": {}}), DONE]),
        "",
        ["rewritten"],
    ),
    "a lost event": (paced(RESPONSES[:9] + RESPONSES[10:]), "", ["rewritten"]),
    "a lost event line": (
        paced([event.partition(b"\n")[2] for event in RESPONSES]),
        "",
        ["rewritten"],
    ),
    "a lost event: done": (
        paced(
            [
                *(b'id: 0-%d\ndata: {"text":"w%d "}\n\n' % (n, n) for n in range(1, 20)),
                b'id: 0-end\ndata: {"finish_reason":"stop"}\n\n',
            ]
        ),
        "",
        ["rewritten"],
    ),
    "/chat/{text}": (
        paced(
            [
                b'event: thinking\nid: 0-1\nretry: 1000\ndata: {"text":"The"}\n\n',
                *(b'id: 0-%d\ndata: {"text":"w%d "}\n\n' % (n, n) for n in range(2, 20)),
                b'event: done\nid: 0-end\ndata: {"finish_reason":"stop"}\n\n',
            ]
        ),
        "",
        ["live"],
    ),
    "/chat/{text}, cut": (
        paced([b'event: thinking\nid: 0-1\ndata: {"text":"The"}\n\n']),
        "",
        ["cut-clean"],
    ),
    "the role again": (
        paced([text("", role="assistant"), *TOKENS[:5], text("", role="assistant"), *WHOLE]),
        "",
        ["retried"],
    ),
    "an id again": (
        paced([b"id: %d\ndata: {}\n\n" % number for number in (1, 2, 3, 1, 2, 3, 4)]),
        "",
        ["retried"],
    ),
    "created again": (paced(RESPONSES[:5] + RESPONSES), "", ["retried"]),
    "an event twice": (paced(RESPONSES[:5] + RESPONSES[4:]), "", ["retried"]),
    "a bare error": (
        paced([*TOKENS[:5], b'{"error":{"message":"x"}}\n\n']),
        "",
        ["bad-events", "cut-clean"],
    ),
    "broken JSON": (paced([*TOKENS, b'data: {"a":\n\n', LAST]), "", ["bad-events"]),
    "data that is not JSON": (paced([*TOKENS, b"data: ok\n\n", LAST]), "", ["bad-events"]),
    "a field that nobody knows": (paced([*TOKENS, b"x-trace: 1\n\n", LAST]), "", ["live"]),
    "a stray text": (
        paced([*TOKENS[:5], b"Error occurred while trying to proxy: h\n\n"]),
        "",
        ["bad-events", "cut-clean"],
    ),
    "a BOM": (paced([b"\xef\xbb\xbf" + TOKENS[0], *TOKENS[1:], LAST]), "", ["bad-events"]),
    "CR": (paced([event.replace(b"\n", b"\r") for event in WHOLE]), "", ["bad-events"]),
    "id and comment": (
        paced([b"id: 1\n" + TOKENS[0], b": ping\n\n", *TOKENS[1:], LAST]),
        "",
        ["bad-events"],
    ),
    "empty data": (paced([*TOKENS, b"data:\n\n", LAST]), "", ["bad-events"]),
    "retry alone": (paced([b"retry: 9\n\n", *WHOLE]), "", ["bad-events"]),
    "cut-clean": (paced(TOKENS[:9]), "", ["cut-clean"]),
    "without [DONE]": (paced([*TOKENS, finish()]), "", ["unsure", "cut-clean"]),
    "empty": ([(3.0, HEAD + END)], "", ["cut-clean"]),
    "cut-transport": (paced(TOKENS[:9], end=b""), "fin", ["cut-transport"]),
    "reset": (paced(TOKENS[:9], end=b"5\r\nda"), "reset", ["cut-transport"]),
    "after [DONE]": (paced(WHOLE, end=b""), "truncated", ["cut-transport"]),
    "no head": ([(5.0, b"HTTP/1.1 2")], "fin", ["cut-transport"]),
    "only a head": ([(5.0, HEAD)], "fin", ["cut-transport"]),
    "measured": (
        [(3500, plain_head(STREAM, f"Content-Length: {len(BODY)}") + BODY)],
        "",
        ["measured", "buffered-whole", "head-held"],
    ),
    "an ETag": (paced(WHOLE, head=HEAD[:-2] + b'ETag: "1"\r\n\r\n'), "", ["measured"]),
    "compressed-unflushed": (list(gzip_reads(flush=False)), "", ["compressed-unflushed"]),
    "compressed in lumps": (list(gzip_lumps(flush=False)), "", ["compressed-unflushed"]),
    "compressed, flushed in lumps": (list(gzip_lumps(flush=True)), "", ["unsure", "coalesced"]),
    "whole, then compressed and flushed": (
        [(0.0, GZIP_HEAD), (3500.0, encode_chunk(gzip_flushed(BODY)) + END)],
        "",
        ["buffered-whole"],
    ),
    "a large answer at once": (
        [(0.0, HEAD), (250.0, b"".join(map(encode_chunk, blocks(BODY, 500))) + END)],
        "",
        ["live"],
    ),
    "one byte at a time": (
        [
            *paced(TOKENS[:3], end=b""),
            *(
                (5000.0 + 1000 * n, encode_chunk(TOKENS[3][n : n + 1]))
                for n in range(len(TOKENS[3]))
            ),
        ],
        "",
        ["unsure", "buffered-blocks"],
    ),
    "blocks, a length": (
        [
            (0.0, plain_head(STREAM, f"Content-Length: {len(BODY)}")),
            *((1000.0 + 500 * n, piece) for n, piece in enumerate(blocks(BODY, 512))),
        ],
        "",
        ["measured", "buffered-blocks"],
    ),
    "apart, and not by one gap": (
        [
            (0.0, HEAD),
            (500.0, encode_chunk(text("", role="assistant"))),
            *paced([*TOKENS[:-1], TOKENS[-1] + LAST], start=900)[1:],
        ],
        "",
        ["unsure", "one-behind"],
    ),
    "buffered-whole": ([(0, HEAD), (3500, encode_chunk(BODY) + END)], "", ["buffered-whole"]),
    "whole, in many chunks": (
        [(3500, HEAD + b"".join(map(encode_chunk, WHOLE)) + END)],
        "",
        ["buffered-whole", "head-held"],
    ),
    "buffered-blocks": (paced(blocks(BODY, 500), start=800), "", ["buffered-blocks"]),
    "blocks, the first smaller": (
        [
            (2000, HEAD + encode_chunk(BODY[:930])),
            (4000, encode_chunk(BODY[930:1930])),
            (6000, encode_chunk(BODY[1930:]) + END),
        ],
        "",
        ["buffered-blocks"],
    ),
    "blocks of TLS": (list(tls_blocks()), "", ["buffered-blocks", "head-held"]),
    "whole events, blocks of 8 KiB": (
        list(lumps([129, 128, 60], 4)),
        "",
        ["buffered-blocks"],
    ),
    "one block of 8 KiB": (list(lumps([129, 20], 4)), "", ["buffered-blocks"]),
    "one block of 8 KiB, HTTP/1.0": (
        list(lumps([129, 20], 4, head=plain_head(STREAM, version="1.0"))),
        "fin",
        ["buffered-blocks", "http10"],
    ),
    "25 events at a time, four times": (list(lumps([25] * 4, 1.25)), "", ["coalesced"]),
    "50 events at a time, twice": (list(lumps([50] * 2, 2.5)), "", ["unsure", "coalesced"]),
    "50 at a time, HTTP/1.0": (
        list(lumps([50] * 2, 2.5, head=plain_head(STREAM, version="1.0"))),
        "fin",
        ["http10", "unsure", "coalesced"],
    ),
    "steps of many tokens": (
        list(lumps([50, 41, 60], 2.5, one_write=False)),
        "",
        ["unsure", "coalesced"],
    ),
    "steps of five tokens": (
        list(lumps([5] * 8, 0.4, one_write=False)),
        "",
        ["unsure", "coalesced"],
    ),
    "pairs of events": (list(lumps([2] * 20, 0.1)), "", ["unsure", "coalesced"]),
    "coalesced": (list(coalesced_reads()), "", ["coalesced"]),
    "ends come late": (list(late_ends()), "", ["one-behind"]),
    "one-behind": (lagging(), "", ["one-behind"]),
    "burst-after-stall": (list(stalled()), "", ["burst-after-stall"]),
    "head-held": (
        [(600, HEAD + encode_chunk(TOKENS[0])), *paced(WHOLE[1:], start=650)[1:]],
        "",
        ["head-held"],
    ),
    "invalid UTF-8": (
        paced([*TOKENS, text("é").replace(b"\xc3", b""), LAST]),
        "",
        ["torn-characters"],
    ),
    "U+FFFD at a border": (
        paced([*TOKENS, text("a\ufffd"), text("\ufffdb"), LAST]),
        "",
        ["torn-characters"],
    ),
    "chunks inside characters": (
        paced([*TOKENS, text("é")[:-8], text("é")[-8:], LAST]),
        "",
        ["torn-characters"],
    ),
    "nagle": (list(in_two_writes()), "", ["nagle"]),
    "length-limit": (paced([*TOKENS, finish("length") + DONE]), "", ["length-limit"]),
    "http10": (
        [
            (0.0, plain_head(STREAM, version="1.0")),
            *((500 + PACE * n, e) for n, e in enumerate(WHOLE)),
        ],
        "fin",
        ["http10", "live"],
    ),
    "until-close": (
        [(0.0, plain_head(STREAM)), *((500 + PACE * n, e) for n, e in enumerate(WHOLE))],
        "fin",
        ["until-close", "live"],
    ),
    "stall-behind-heartbeats": (list(heartbeats()), "", ["stall-behind-heartbeats"]),
    # Healthy.
    "live": (paced(WHOLE), "", ["live"]),
    "Responses": (paced(RESPONSES), "", ["live"]),
    "gzip, flushed": (list(gzip_reads(flush=True)), "", ["live"]),
    "comments and blank lines": (
        paced([TOKENS[0], b": ping\n\n", *TOKENS[1:], LAST]),
        "",
        ["live"],
    ),
    "CRLF": (paced([event.replace(b"\n", b"\r\n") for event in WHOLE]), "", ["live"]),
    "a text about U+FFFD": (paced([*TOKENS, text("\ufffd"), text(" is"), LAST]), "", ["live"]),
    "a refrain": (paced([*TOKENS[:12], *TOKENS[:12], *TOKENS[:12], LAST]), "", ["live"]),
    "the role in each delta": (
        paced([*(text(f"w{n}", role="assistant") for n in range(9)), LAST]),
        "",
        ["live"],
    ),
    "three tokens at once": (
        [(0, HEAD), (900, encode_chunk(b"".join(TOKENS[:3]) + LAST) + END)],
        "",
        ["live"],
    ),
    "instant": ([(2, HEAD + b"".join(map(encode_chunk, WHOLE)) + END)], "", ["live"]),
    "other events": (paced([b"data: %d\n\n" % number for number in range(9)]), "", ["live"]),
    "Anthropic": (paced(MESSAGES), "", ["live"]),
    "Anthropic, cut": (paced(MESSAGES[:9]), "", ["cut-clean"]),
    "a second message": (
        [
            *paced([text("", role="assistant"), *TOKENS[:9], finish("tool_calls")], end=b""),
            *paced([text("", role="assistant"), *TOKENS, LAST], start=1100)[1:],
        ],
        "",
        ["live"],
    ),
    "a file": (
        [(900, plain_head("Content-Type: text/plain", "Content-Length: 900") + b"x" * 900)],
        "",
        ["live"],
    ),
    "a plain text, held": (
        [(0, plain_head("Transfer-Encoding: chunked")), (3000, encode_chunk(b"word " * 90) + END)],
        "",
        ["buffered-whole"],
    ),
    "a plain text in blocks": (
        [
            (0, plain_head("Content-Type: text/plain", "Transfer-Encoding: chunked")),
            *paced([b"word wor"] * 9 + [b"d"])[1:],
        ],
        "",
        ["buffered-blocks"],
    ),
    "a plain text": (
        [
            (0, plain_head("Content-Type: text/plain", "Transfer-Encoding: chunked")),
            *paced([b"some ", b"words ", b"of ", b"a ", b"text"])[1:],
        ],
        "",
        ["live"],
    ),
    # Not enough to judge.
    "nothing yet": ([(0, HEAD)], "", ["unsure"]),
    "an event twice, without a number": (
        paced([*TOKENS[:5], *TOKENS[4:], LAST]),
        "",
        ["unsure", "retried"],
    ),
}
