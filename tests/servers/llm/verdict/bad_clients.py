"""Clients that each do one thing wrong: they override a method of the careful client, or a number.

@bad("429*1", "retry-after-ignored")        the fault that shows it, and its one finding
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import inf
from typing import Any

import trio

from clients.http.exchange import Response
from clients.streams.memory import MemoryStream

from .careful import Careful, MemoryServer

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
    async def failed(self, error: Exception) -> bool:
        await trio.sleep(0.5)
        return False


# ---- Time


@bad("stall@4", "no-read-timeout")
class WaitsForEver(Careful):
    read_timeout = inf


@bad("hang", "no-read-timeout")
class WaitsForEverForAHead(Careful):
    read_timeout = inf
    attempts = 1


@bad("stall-heartbeat", "no-read-timeout")
class IsKeptAliveByHeartbeats(Careful):
    token_timeout = inf


@bad("open-after-finish", "no-read-timeout")
class WaitsForEverForDone(Careful):
    read_timeout = inf


@bad("giant-line", "too-slow-a-reader")
class ReadsSlowly(Careful):
    token_timeout = inf

    async def reads(self, response: Response) -> AsyncGenerator[bytes, None]:
        while read := await self.receive(response):
            await trio.sleep(1 if len(read) > 30_000 else 0)
            yield read


# ---- What an event means


@bad("clean-cut", "took-half-for-whole")
class TakesHalfForWhole(Careful):
    """A clean end is not an answer's end."""

    async def end(self, response: Response) -> None:
        if not self.done:
            await self.tell(outcome="complete", text=self.text)


@bad("rst@5", "took-half-for-whole")
class CatchesEverything(Careful):
    async def failed(self, error: Exception) -> bool:
        await self.tell(outcome="complete", text=self.text)
        return True


@bad("error-open", "ignored-error-event")
class IgnoresErrors(Careful):
    def take(self, data: str) -> bool:
        return "error" not in data and super().take(data)


@bad("error-nested", "ignored-error-event")
class CallsAnErrorComplete(Careful):
    async def failed(self, error: Exception) -> bool:
        await self.tell(outcome="complete", text=self.text)
        return True


@bad("broken-json", "ignored-malformed")
class SkipsWhatItCannotRead(Careful):
    def take(self, data: str) -> bool:
        try:
            return super().take(data)
        except ValueError:
            return True


@bad("bad-chunk-size", "ignored-malformed")
class CallsBrokenChunksComplete(Careful):
    async def failed(self, error: Exception) -> bool:
        await self.tell(outcome="complete", text=self.text)
        return True


@bad("split-utf8-segments", "parses-per-read")
class ParsesEachRead(Careful):
    """One read is an event, until it is not."""

    async def events(self, response: Response) -> AsyncGenerator[str, None]:
        self.deadline = trio.current_time() + self.token_timeout
        async with aclosing(self.reads(response)) as reads:
            async for read in reads:
                for event in read.decode().removesuffix("\n\n").split("\n\n"):
                    yield event[len("data: ") :]


@bad("split-utf8-chunks", "parses-per-read")
class DecodesEachRead(Careful):
    """Half a character at the end of a read becomes U+FFFD, or nothing."""

    async def reads(self, response: Response) -> AsyncGenerator[bytes, None]:
        while read := await self.receive(response):
            yield read.decode(errors="ignore").encode()

    async def finish(self) -> None:
        await self.tell(outcome="complete", text=self.text)


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
    async def read_stream(self, response: Response) -> None:
        self.finished = self.done = False
        async with aclosing(self.events(response)) as events:
            async for data in events:
                if data != "[DONE]":
                    self.take(data)
        await self.end(response)


@bad("", "buffers-whole-answer")
class ShowsItAtTheEnd(Careful):
    async def finish(self) -> None:
        await trio.sleep(0.1)
        await self.tell(shown=self.text)


# ---- Connections


@bad("hang*1", "leaks-connection")
class ForgetsItsConnection(Careful):
    def __init__(self, server: MemoryServer, name: str) -> None:
        self.leaked: list[MemoryStream] = []
        super().__init__(server, name)

    async def give_up(self) -> None:
        self.leaked.append(self.connection)
        self.connection = self.server.connect()

    async def run(self, fault: str) -> None:
        await super().run(fault)
        for connection in self.leaked:
            connection.close()


@bad("stall@4", "leaks-connection")
class CancelsWithoutClosing(Careful):
    """Its user has pressed Stop."""

    async def give_up(self) -> None:
        await self.tell(outcome="cancelled")
        await trio.sleep(3)
        self.connection.close()


@bad("", "one-connection-per-request")
class ConnectsForEachRequest(Careful):
    async def run(self, fault: str) -> None:
        for number in range(5):
            await self.ask(f"question {number}", stream=False)
            self.connection.close()
