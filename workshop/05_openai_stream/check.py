"""Check 5: each text is yielded as soon as its event is complete, and each end raises the right
exception."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import ModuleType

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab, first_difference

HINTS = (
    "A piece may end inside 你. Which part of the bytes so far can be decoded already?",
    """Keep bytes and split them at b"\\n"; the part after the last one belongs to the next piece.
In each whole line that begins with `data: `, read the JSON, except [DONE]. `choices` can be [].""",
    """*lines, rest = (rest + piece).split(b"\\n")   and after the loop over the pieces:
if not finished: raise CutOffError(…)   where finished is set by a finish_reason.""",
)
REDO = "python workshop/05_openai_stream --simulate --once --raw"
TEXTS = ("你好", ",", " world", " 🌊")


def event(delta: dict[str, str | None], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return data(json.dumps({"id": "1", "choices": [choice]}, ensure_ascii=False))


def data(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


ROLE = event({"role": "assistant", "content": ""})
THINKING = event({"content": None, "reasoning_content": "hm"})
HEARTBEAT = b": waiting\n"
WORDS = [event({"content": text}) for text in TEXTS]
STOP = event({}, "stop")
USAGE = data('{"id":"1","choices":[],"usage":{"completion_tokens":4}}')
DONE = data("[DONE]")
ERROR = data('{"error":{"message":"The model is overloaded.","code":null}}')


async def check(exercise: ModuleType, lab: Lab) -> None:
    events = [ROLE, THINKING, HEARTBEAT, *WORDS, STOP, DONE]
    for size in (1000, 1, 2, 3, 7):
        expect(lab, await run(exercise, lab, events, size), None, _("a complete answer"))
    with_usage = [*WORDS, STOP, USAGE, DONE]
    expect(lab, await run(exercise, lab, with_usage, 1000), None, _("an answer with its usage"))
    no_done = [*WORDS, STOP]
    expect(lab, await run(exercise, lab, no_done, 50), None, _("a finish_reason without [DONE]"))
    for end in (b"", STOP[:-3]):
        error = await run(exercise, lab, [*WORDS, end], 50)
        expect(lab, error, exercise.CutOffError, _("a truncated stream"))
    error = await run(exercise, lab, [*WORDS, ERROR], 50)
    expect(lab, error, exercise.APIError, _("an error event"))
    if "The model is overloaded." not in str(error):
        message = _("the error says {text!r}", text=str(error))
        raise Failure("ignores-the-error", message, sent=ERROR)


async def run(
    exercise: ModuleType, lab: Lab, events: Sequence[bytes], size: int
) -> Exception | None:
    """Feed a body `size` bytes at a time. Each piece is sent only when all text that is due has
    been yielded.

    Returns:
        The exception that the exercise raised, if any.
    """
    body = b"".join(events)
    ends = [len(b"".join(events[: place + 1])) for place in range(len(events))]
    words = [
        (end, TEXTS[WORDS.index(one)])
        for end, one in zip(ends, events, strict=True)
        if one in WORDS
    ]
    said = "".join(text for _, text in words)
    got = ""
    lab.log.clear()

    async def pieces() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), size):
            compare(lab, got, [text for end, text in words if end <= start], said)
            if DONE in body[:start]:
                raise Failure("reads-on", _("after [DONE] it asks for more"), sent=lab.sent)
            yield lab.give(body[start : start + size])

    with lab.deadline(_("the end of the answer")):
        try:
            async with aclosing(pieces()) as given, aclosing(exercise.deltas(given)) as answer:
                async for text in answer:
                    if not isinstance(text, str):
                        value = f"{text!r:.40}"
                        message = _(
                            "{value} came in place of text: not every delta has text", value=value
                        )
                        raise Failure("gives-no-text", message, sent=lab.sent)
                    lab.take(text.encode(errors="replace"))
                    got += text
        except (Failure, NotImplementedError):
            raise
        except Exception as error:
            return error
    compare(lab, got, [text for _, text in words], said)
    return None


def compare(lab: Lab, got: str, texts: Sequence[str], said: str) -> None:
    """Fail unless the texts that are due have been yielded. More text is allowed, because an
    exercise may use a `data` line before the blank line after it."""
    due = "".join(texts)
    if got.startswith(due) and said.startswith(got):
        return
    at = first_difference(got.encode(), said.encode())
    name, rule = "wrong-text", ""
    message = _("{got!r} came; the model said {said!r}", got=got, said=said)
    if "\ufffd" in got:
        name = "decodes-each-piece"
        message = _("{got!r}: a character cut by two pieces is lost", got=got)
        rule = _("decode UTF-8 when the whole line has come (WHATWG HTML §9.2.6)")
    elif due.startswith(got):
        name = "held-back"
        message = _("{text!r} has come, but was not yielded", text=due[len(got) :])
        rule = _("an event is dispatched at its blank line (WHATWG HTML §9.2.6)")
    told, sent = "", lab.sent
    for text in texts:  # only the first wrong event is shown
        told += text
        if not got.startswith(told):
            event = WORDS[TEXTS.index(text)]
            sent = sent[: sent.index(event) + len(event)]
            break
    raise Failure(name, message, sent=sent, received=lab.received, at=at, rule=rule, redo=REDO)


NAMES = {"APIError": "ignores-the-error", "CutOffError": "cut-off-looks-whole"}


def expect(lab: Lab, error: Exception | None, kind: type[Exception] | None, what: str) -> None:
    """Fail unless the exercise raised this kind of error, or no error if `kind` is None."""
    if (type(error) if error else None) is kind:
        return
    name, sent = NAMES[kind.__name__] if kind else "raises", lab.sent
    if kind is None and USAGE in sent:
        name, what = "no-choice-no-answer", _("the event with the usage, whose choices are empty,")
        sent = sent[: sent.index(USAGE) + len(USAGE)]
    message = _("{what} ends as if it were complete", what=what)
    if error:
        raised = type(error).__name__
        message = _("{what} raises {raised}: {error}", what=what, raised=raised, error=error)
    if kind:
        message = _("{message}; it should raise {name}", message=message, name=kind.__name__)
    raise Failure(
        name,
        message,
        sent=sent,
        received=lab.received,
        rule=_("a stream is complete with [DONE] or a finish_reason; an error comes as an event"),
        redo=REDO,
    )
