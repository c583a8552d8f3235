"""The source of a streaming reply: the body is filled by a sequence that the engine steps.

    source = TokenSource(engine, writer.steps(), gaps, prefill, lambda: writer.last)

The engine writes each token's bytes itself, with `Body.send_now`. This task only waits: until the
answer ends, or until a client whose buffers are full has caught up.
"""

from collections.abc import Callable, Iterator

from ...http.body import Body
from ..engine import Engine, TokenSequence

__all__ = ["TokenSource"]


class TokenSource:
    """Fills a body with the tokens of a sequence: a `Source` for a streaming reply.

    Args:
        engine: Steps the sequence.
        tokens: Yields the bytes to send for each token.
        gaps: Yields the seconds between tokens.
        prefill: Seconds to the first token.
        last: Called at the end. Its bytes are sent in one write with the end of the body.
        opening: Bytes that are sent at once, before the first token.
    """

    def __init__(
        self,
        engine: Engine,
        tokens: Iterator[bytes],
        gaps: Iterator[float],
        prefill: float,
        last: Callable[[], bytes],
        opening: bytes = b"",
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._gaps = gaps
        self._prefill = prefill
        self._last = last
        self._opening = opening

    async def send_to(self, body: Body) -> None:
        """Send the whole body and its end."""
        try:
            if self._opening:
                await body.send(self._opening)
            sequence = TokenSequence(self._tokens, self._gaps, self._prefill, body.send_now)
            await self._engine.drive(sequence, body.flush)
            await body.end(self._last())
        finally:
            self._engine.metrics.body_bytes += body.size
