"""Clients that each do one thing wrong: they override a method of the careful client, or a number.

@bad("429*1", "retry-after-ignored")        the fault that shows it, and its one finding
"""

import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from .careful import Careful

__all__ = ["BAD"]

BAD: dict[type[Careful], tuple[str, str]] = {}
"""Each bad client, its fault, and the one finding that it must get."""


def bad(fault: str, code: str) -> Any:
    def register(client: type[Careful]) -> type[Careful]:
        BAD[client] = fault, code
        return client

    return register


# ---- Attempts


@bad("429*1", "retry-after-ignored")
class IgnoresRetryAfter(Careful):
    def wait_as_told(self, seconds: float) -> float:
        return 0.2


@bad("401*1", "retried-non-retryable")
class RetriesEverything(Careful):
    def is_retryable(self, status: int) -> bool:
        return True


@bad("500", "retry-storm")
class NeverGivesUp(Careful):
    attempts = 12

    def backoff(self, attempt: int) -> float:
        return 0.03 * 1.35**attempt


@bad("500", "no-backoff")
class RetriesAtOnce(Careful):
    attempts = 4

    def backoff(self, attempt: int) -> float:
        return 0


@bad("502", "no-backoff")
class RetriesAtAConstantPace(Careful):
    attempts = 5

    def backoff(self, attempt: int) -> float:
        return 0.5


@bad("503*1", "gave-up-on-retryable")
class NeverRetries(Careful):
    attempts = 1


@bad("no-head*1", "gave-up-on-retryable")
class NeverRetriesAClosedConnection(Careful):
    attempts = 1


@bad("rst@5*1", "resent-after-first-token")
class RetriesInTheMiddle(Careful):
    def failed(self, error: Exception) -> bool:
        time.sleep(0.1)
        self.connection = self.connect()
        return False


# ---- Time


@bad("stall@4", "no-read-timeout")
class WaitsForEver(Careful):
    read_timeout = None


@bad("hang", "no-read-timeout")
class WaitsForEverForAHead(Careful):
    read_timeout = None
    attempts = 1


@bad("stall-heartbeat", "no-read-timeout")
class IsKeptAliveByHeartbeats(Careful):
    read_timeout = 1.6
    token_timeout = 3600


@bad("open-after-finish", "no-read-timeout")
class WaitsForEverForDone(Careful):
    read_timeout = None


@bad("giant-line", "too-slow-a-reader")
class ReadsSlowly(Careful):
    read_timeout = 10
    token_timeout = 60

    def connect(self) -> HTTPConnection:
        connection = super().connect()
        connection.connect()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        return connection

    def reads(self, response: HTTPResponse) -> Iterator[bytes]:
        while read := response.read1(262144):
            time.sleep(0.1 if len(read) > 30_000 else 0)
            yield read


# ---- What an event means


@bad("clean-cut", "took-half-for-whole")
class TakesHalfForWhole(Careful):
    """A clean end is not an answer's end."""

    def end(self, response: HTTPResponse) -> None:
        if not self.done:
            self.tell(outcome="complete", text=self.text)


@bad("rst@5", "took-half-for-whole")
class CatchesEverything(Careful):
    def failed(self, error: Exception) -> bool:
        self.tell(outcome="complete", text=self.text)
        return True


@bad("error-open", "ignored-error-event")
class IgnoresErrors(Careful):
    read_timeout = 0.7
    token_timeout = 3

    def take(self, data: str) -> bool:
        return "error" not in data and super().take(data)


@bad("error-nested", "ignored-error-event")
class CallsAnErrorComplete(Careful):
    def failed(self, error: Exception) -> bool:
        self.tell(outcome="complete", text=self.text)
        return True


@bad("broken-json", "ignored-malformed")
class SkipsWhatItCannotRead(Careful):
    read_timeout = 2
    token_timeout = 3

    def take(self, data: str) -> bool:
        try:
            return super().take(data)
        except ValueError:
            return True


@bad("bad-chunk-size", "ignored-malformed")
class CallsBrokenChunksComplete(Careful):
    def failed(self, error: Exception) -> bool:
        self.tell(outcome="complete", text=self.text)
        return True


@bad("split-utf8-segments", "parses-per-read")
class ParsesEachRead(Careful):
    """One read is an event, until it is not."""

    def events(self, response: HTTPResponse) -> Iterator[str]:
        self.deadline = time.monotonic() + self.token_timeout
        for read in self.reads(response):
            for event in read.decode().removesuffix("\n\n").split("\n\n"):
                yield event[len("data: ") :]


@bad("split-utf8-chunks", "parses-per-read")
class DecodesEachRead(Careful):
    """Half a character at the end of a read becomes U+FFFD, or nothing."""

    def reads(self, response: HTTPResponse) -> Iterator[bytes]:
        while read := response.read1(65536):
            yield read.decode(errors="ignore").encode()

    def finish(self) -> None:
        self.tell(outcome="complete", text=self.text)


@bad("comments", "breaks-on-comment")
class ParsesComments(Careful):
    def data_of(self, line: str) -> str | None:
        return line.partition(": ")[2] if line else None


@bad("keepalive-event", "breaks-on-unknown-event")
class KnowsAllEvents(Careful):
    def choices(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        choices: list[dict[str, Any]] = chunk["choices"]
        return choices


@bad("open-after-done", "reads-on-after-done")
class ReadsToTheEnd(Careful):
    read_timeout = 0.7

    def read_stream(self, response: HTTPResponse) -> None:
        self.finished = self.done = False
        for data in self.events(response):
            if data != "[DONE]":
                self.take(data)
        self.end(response)


@bad("", "buffers-whole-answer")
class ShowsItAtTheEnd(Careful):
    def finish(self) -> None:
        self.tell(shown=self.text)


# ---- Connections


@bad("hang*1", "leaks-connection")
class ForgetsItsConnection(Careful):
    def __init__(self, port: int, name: str) -> None:
        self.leaked: list[HTTPConnection] = []
        super().__init__(port, name)

    def give_up(self) -> None:
        self.leaked.append(self.connection)

    def run(self, fault: str) -> None:
        super().run(fault)
        for connection in self.leaked:
            connection.close()


@bad("stall@4", "leaks-connection")
class CancelsWithoutClosing(Careful):
    """Its user has pressed Stop."""

    def give_up(self) -> None:
        self.tell(outcome="cancelled")
        time.sleep(0.6)
        self.connection.close()


@bad("", "one-connection-per-request")
class ConnectsForEachRequest(Careful):
    read_timeout = 10

    def run(self, fault: str) -> None:
        for number in range(5):
            self.ask(f"question {number}", stream=False)
            self.connection.close()
