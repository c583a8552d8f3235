r"""What a server does with bytes that it should refuse, or with several requests in one write.

    POST /no-such-path HTTP/1.1\r\n            what is tried
    Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n
    GET /no-such-path HTTP/1.1\r\n …           a follow-up: it shows where the server believes
                                               that the first request ends
    400, then closed                           refused
    404, 404                                   both were taken for requests

A path that does not exist is asked for, so that an answer costs nothing. Its usual status, such as
404, tells that a request was accepted.
"""

from typing import NamedTuple

from .answer import Answer
from .result import Failed, Skipped
from .target import Target

__all__ = ["PLAIN", "REFUSALS", "Reaction", "plain_request", "plain_status", "react"]

PLAIN = "/spec-no-such-path"
REFUSALS = frozenset([400, 408, 411, 413, 414, 417, 421, 426, 431, 501, 505])
SECONDS = 4.0  # longest wait for an answer
MAX_ANSWERS = 4


class Reaction(NamedTuple):
    """The answers to some bytes, and how the connection ended.

    Args:
        answers: The responses, in order.
        end: "fin", "reset", or "" if the connection stayed open.
    """

    answers: list[Answer]
    end: str

    @property
    def first(self) -> Answer:
        """The first response; an empty one if none came."""
        return self.answers[0]

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers if answer.head]

    @property
    def words(self) -> str:
        """In words: "404, 404, then closed"."""
        ends = {"fin": "then closed", "reset": "then reset", "": "then open"}
        return ", ".join([*(map(str, self.statuses) or ["nothing"]), ends.get(self.end, self.end)])

    @property
    def is_refused(self) -> bool:
        """Whether the bytes were refused: with an error, or by closing the connection."""
        if not self.statuses:
            return self.end != ""
        return self.statuses[0] in REFUSALS

    def must_refuse(self, accepted: int, what: str, cause: str = "") -> None:
        """Require that the bytes were refused.

        Args:
            accepted: The status of a request that is not refused.
            what: What was wrong with the bytes, as the end of a sentence.
            cause: The likely cause, if it is not the case's.

        Raises:
            Failed: They were accepted.
            Skipped: It cannot be told.
        """
        if self.is_refused:
            return
        if not self.statuses:
            raise Skipped(f"no answer in {SECONDS:g} s, and the connection stays open")
        if self.statuses[0] == accepted or self.statuses[0] < 400:
            raise Failed(f"The server accepted {what}.", self.first, came=self.words, cause=cause)
        raise Skipped(f"status {self.statuses[0]} does not tell whether the bytes were refused")

    def must_close(self, what: str) -> None:
        """Require that at most one response came, and that the connection was closed then."""
        if len(self.statuses) > 1:
            raise Failed(
                f"After {what} the server went on and answered the bytes that followed.",
                self.first,
                came=self.words,
            )
        if not self.end and self.statuses:
            raise Failed(
                f"After {what} the server kept the connection open.", self.first, came=self.words
            )


def plain_request(target: Target, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a request for a path that does not exist, with these header lines.

    Args:
        lines: Header lines after Host.
        method: The method.
        body: Bytes after the head, as they are.
    """
    host = f"Host: {target.parts.authority}"
    return "\r\n".join([f"{method} {PLAIN} HTTP/1.1", host, *lines, "", ""]).encode() + body


async def plain_status(target: Target) -> int:
    """The status of a plain request, with which the server shows that it accepts a request.

    Raises:
        Skipped: It looks like a refusal, so the two cannot be told apart.
    """
    answer = await target.once("plain", plain_request(target, "Connection: close"))
    if not answer.status or answer.status in REFUSALS:
        raise Skipped(f"a request for {PLAIN} is answered with {answer.status or 'nothing'}")
    return answer.status


async def react(
    target: Target,
    data: bytes,
    *,
    follow: bool = True,
    seconds: float = SECONDS,
    whole: bool = True,
) -> Reaction:
    """Send bytes on a connection of their own, and read all responses.

    Args:
        target: The server.
        data: The bytes.
        follow: Whether a proper request follows in the same write.
        seconds: Longest wait for the next byte.
        whole: False if a success has no end, so that its first piece is enough.
    """
    after = plain_request(target, "Connection: close") if follow else b""
    answers: list[Answer] = []
    async with target.wire() as wire:
        await wire.send(data + after)
        while len(answers) < MAX_ANSWERS:
            answer = Answer(data + after, data.partition(b" ")[0].decode("latin-1"))
            await wire.read(
                answer,
                seconds=seconds if not answers else seconds / 2,
                pieces=None if whole else 1,
            )
            if answer.raw or not answers:
                answers.append(answer)
            if not answer.complete:
                break
        end = await wire.ends(seconds=seconds / 2)
    return Reaction(answers, end)


# What this file does not do: know which bytes are wrong (cases/head.py, cases/chunked.py).
