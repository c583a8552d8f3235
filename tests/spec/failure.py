r"""What is wrong with a server, in five parts that its author can act on.

    FAIL  chunked.size-is-bytes   A chunk-size is not the number of bytes of its data.
      sent    printf 'GET /stream HTTP/1.1\r\nHost: localhost:9000\r\n\r\n' | nc localhost 9000
      came    503 ms  8␍␊data: 你好␊␊␍␊
                                  ^
      rule    MUST, RFC 9112 §7.1: The chunk-size field is a string of hex digits indicating …
      cause   The size was counted in characters. Count the encoded bytes.
      lesson  workshop/03_http_chunked/README.md

The rules this file keeps:

1. The bytes are those of the wire. What is not printable is escaped as printf escapes it, so that
   they can be pasted.
2. No key is shown: `$KEY` stands for it.
"""

from collections.abc import Sequence

import msgspec

from .answer import Answer
from .case import LESSONS, Case, Failed
from .target import Target

__all__ = ["Failure", "explain", "paste"]

MAX_LINES = 10
WIDTH = 88  # characters of one line of bytes
MAX_SENT = 4_000  # characters of the printf line


class Failure(msgspec.Struct, frozen=True):
    """The five parts, and the sentence above them.

    Args:
        say: What is wrong, in one sentence.
        sent: A line for a shell that sends the same bytes.
        came: What came: lines of text.
        rule: Level, section and sentence of the rule.
        cause: The likely cause, and what to change; "" if it is not known.
        lesson: The page that explains it.
    """

    say: str
    sent: str
    came: list[str]
    rule: str
    cause: str
    lesson: str


def explain(case: Case, failed: Failed, target: Target) -> Failure:
    """Put together the five parts of a failure."""
    answer = failed.answer
    cause = failed.cause or case.cause
    cause += _verdict(answer, failed.at) if answer is not None else ""
    came = [failed.came] if failed.came else []
    if answer is not None:
        came += shown(answer, failed.at, target.secrets)
    return Failure(
        say=failed.say,
        sent=paste(
            answer.sent if answer else target.request(),
            target,
            half_closed=answer is not None and answer.half_closed,
        ),
        came=came or ["nothing"],
        rule=f"{case.level}, {case.section}: {case.rule}",
        cause=cause.strip(),
        lesson=LESSONS[case.lesson],
    )


def _verdict(answer: Answer, at: int | None) -> str:
    """What x-ray says of the body, if this failure is about it: not about a field of the head, and
    not about what our FIN did."""
    in_head = at is not None and at < len(answer.raw_head)
    if answer.status != 200 or answer.half_closed or in_head:
        return ""
    verdict = answer.verdict
    if verdict is None or verdict.code == "not-a-stream":
        return ""
    return f" x-ray says {verdict.code}: {verdict.say} {verdict.cure}"


# ---- What was sent


def paste(sent: bytes, target: Target, *, half_closed: bool = False) -> str:
    """Return a line for a shell that sends these bytes to the server.

    Args:
        half_closed: Whether a FIN follows the bytes.
    """
    text = hide(escape(sent, quote="'"), target.secrets, "'\"$KEY\"'")
    if len(text) > MAX_SENT:
        text = text[:MAX_SENT] + "…"
    host, port = target.parts.host, target.parts.port
    if target.parts.scheme == "https":
        return f"printf '{text}' | openssl s_client -quiet -connect {host}:{port}"
    return f"printf '{text}' | nc {'-N ' if half_closed else ''}{host} {port}"


def hide(text: str, secrets: Sequence[str], mask: str = "$KEY") -> str:
    for secret in secrets:
        text = text.replace(secret, mask)
    return text


ESCAPES = {0x0D: r"\r", 0x0A: r"\n", 0x09: r"\t", 0x5C: r"\\", 0x25: "%%", 0x27: r"\047"}


def escape(data: bytes, *, quote: str = "") -> str:
    """Escape bytes as printf's format reads them. Without a quote, `%` and `'` stay."""
    found = []
    for character in data.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if code in ESCAPES and (quote or code not in (0x25, 0x27)):
            found.append(ESCAPES[code])
        elif 0xDC80 <= code <= 0xDCFF:  # not UTF-8
            found.append(f"\\{code - 0xDC00:03o}")
        elif character.isprintable():
            found.append(character)
        else:
            found += [f"\\{byte:03o}" for byte in character.encode()]
    return "".join(found)


# ---- What came


def shown(answer: Answer, at: int | None = None, secrets: Sequence[str] = ()) -> list[str]:
    """Show the reads of a response, with their times; with a caret under one byte, if given."""
    rows: list[tuple[int, str, bytes, str]] = []  # offset, time, bytes, end
    offset = 0
    for read in answer.reads:
        label = f"{read.at:8.1f} ms  "
        if read.end:
            words = {"silent": "(nothing more came)", "fin": "(closed)", "reset": "(reset)"}
            rows.append((offset, label, b"", words.get(read.end, f"({read.end})")))
        for line in cut(read.bytes):
            rows.append((offset, label, line, ""))
            offset += len(line)
            label = " " * len(label)
    if at is not None:
        place = max((i for i, row in enumerate(rows) if row[0] <= at and row[2]), default=0)
        first = max(0, min(place - MAX_LINES // 2, len(rows) - MAX_LINES - 1))
        chosen = range(first, min(len(rows), first + MAX_LINES + 1))
    else:
        half = MAX_LINES // 2
        whole = len(rows) <= MAX_LINES
        chosen = range(len(rows)) if whole else [*range(half), *range(len(rows) - half, len(rows))]  # type: ignore[assignment]
    lines, before = [], -1
    for index in chosen:
        if index != before + 1:
            lines.append(f"{'…':>8}")
        before = index
        start, label, data, end = rows[index]
        lines.append(label + (end or hide(escape(data), secrets)))
        if at is not None and data and start <= at < start + len(data) + (index == len(rows) - 1):
            lines.append(" " * (len(label) + len(escape(data[: at - start]))) + "^")
    if before != len(rows) - 1:
        lines.append(f"{'…':>8}")
    return lines or ["         (nothing came)"]


def cut(data: bytes) -> list[bytes]:
    """Cut bytes into lines: after each LF, and where a line would be too long."""
    lines = []
    for line in data.splitlines(keepends=True):
        lines += [line[i : i + WIDTH] for i in range(0, len(line), WIDTH)]
    return lines
