"""Check 7: a model silent or not, a FIN, a slow reader, and two who leave, one in silence."""

from collections.abc import Sequence
from types import ModuleType

import trio
import trio.testing

from workshop.runner.check_kit import Failure, Lab, first_difference

HINTS = (
    "What tells you that the reader has gone: something you read, or something you write?",
    """Let a second task write a heartbeat when nothing was written for a while. When a write raises
BrokenResourceError, both tasks end, and the generator is closed: aclosing.""",
    """Do not put move_on_after around anext(tokens): it cancels the generator itself. Open a
nursery, start the task that beats in it, loop over the tokens beside it; around each write a
`trio.Lock`, around all of it `except* trio.BrokenResourceError`.""",
)
HEARTBEAT = 0.5  # seconds
BEAT = b": keep-alive\n"
WORDS = ("one", "two", "three", "four", "five", "six")
# Who may write first when the reader has made room is chance: through so many small reads, an event
# that two tasks write at stays whole by chance once in 2**50.
LONG_WORDS = ("a long token, " * 20,)
WHY = {  # what a failure adds: the event that does not come has more than one cause
    "held-back": "the answer holds it back",
    "cancels-the-model": "a time limit around anext(tokens) cancels the generator and ends it",
    "takes-fin-for-leaving": "the reader sent a FIN and still reads",
}
RULE = "one write after a close succeeds, and the next one fails: only writing tells"


async def check(exercise: ModuleType, lab: Lab) -> None:
    await Call(exercise, lab).whole()
    await Call(exercise, lab).never_silent()
    await Call(exercise, lab).after_a_fin()
    await Call(exercise, lab, size=4, words=LONG_WORDS).read_slowly()
    await Call(exercise, lab).gone_in_silence()
    await Call(exercise, lab).gone_in_mid_answer()


class Call:
    """One call of `answer`, its model and its reader."""

    def __init__(
        self, exercise: ModuleType, lab: Lab, size: int = 1024, words: Sequence[str] = WORDS
    ) -> None:
        self._answer = exercise.answer
        self._lab = lab
        self._model = lab.tokens(*words)
        self._tokens = aiter(self._model)  # kept here: what nobody refers to is closed by chance
        self._released = self._model.release_each()
        self._reader, self._stream = lab.connection(size)
        self._returned = trio.Event()

    async def run(self) -> None:
        try:
            await self._answer(self._stream, self._tokens, HEARTBEAT)
        except* trio.BrokenResourceError:
            message = "the reader left, and trio.BrokenResourceError came out of answer"
            raise Failure("lets-the-error-out", message, rule=RULE) from None
        self._returned.set()

    async def event(self, name: str) -> bytes:
        """Release a token, and wait for its event. Returns all that has come."""
        token = next(self._released)
        event = b"data: %b\n\n" % token.encode()
        waiting_for = f"the event of {self._model}"
        got = await self._lab.receive_until(
            self._reader, event, waiting_for, name=name, why=WHY[name]
        )
        if got not in (event, BEAT + event):
            raise not_what_was_due(got, event)
        return got

    async def beat(self) -> None:
        silence = f"{BEAT!r} after {HEARTBEAT:g} s of silence"
        began = trio.current_time()
        got = await self._lab.receive_until(
            self._reader, BEAT, silence, name="no-heartbeat", why="it has not come"
        )
        if (waited := trio.current_time() - began) < HEARTBEAT / 2:
            message = f"a heartbeat came {waited:g} s after what was written before it"
            rule = f"one is due after {HEARTBEAT:g} s of silence, and a heartbeat ends the silence"
            raise Failure("beats-without-pause", message, received=got, rule=rule)
        if got != BEAT:
            raise not_what_was_due(got, BEAT)

    async def stopped(self, when: str) -> None:
        """The reader has gone: `answer` returns, and has closed its model."""
        with self._lab.deadline(
            f"answer to return: {when}", name="goes-on-talking", why="it goes on, to nobody"
        ):
            await self._returned.wait()
        if not self._model.closed:
            message = f"{when}: answer has returned, and its model still waits to be asked"
            raise Failure("leaves-the-model-open", message, rule="async with aclosing(tokens)")

    async def whole(self) -> None:
        """Token, silence, token, a long silence: all of it comes, and the end is the end."""
        async with self._lab.running(self.run):
            await self.event("held-back")
            await self.beat()
            await self.event("cancels-the-model")
            await self.beat()
            await self.beat()
            for _ in self._released:
                pass
            with self._lab.deadline("answer to return: all tokens are made", name="no-end"):
                await self._returned.wait()

    async def never_silent(self) -> None:
        """A token each 0.3 s: there is always one before a heartbeat is due."""
        async with self._lab.running(self.run):
            for _ in WORDS[1:]:
                got = await self.event("held-back")
                if BEAT in got:
                    raise Failure(
                        "beats-without-silence",
                        "a heartbeat among tokens 0.3 s apart: it is due after 0.5 s of silence",
                        received=got,
                        at=got.index(BEAT),
                        rule="each byte begins the silence anew, that of an event too",
                    )
                await trio.sleep(0.6 * HEARTBEAT)

    async def after_a_fin(self) -> None:
        """`printf … | nc`: it has said everything, and reads on."""
        async with self._lab.running(self.run):
            await self.event("held-back")
            await self._reader.send_eof()
            await self.event("takes-fin-for-leaving")
            await self.beat()
            await self.event("takes-fin-for-leaving")

    async def read_slowly(self) -> None:
        """Half an event is on its way when a heartbeat is due: it has to wait."""
        async with self._lab.running(self.run):
            token = next(self._released)
            event = b"data: %b\n\n" % token.encode()
            await trio.sleep(2 * HEARTBEAT)
            waiting_for = f"the event of {self._model}, read slowly"
            got = await self._lab.receive_until(self._reader, b"\n\n", waiting_for)
            if not got.startswith(event):
                raise Failure(
                    "beats-inside-an-event",
                    "a heartbeat stands inside an event: the reader was slow, and two tasks wrote",
                    received=got,
                    at=first_difference(got, event),
                    rule="a heartbeat is a line of its own, between two events",
                )

    async def gone_in_silence(self) -> None:
        """One heartbeat draws the RST, the next one fails."""
        async with self._lab.running(self.run):
            await self.event("held-back")
            self._reader.close()
            await self.stopped("its reader left while the model was silent")

    async def gone_in_mid_answer(self) -> None:
        async with self._lab.running(self.run):
            await self.event("held-back")
            self._reader.close()
            for _ in self._released:
                pass
            await self.stopped("its reader left in mid-answer")
        if self._model.made > 4:  # 2 and 3 were written, and 4 may be in the hand of a second task
            message = f"the reader left after token 1, and the model made {self._model.made}"
            raise Failure("goes-on-talking", message, rule=RULE)


def not_what_was_due(got: bytes, due: bytes) -> Failure:
    """All of it has come, and something else with it."""
    name, message, rule = "wrong-bytes", f"{got!r} came, and {due!r} was due", ""
    if BEAT + b"\n" in got:
        name = "blank-line-behind-a-heartbeat"
        message = "a blank line stands behind a heartbeat: some clients take that for an event"
        rule = "a comment is one line, and ends in one newline (WHATWG HTML §9.2.6)"
    return Failure(name, message, received=got, at=first_difference(got, due), rule=rule)
