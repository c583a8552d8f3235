"""Check 8: there are two answers at once, and one of the two readers does not read for a while."""

from types import ModuleType

import trio
import trio.testing

from clients.streams.memory import MemoryStream
from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, first_difference

HINTS = (
    "Which has to wait when a reader does not read: the task that sends, the model, or both?",
    """Two tasks for each reader: one takes tokens from the model, one sends them to the stream.
Between them put a queue that makes the first task wait when it is full.""",
    """to_stream, from_model = trio.open_memory_channel(size), for each reader. The first task has
`async with to_stream:` around its loop, so that the `async for` of the second one ends.""",
)
SIZE = 3  # tokens in a queue
WORDS = tuple(f"word{number:02} " for number in range(40))
WORD_SIZE = len(WORDS[0])
PIPE_SIZE = 2 * WORD_SIZE  # bytes that a connection holds: two words.
# One token is being sent, and one waits for the queue. The others are in the queue and in the pipe.
MOST_AHEAD = SIZE + PIPE_SIZE // WORD_SIZE + 2
LEAST_AHEAD = SIZE + PIPE_SIZE // WORD_SIZE
RULE = _("a slow reader slows its own model, and no other")


async def check(exercise: ModuleType, lab: Lab) -> None:
    slow, to_slow = lab.connection(PIPE_SIZE)
    fast, to_fast = lab.connection(PIPE_SIZE)
    models = (lab.tokens(*WORDS), lab.tokens(*WORDS))
    answers = [aiter(model) for model in models]
    returned = trio.Event()

    async def serve() -> None:
        await exercise.serve(answers, [to_slow, to_fast], SIZE)
        returned.set()

    async with lab.running(serve):
        models[0].release(len(WORDS))  # enough for all tokens, but nobody reads.
        # The other model makes a token only when the previous one has arrived.
        for word in models[1].release_each():
            await lab.receive_until(
                fast,
                word.encode(),
                _(
                    "{token}, for the fast reader, while the slow one does not read",
                    token=models[1],
                ),
                name="one-slow-stalls-all",
            )
        await trio.testing.wait_all_tasks_blocked()
        made = models[0].made
        await read_all(slow, lab)
        check_ahead(made)
        why = _("a task still waits for a token, and none will come")
        with lab.deadline(_("serve to return: all is sent"), name="no-end", why=why):
            await returned.wait()


async def read_all(reader: MemoryStream, lab: Lab) -> None:
    """Let the slow reader read again, and check that it gets all tokens in order."""
    expected = "".join(WORDS).encode()
    received = b""
    while received != expected:
        rest = _(
            "the rest of {all} bytes ({received} have come)",
            all=len(expected),
            received=len(received),
        )
        with lab.deadline(rest, name="drops-tokens", why=_("tokens were lost on the way")):
            received += lab.take(await reader.receive_some(WORD_SIZE))
        if not expected.startswith(received):
            at = first_difference(received, expected)
            message = _("the slow reader does not get the answer that its model made")
            raise Failure("drops-tokens", message, sent=expected, received=received, at=at)


def check_ahead(made: int) -> None:
    """Check that the number of tokens made while the reader read nothing is within the limits."""
    if made > MOST_AHEAD:
        message = _(
            "the reader read nothing, and its model made {made} tokens: {most} at most with a "
            "queue of {size} ({bytes} bytes fit into the connection)",
            made=made,
            most=MOST_AHEAD,
            size=SIZE,
            bytes=PIPE_SIZE,
        )
        raise Failure("unbounded-queue", message, rule=RULE)
    if made < LEAST_AHEAD:
        message = _(
            "the reader read nothing, and its model stopped at {made} tokens: with a queue of "
            "{size} it gets {least} ahead or more",
            made=made,
            size=SIZE,
            least=LEAST_AHEAD,
        )
        raise Failure("no-queue", message, rule=RULE)
