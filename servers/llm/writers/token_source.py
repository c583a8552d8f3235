"""The source of a streaming reply. Its body is filled by a sequence that the engine steps.

    source = TokenSource(engine, writer, gaps, prefill)

The engine writes each token's bytes itself, with `Body.send_now`. This task only waits until the
answer ends, or until a client whose buffers are full has caught up.
"""

from collections.abc import Iterator
from typing import Protocol

import msgspec

from ...http.body import BodyWriter
from ..engine import Engine, TokenSequence

__all__ = ["StreamWriter", "TokenSource"]


class StreamWriter(Protocol):
    """Turns answers into the bytes of a stream."""

    @property
    def opening(self) -> bytes:
        """The bytes to send at once, before the first token."""

    def steps(self) -> Iterator[bytes]:
        """The bytes of each step of the engine."""

    @property
    def last(self) -> bytes:
        """The bytes to send in one write with the end of the body."""


class TokenSource(msgspec.Struct):
    """The `Source` of a streaming reply: it fills the body with the tokens of a sequence.

    Args:
        engine: The engine that steps the sequence.
        writer: The object that writes the bytes of the answer.
        gaps: An iterator over the seconds between tokens.
        prefill: Seconds until the first token.
        at_once: Whether tokens that are due together are sent in one write.
    """

    engine: Engine
    writer: StreamWriter
    gaps: Iterator[float]
    prefill: float
    at_once: bool = False

    async def send_to(self, body: BodyWriter) -> None:
        """Send the whole body and its end."""
        try:
            if opening := self.writer.opening:
                await body.send(opening)
            many = body.send_many_now if self.at_once else None
            tokens = self.writer.steps()
            sequence = TokenSequence(tokens, self.gaps, self.prefill, body.send_now, many)
            del opening, tokens  # a stream may continue for minutes: it keeps only what it needs
            await self.engine.drive(sequence, body.flush)
            await body.end(self.writer.last)
        finally:
            self.engine.metrics.body_bytes += body.size
