"""Check 6: each event is sent at once, an error is reported, and a disconnect closes the model."""

from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from types import ModuleType

from protocol.openai.common import ErrorBody
from protocol.openai.deltas import ChatDelta, read_delta
from protocol.sse import EventStreamParser, ServerSentEvent
from workshop.language import _
from workshop.runner.check_kit import Failure, Lab

HINTS = (
    "What notices first that the reader has disconnected? How does the model learn of it?",
    """`async for` does not close `tokens`; contextlib.aclosing(tokens) does, however the block
ends. An exception of the model is raised inside the loop: yield there, then raise it again.""",
    """async with aclosing(tokens): … try: async for token in tokens: yield … except Exception:
yield the error event; raise. (`except Exception` does not catch GeneratorExit, and must not.)""",
)
TOKENS = ("你", '"quoted"', "a\nline", "好")
SECRET = "CUDA error 2 in /srv/models/secret.gguf"
REDO = """curl -sN http://localhost:8000/v1/chat/completions -d \
'{"model":"fault-error-nested","stream":true,"messages":[{"role":"user","content":"hi"}]}'"""


class Reader:
    """Reads the events that the exercise yields."""

    def __init__(self, lab: Lab, answer: AsyncGenerator[bytes, None]) -> None:
        self.ended = False
        self._lab = lab
        self._answer = answer
        self._parser = EventStreamParser()
        self._events = deque[ServerSentEvent]()

    async def next(self) -> str:
        """Return the data of the next event, or "" at the end."""
        while not self._events and not self.ended:
            try:
                data = self._lab.take(await anext(self._answer))
                self._events.extend(self._parser.receive_data(data))
            except StopAsyncIteration:
                self.ended = True
        return self._events.popleft().data if self._events else ""

    async def delta(self) -> ChatDelta:
        """Return the delta of the next event. At the end, and for [DONE], it is an empty delta."""
        data = await self.next()
        if not data or data == "[DONE]":
            return ChatDelta()
        try:
            return read_delta(data)
        except ValueError as error:
            message = _(
                "no client can read the event {data!r}: {error}",
                data=data,
                error=error.__cause__ or error,
            )
            rule = _("a quote or a newline in a JSON text is escaped (RFC 8259 §7)")
            raise self.failure("json-by-hand", message, rule) from None

    @contextmanager
    def due(self, what: str, *, name: str = "held-back", why: str = "") -> Iterator[None]:
        """Do the same as `Lab.deadline`. If an event has arrived without its blank line, the
        failure says so."""
        try:
            with self._lab.deadline(what, name=name, why=why):
                yield
        except Failure:
            self.check_border()
            raise

    def check_border(self) -> None:
        if not self._parser.at_event_border:
            message = _("half an event has come, without the blank line after it")
            rule = _("a blank line dispatches an event (WHATWG HTML §9.2.6)")
            raise self.failure("no-blank-line", message, rule) from None

    def failure(self, name: str, message: str, rule: str = "") -> Failure:
        lab = self._lab
        return Failure(name, message, sent=lab.sent, received=lab.received, rule=rule, redo=REDO)


async def check(exercise: ModuleType, lab: Lab) -> None:
    await check_answer(exercise, lab)
    await check_leaving(exercise, lab)
    await check_error(exercise, lab)


async def check_answer(exercise: ModuleType, lab: Lab) -> None:
    """Release each token only when the event of the previous token has arrived."""
    source = lab.tokens(*TOKENS)
    async with aclosing(aiter(source)) as tokens, aclosing(exercise.answer(tokens)) as answer:
        reader = Reader(lab, answer)
        why = _("it waits for the first token")
        with reader.due(_("the role"), name="no-role", why=why):
            first = await reader.next()
        if '"role"' not in first:
            message = _("the first event has no role: {event!r}", event=first)
            raise reader.failure("no-role", message)
        for token in source.release_each():
            lab.give(token.encode())
            event = _("the event of {token}", token=source)
            with reader.due(event, why=_("the answer holds it back")):
                delta = await reader.delta()
            if delta.text != token:
                message = _("the event of {token} says {delta}", token=source, delta=delta)
                raise reader.failure("wrong-text", message)
        with reader.due(_("the end")):
            end, done, more = await reader.delta(), await reader.next(), await reader.next()
        if end.finish_reason != "stop":
            message = _('no finish_reason "stop", but {delta}', delta=end)
            raise reader.failure("no-finish-reason", message)
        if done != "[DONE]" or more:
            message = _("the last event is {event!r}, not [DONE]", event=more or done)
            raise reader.failure("no-done", message)
        reader.check_border()


async def check_leaving(exercise: ModuleType, lab: Lab) -> None:
    source = lab.tokens(*TOKENS)
    source.release(2)
    async with aclosing(aiter(source)) as tokens:
        answer = exercise.answer(tokens)
        reader = Reader(lab, answer)
        with lab.deadline(_("the first two tokens")):
            while await reader.delta() != ChatDelta(TOKENS[1]):
                pass
        with lab.deadline(_("the end, after a disconnect"), name="leaves-the-model-running"):
            try:
                await answer.aclose()
            except RuntimeError as error:
                message = _("the reader has disconnected, and one more event is yielded")
                rule = _(
                    "aclose() raises GeneratorExit at the `yield`; the generator must then end"
                )
                raise reader.failure("yields-to-nobody", message, rule) from error
        if not source.closed:
            message = _("the reader has disconnected, and the model's generator is still open")
            rule = _("the reader of a stream closes it; `async for` does not")
            raise reader.failure("leaves-the-model-running", message, rule)


async def check_error(exercise: ModuleType, lab: Lab) -> None:
    async def broken() -> AsyncGenerator[str, None]:
        yield TOKENS[0]
        raise RuntimeError(SECRET)

    lab.log.clear()
    async with aclosing(broken()) as tokens, aclosing(exercise.answer(tokens)) as answer:
        reader = Reader(lab, answer)
        told: ErrorBody | None = None
        with lab.deadline(_("the end, after the model has failed")):
            try:
                while not reader.ended:
                    told = (await reader.delta()).error or told
            except RuntimeError:
                pass
    rule = _("after a 200, an error is an event, and the stream must not end cleanly")
    if told is None:
        message = _("the model has failed, but no event says so")
        raise reader.failure("silent-error", message, rule)
    if SECRET in told.message:
        message = _("the reader is told {text!r}: paths belong in the log", text=told.message)
        raise reader.failure("tells-the-reader-what-broke", message)
    if reader.ended:
        message = _("the model has failed, but the stream ends as if it were complete")
        raise reader.failure("error-looks-whole", message, rule)
