"""The source of a streaming reply. Its body is filled by a sequence that the engine steps.

    source = TokenSource(engine, writer.steps(), gaps, prefill, lambda: writer.last)

The engine writes each token's bytes itself, with `Body.send_now`. This task only waits until the
answer ends, or until a client whose buffers are full has caught up.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...http.body import BodyWriter
from ..engine import Engine, TokenSequence

__all__ = ["TokenSource"]


@dataclass(slots=True)
class TokenSource:
    """The `Source` of a streaming reply: it fills the body with the tokens of a sequence.

    Args:
        engine: The engine that steps the sequence.
        tokens: An iterator over the bytes to send for each token.
        gaps: An iterator over the seconds between tokens.
        prefill: Seconds until the first token.
        last: A function called at the end. The bytes that it returns are sent in one write with the
            end of the body.
        opening: Bytes that are sent at once, before the first token.
        at_once: Whether tokens that are due together are sent in one write.
    """

    engine: Engine
    tokens: Iterator[bytes]
    gaps: Iterator[float]
    prefill: float
    last: Callable[[], bytes]
    opening: bytes = b""
    at_once: bool = False

    async def send_to(self, body: BodyWriter) -> None:
        """Send the whole body and its end."""
        try:
            if self.opening:
                await body.send(self.opening)
            many = body.send_many_now if self.at_once else None
            sequence = TokenSequence(self.tokens, self.gaps, self.prefill, body.send_now, many)
            await self.engine.drive(sequence, body.flush)
            await body.end(self.last())
        finally:
            self.engine.metrics.body_bytes += body.size
