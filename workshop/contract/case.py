"""One case of the contract tests: what a server sends to a client, and what the client must see.

    Case("retry.digits-only",
         "If the field value consists of only ASCII digits … Otherwise, ignore the field.",
         answers=(stream(b"retry: 5x\\ndata: a\\n\\n", then="close"), stream(b"data: b\\n\\n")),
         sees=(event("a"), event("b")))

A case is data: for each connection an `Answer`, and what the client has to tell in the end.
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
    """How the server answers one connection.

    Args:
        pieces: The bytes of each write of the body.
        then: What follows the last piece: the body ends properly, the connection breaks inside the
            body, or it stays open.
        status: The status code.
        headers: Headers besides those of the server. "{stream}" stands for the stream's own path.
        pause: Seconds between two writes, so that the client needs a read for each.
        silence: Seconds before the head.
    """

    pieces: tuple[bytes, ...] = ()
    then: Literal["close", "cut", "stay"] = "stay"
    status: int = 200
    headers: Headers = STREAM
    pause: float = 0.0
    silence: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """What a request must look like.

    Args:
        has: Headers (lower case) that must be there once, with these values.
        lacks: Headers that must not be there.
        method: The method, or "" for any.
        body: The body.
        wait: Least and most seconds since the answer before it ended, or None for any.
    """

    has: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    method: str = "GET"
    body: bytes = b""
    wait: tuple[float, float] | None = None


@dataclass(frozen=True)
class Case:
    """One case.

    Args:
        slug: Its name.
        rule: The rule, in the words of the standard where they are short.
        answers: The answers to the first connections. After them comes a 204.
        sees: What the client must tell, in order. Errors and comments count only if one is listed.
        requests: What the requests must look like, from the first on.
        needs: The capability that the client must have, or "".
        options: Further fields of the request that makes the client.
        restart_after: Restart the client when it has told so many things; 0: never.
        quiet: Seconds at the end in which nothing more may come, neither a request nor an event.
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
    """An event, as a client tells it."""
    return ("event", type, data, id)


def comment(text: str) -> Sight:
    """A comment: the text after the colon."""
    return ("comment", text)


ERROR: Sight = ("error",)


def stream(
    *pieces: bytes, then: Literal["close", "cut", "stay"] = "stay", pause: float = 0.0
) -> Answer:
    """An event stream that is sent in these writes."""
    return Answer(pieces, then, pause=pause)


def redirect(status: int, location: str | None) -> Answer:
    fields = () if location is None else (("Location", location),)
    return Answer((), "close", status, fields)


def cut(data: bytes, size: int) -> tuple[bytes, ...]:
    """The bytes in pieces of this size; 0: in one piece."""
    step = size or len(data)
    return tuple(data[at : at + step] for at in range(0, len(data), step))


# What this file does not do: run a case (harness.py).
