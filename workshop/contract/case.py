"""One case of the contract tests: the bytes that a server sends to a client, and the reports that
the client must make.

    Case("retry.digits-only",
         "If the field value consists of only ASCII digits … Otherwise, ignore the field.",
         answers=(stream(b"retry: 5x\\ndata: a\\n\\n", then="close"), stream(b"data: b\\n\\n")),
         sees=(event("a"), event("b")))

A case is data: an `Answer` for each connection, and everything that the client must report.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "ERROR",
    "Answer",
    "Case",
    "Sight",
    "Wanted",
    "comment",
    "cut",
    "event",
    "redirect",
    "stream",
]

Headers = tuple[tuple[str, str], ...]
Sight = tuple[str, ...]  # ("event", type, data, id), ("comment", text) or ("error",)

STREAM: Headers = (("Content-Type", "text/event-stream"),)


@dataclass(frozen=True)
class Answer:
    """The server's answer to one connection.

    Args:
        pieces: The bytes of each write of the body.
        then: The action after the last write: the body ends properly ("close"), the connection
            breaks inside the body ("cut"), or the connection stays open ("stay").
        status: The status code.
        headers: Headers in addition to the usual ones of the server. "{stream}" stands for the
            stream's own path.
        pause: Seconds between two writes, so that each arrives in a separate read.
        silence: Seconds of silence before the head.
        reports: Number of reports of the client for which a cut waits, at most a second. A cut may
            discard what a client has received and not read.
    """

    pieces: tuple[bytes, ...] = ()
    then: Literal["close", "cut", "stay"] = "stay"
    status: int = 200
    headers: Headers = STREAM
    pause: float = 0.0
    silence: float = 0.0
    reports: int = 0


@dataclass(frozen=True)
class Wanted:
    """The requirements for one request.

    Args:
        has: Headers (in lower case) that the request must have once, with these values.
        lacks: Headers that the request must not have.
        method: The required method, or "" for any.
        body: The required body.
        wait: Smallest and largest number of seconds between the end of the previous answer and this
            request, or None for any.
    """

    has: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    method: str = "GET"
    body: bytes = b""
    wait: tuple[float, float] | None = None


@dataclass(frozen=True)
class Case:
    """One case of the contract tests.

    Args:
        slug: The name of the case.
        rule: The rule. If the words of the standard are short, they are quoted.
        answers: The answers to the first connections. Any later request gets a 204.
        sees: What the client must report, in order. Errors are compared only if at least one error
            is listed, and comments only if at least one comment is.
        requests: The requirements for the requests, beginning with the first.
        needs: The capability that the client must have, or "".
        options: More fields for the request that creates the client.
        restart_after: Number of reports after which the client is restarted, or 0 for never.
        quiet: Seconds after the last report in which no further request or event may arrive.
    """

    slug: str
    rule: str
    answers: tuple[Answer, ...]
    sees: tuple[Sight, ...] = ()
    requests: tuple[Wanted, ...] = ()
    needs: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    restart_after: int = 0
    quiet: float = 0.0


def event(data: str, type: str = "message", id: str = "") -> Sight:
    """Return an event, as a client reports it."""
    return ("event", type, data, id)


def comment(text: str) -> Sight:
    """Return a comment, as a client reports it: the text after the colon."""
    return ("comment", text)


ERROR: Sight = ("error",)


def stream(
    *pieces: bytes, then: Literal["close", "cut", "stay"] = "stay", pause: float = 0.0
) -> Answer:
    """Return an answer with an event stream that is sent in these writes."""
    return Answer(pieces, then, pause=pause)


def redirect(status: int, location: str | None) -> Answer:
    fields = () if location is None else (("Location", location),)
    return Answer((), "close", status, fields)


def cut(data: bytes, size: int) -> tuple[bytes, ...]:
    """Return the bytes in pieces of this size, or in one piece if the size is 0."""
    step = size or len(data)
    return tuple(data[at : at + step] for at in range(0, len(data), step))


# What this file does not do: run a case (harness.py).
