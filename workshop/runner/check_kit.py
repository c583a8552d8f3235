"""What the checks of the exercises share: tokens that the check releases, and waits that end.

A check owns the model. It releases token 2 only when the bytes of token 1 have come, so an answer
that holds bytes back cannot pass, however fast the machine is; nothing sleeps, nothing is timed:

    async def check(exercise: ModuleType, lab: Lab) -> None:
        source = lab.tokens("你", "好")
        ours, theirs = lab.connection()
        async with lab.running(exercise.respond, theirs, aiter(source)):
            for token in source.release_each():
                await lab.receive_until(ours, token.encode(), f"the bytes of {source}")

A wait that takes longer than `DEADLINE` is a `Failure` that says what did not come: "waited 2 s for
the bytes of token 2, '好': the answer holds them back".

The rules this file keeps:

1. Whatever the exercise does, a check ends, in success or in a `Failure`.
2. All bytes that went to the exercise and came from it are kept, for the learner to look at.
3. A clock that jumps when every task waits (trio's autojump clock) runs the checks: a deadline that
   passes costs no time. So a check keeps to one thread: no processes, no `trio.to_thread`.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import KW_ONLY, dataclass

import trio

from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import ByteStream

__all__ = ["DEADLINE", "Failure", "Lab", "Tokens", "at_a_time", "few", "first_difference"]

DEADLINE = 2.0  # seconds that one wait may take


@dataclass(eq=False)
class Failure(Exception):
    """The exercise does not do what it should.

    Args:
        name: of the mistake, as in the file `wrong_NAME.py`, with hyphens: "decimal-size".
        message: one sentence, what is wrong.
        sent: what the exercise was given.
        received: what it answered.
        at: offset in `received` of the first wrong byte, where the caret stands; None: no caret.
        rule: what it breaks, and where that is written: "chunk-size counts bytes (RFC 9112 §7.1)".
        redo: a command that shows the same by hand.
    """

    name: str
    message: str
    _: KW_ONLY
    sent: bytes = b""
    received: bytes = b""
    at: int | None = None
    rule: str = ""
    redo: str = ""

    def __str__(self) -> str:
        return self.message


def first_difference(received: bytes, expected: bytes) -> int:
    """The offset of the first byte of `received` that is not the expected one."""
    pairs = zip(received, expected, strict=False)
    shorter = min(len(received), len(expected))
    return next((at for at, (one, other) in enumerate(pairs) if one != other), shorter)


def few(values: Sequence[object], most: int = 10) -> str:
    """A list for a message, which shows its first values: "[0, 3, 42, … 1200 in all]"."""
    if len(values) <= most:
        return str(list(values))
    return f"[{', '.join(map(repr, values[:most]))}, … {len(values)} in all]"


def at_a_time(size: int) -> str:
    """How a stream was cut, in words: "2 bytes at a time"."""
    return f"{size} bytes at a time" if size > 1 else "one byte at a time"


class Tokens:
    """A model that makes a token when the check has released it and the exercise asks for it.

    The exercise gets `iter(tokens)` or `aiter(tokens)`, which are generators as a model's answer
    is one. The plain one fails when it is asked too early; the asynchronous one waits.

    Attributes:
        released: how many tokens the exercise may take by now.
        made: how many it has taken.
        closed: a generator of it has ended, or was closed.
    """

    def __init__(self, tokens: tuple[str, ...], name: str) -> None:
        self.released = 0
        self.made = 0
        self.closed = False
        self._tokens = tokens
        self._name = name
        self._change = trio.lowlevel.ParkingLot()

    def __str__(self) -> str:
        """The token released last: "token 2, '好'"."""
        return f"token {self.released}, {self._tokens[self.released - 1]!r}"

    def release(self, count: int = 1) -> None:
        """Let the exercise have so many more. The end needs no release."""
        self.released = min(self.released + count, len(self._tokens))
        self._change.unpark_all()

    def release_each(self) -> Iterator[str]:
        """Release one token at a time: the next when the caller asks for it."""
        for token in self._tokens[self.released :]:
            self.release()
            yield token

    async def until_closed(self) -> None:
        """Wait until the exercise has closed the stream, or read it to its end."""
        while not self.closed:
            await self._change.park()

    def __iter__(self) -> Generator[str, None, None]:
        try:
            for number, token in enumerate(self._tokens, 1):
                if number > self.released:
                    too_early = (
                        f"the bytes of {self}, came" if self.released else "anybody wanted it"
                    )
                    early = f"token {number} was asked for before {too_early}"
                    raise Failure(self._name, early)
                self.made = number
                yield token
        finally:
            self.closed = True
            self._change.unpark_all()

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        try:
            for number, token in enumerate(self._tokens, 1):
                await trio.lowlevel.checkpoint()
                while number > self.released:
                    await self._change.park()
                self.made = number
                yield token
        finally:
            self.closed = True
            self._change.unpark_all()


class Lab:
    """One run of one check.

    Attributes:
        log: all that was given to the exercise ("sent") and came from it ("received"), in order.
    """

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes]] = []

    @property
    def sent(self) -> bytes:
        return b"".join(data for way, data in self.log if way == "sent")

    @property
    def received(self) -> bytes:
        return b"".join(data for way, data in self.log if way == "received")

    def give(self, data: bytes) -> bytes:
        """Note what the exercise is given; returns it."""
        self.log.append(("sent", data))
        return data

    def take(self, data: bytes | bytearray) -> bytes:
        """Note what the exercise answered; returns it.

        Raises:
            Failure: "no-bytes", for anything else; the log of it could not be written either.
        """
        if not isinstance(data, bytes | bytearray):
            message = f"bytes were due, and this came, of type {type(data).__name__}: {data!r:.40}"
            raise Failure("no-bytes", message)
        self.log.append(("received", bytes(data)))
        return bytes(data)

    def tokens(self, *tokens: str, name: str = "held-back") -> Tokens:
        """A model's answer, of which nothing is released yet.

        Args:
            name: of the failure when a plain generator is asked for a token too early.
        """
        return Tokens(tokens, name)

    def connection(self, size: int = 64 << 10) -> tuple[MemoryStream, MemoryStream]:
        """Our end and theirs of a connection in memory, which holds `size` bytes each way."""
        return memory_pair(size)

    @asynccontextmanager
    async def running(
        self, call: Callable[..., Awaitable[object]], *arguments: object
    ) -> AsyncIterator[None]:
        """Run a function of the exercise beside the block, and stop it at the block's end."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, *arguments)
            yield
            nursery.cancel_scope.cancel()

    @contextmanager
    def deadline(
        self, waiting_for: str, *, name: str = "held-back", why: str = ""
    ) -> Iterator[None]:
        """The block must end within `DEADLINE`.

        Args:
            waiting_for: what the failure says of it: "waited 2 s for WAITING_FOR".
            name: of the failure.
            why: what the failure adds after a colon.
        """
        try:
            with trio.fail_after(DEADLINE):
                yield
        except trio.TooSlowError:
            message = f"waited {DEADLINE:g} s for {waiting_for}" + (why and f": {why}")
            raise Failure(name, message, sent=self.sent, received=self.received) from None

    async def send(self, stream: ByteStream, data: bytes, waiting_for: str = "a reader") -> None:
        """Send these bytes to the exercise."""
        with self.deadline(waiting_for, name="does-not-read"):
            await stream.send_all(self.give(data))

    async def receive_until(
        self,
        stream: ByteStream,
        end: bytes,
        waiting_for: str,
        *,
        name: str = "held-back",
        why: str = "the answer holds them back",
    ) -> bytes:
        """Receive from the exercise until what came in this call contains `end`.

        Args:
            end: the bytes that must come.
            waiting_for: their name: "the bytes of token 2, '好'".
            name: of the failure when they do not come in time.
            why: what that failure adds after a colon.

        Raises:
            Failure: `name`, or "cut-off" when the stream ended first.
        """
        data = b""
        with self.deadline(waiting_for, name=name, why=why):
            while end not in data:
                more = self.take(await stream.receive_some())
                if not more:
                    message = f"the stream ended before {waiting_for} came"
                    raise Failure("cut-off", message, sent=self.sent, received=self.received)
                data += more
        return data
