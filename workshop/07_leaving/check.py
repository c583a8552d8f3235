"""Check 7: a model with silences and one without; readers that half-close, stall or disconnect."""

from collections.abc import Sequence
from types import ModuleType

import trio
import trio.testing

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, first_difference

HINTS = (
    "What shows you that the reader has disconnected: a read or a write?",
    """Let a second task write a heartbeat when nothing was written for a while. When a write raises
BrokenResourceError, end both tasks, and close the generator: aclosing.""",
    """Do not put move_on_after around anext(tokens): it cancels the generator itself. Open a
nursery, start the task with the heartbeats in it, and loop over the tokens beside it. Put a
`trio.Lock` around each write, and `except* trio.BrokenResourceError` around everything.""",
)
HEARTBEAT_SECONDS = 0.5
HEARTBEAT = b": keep-alive\n"
WORDS = ("one", "two", "three", "four", "five", "six")
# This event is so long that it is written in many small parts. Before each part, chance decides
# which of two waiting tasks writes first. So without a lock, the parts almost always get mixed.
LONG_WORDS = ("a long token, " * 20,)
WHY = {  # the cause to name in a failure, because a missing event can have several causes
    "held-back": _("the handler holds it back"),
    "cancels-the-model": _("a timeout around anext(tokens) cancels the generator and ends it"),
    "takes-fin-for-disconnect": _("the reader sent a FIN and still reads"),
}
RULE = _("after a close one write succeeds and the next one fails: only a write shows it")


async def check(exercise: ModuleType, lab: Lab) -> None:
    await AnswerCall(exercise, lab).whole()
    await AnswerCall(exercise, lab).never_silent()
    await AnswerCall(exercise, lab).after_a_fin()
    await AnswerCall(exercise, lab, size=4, words=LONG_WORDS).read_slowly()
    await AnswerCall(exercise, lab).disconnect_in_silence()
    await AnswerCall(exercise, lab).disconnect_in_mid_answer()


class AnswerCall:
    """One call of `answer`, with its model and its reader."""

    def __init__(
        self, exercise: ModuleType, lab: Lab, size: int = 1024, words: Sequence[str] = WORDS
    ) -> None:
        self._answer = exercise.answer
        self._lab = lab
        self._model = lab.tokens(*words)
        self._tokens = aiter(self._model)  # kept here, otherwise the garbage collector closes it
        self._released = self._model.release_each()
        self._reader, self._stream = lab.connection(size)
        self._returned = trio.Event()

    async def run(self) -> None:
        try:
            await self._answer(self._stream, self._tokens, HEARTBEAT_SECONDS)
        except* trio.BrokenResourceError:
            message = _("the reader disconnected, and trio.BrokenResourceError came out of answer")
            raise Failure("lets-the-error-out", message, rule=RULE) from None
        self._returned.set()

    async def event(self, name: str) -> bytes:
        """Release a token, and wait for its event. Returns all bytes that have arrived."""
        token = next(self._released)
        event = b"data: %b\n\n" % token.encode()
        waiting_for = _("the event of {token}", token=self._model)
        got = await self._lab.receive_until(
            self._reader, event, waiting_for, name=name, why=WHY[name]
        )
        if got not in (event, HEARTBEAT + event):
            raise wrong_bytes(got, event)
        return got

    async def heartbeat(self) -> None:
        silence = _(
            "{heartbeat!r} after {seconds:g} s of silence",
            heartbeat=HEARTBEAT,
            seconds=HEARTBEAT_SECONDS,
        )
        began = trio.current_time()
        got = await self._lab.receive_until(
            self._reader, HEARTBEAT, silence, name="no-heartbeat", why=_("it has not come")
        )
        if (waited := trio.current_time() - began) < HEARTBEAT_SECONDS / 2:
            message = _("a heartbeat came {seconds:g} s after the last write", seconds=waited)
            rule = _(
                "one is due {seconds:g} s after the last write, heartbeats included",
                seconds=HEARTBEAT_SECONDS,
            )
            raise Failure("heartbeat-without-pause", message, received=got, rule=rule)
        if got != HEARTBEAT:
            raise wrong_bytes(got, HEARTBEAT)

    async def stopped(self, when: str) -> None:
        """Check that after a disconnect `answer` returns, and has closed its model."""
        waiting_for = _("answer to return: {when}", when=when)
        why = _("it goes on")
        with self._lab.deadline(waiting_for, name="ignores-a-failed-write", why=why):
            await self._returned.wait()
        if not self._model.closed:
            message = _("{when}: answer has returned, and has not closed its model", when=when)
            raise Failure("leaves-the-model-open", message, rule="async with aclosing(tokens)")

    async def whole(self) -> None:
        """Check a token, a silence, a token and a long silence: everything arrives, and then
        `answer` returns."""
        async with self._lab.running(self.run):
            await self.event("held-back")
            await self.heartbeat()
            await self.event("cancels-the-model")
            await self.heartbeat()
            await self.heartbeat()
            for _token in self._released:
                pass
            with self._lab.deadline(_("answer to return: the model has ended"), name="no-end"):
                await self._returned.wait()

    async def never_silent(self) -> None:
        """Check a model with a token every 0.3 s: no heartbeat is due."""
        async with self._lab.running(self.run):
            for _word in WORDS[1:]:
                got = await self.event("held-back")
                if HEARTBEAT in got:
                    raise Failure(
                        "heartbeat-without-silence",
                        _("a heartbeat among tokens 0.3 s apart: it is due after 0.5 s of silence"),
                        received=got,
                        at=got.index(HEARTBEAT),
                        rule=_("each write resets the timeout, that of an event too"),
                    )
                await trio.sleep(0.6 * HEARTBEAT_SECONDS)

    async def after_a_fin(self) -> None:
        """Check with a reader that sends a FIN and continues to read, as `printf … | nc` does."""
        async with self._lab.running(self.run):
            await self.event("held-back")
            await self._reader.send_eof()
            await self.event("takes-fin-for-disconnect")
            await self.heartbeat()
            await self.event("takes-fin-for-disconnect")

    async def read_slowly(self) -> None:
        """Check that a heartbeat waits if it becomes due while only half an event is written."""
        async with self._lab.running(self.run):
            token = next(self._released)
            event = b"data: %b\n\n" % token.encode()
            await trio.sleep(2 * HEARTBEAT_SECONDS)
            waiting_for = _("the event of {token}, read slowly", token=self._model)
            got = await self._lab.receive_until(self._reader, b"\n\n", waiting_for)
            if not got.startswith(event):
                raise Failure(
                    "heartbeat-inside-an-event",
                    _("a heartbeat is inside an event: the reader was slow, and two tasks wrote"),
                    received=got,
                    at=first_difference(got, event),
                    rule=_("a heartbeat is a line of its own, between two events"),
                )

    async def disconnect_in_silence(self) -> None:
        """Check a disconnect in a silence: an RST answers the first heartbeat, and the next one
        fails."""
        async with self._lab.running(self.run):
            await self.event("held-back")
            self._reader.close()
            await self.stopped(_("its reader disconnected while the model was silent"))

    async def disconnect_in_mid_answer(self) -> None:
        async with self._lab.running(self.run):
            await self.event("held-back")
            self._reader.close()
            for _token in self._released:
                pass
            await self.stopped(_("its reader disconnected in mid-answer"))
        if self._model.made > 4:  # tokens 2 and 3 were written, and a second task may hold token 4
            message = _(
                "the reader disconnected after token 1, the model made {made}",
                made=self._model.made,
            )
            raise Failure("ignores-a-failed-write", message, rule=RULE)


def wrong_bytes(got: bytes, due: bytes) -> Failure:
    """Return the failure for bytes that differ from those that were due."""
    name, rule = "wrong-bytes", ""
    message = _("{got!r} came, and {due!r} was due", got=got, due=due)
    if HEARTBEAT + b"\n" in got:
        name = "blank-line-after-a-heartbeat"
        message = _("a blank line follows a heartbeat: some clients take that for an event")
        rule = _("a comment is one line, and ends in one newline (WHATWG HTML §9.2.6)")
    return Failure(name, message, received=got, at=first_difference(got, due), rule=rule)
