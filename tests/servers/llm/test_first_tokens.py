"""Many answers begin at once: at most a turn of their first tokens is made in one pass."""

from collections.abc import Iterator
from itertools import repeat

from servers.llm.engine import STEP, TURN, Engine, TokenSequence

from ..turns import Turns, counted_turns
from .test_engine import drive_all

SIZE = TURN // 2  # bytes of a token, as of a request for 128 answers


def tokens(turns: Turns) -> Iterator[bytes]:
    for _ in range(2):
        turns.did(SIZE + STEP)
        yield bytes(SIZE)


async def test_first_tokens_take_at_most_a_turn() -> None:
    """Even if many answers begin at once, each with a large token that is due at once."""
    engine = Engine()
    with counted_turns() as turns:
        sequences = [
            TokenSequence(tokens(turns), repeat(0.0), 0, lambda piece, now: True) for _ in range(40)
        ]
        await drive_all(engine, sequences)
    assert turns.total == 80 * (SIZE + STEP)
    # Both the new sequences and `run` take a turn, plus the token that fills it.
    assert turns.most_in_pass <= 2 * (TURN + SIZE + STEP)
