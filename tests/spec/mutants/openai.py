"""Mutants of the family openai: what is wrong in the answer that was asked for without options."""

from typing import Any

from clients.streams.tcp import ByteStream

from . import mutant
from .good import Answering
from .openai_good import Chat, Object, is_plain

# ---- The stream


@mutant("openai.stream-is-events", also=("sse.content-type",), profile="openai")
class NeverStreams(Chat):
    def streams(self, asked: Object) -> bool:
        return False


@mutant("openai.data-only", profile="openai")
class NamesItsEvents(Chat):
    def encode(self, chunk: Object) -> bytes:
        return b"event: chunk\n" + super().encode(chunk)


@mutant("openai.json", profile="openai")
class PingsInTheData(Chat):
    def stream_events(self, asked: Object) -> list[bytes]:
        return [b"data: ping\n\n", *super().stream_events(asked)]


@mutant("openai.json", profile="openai")
class WritesPythonInPlaceOfJSON(Chat):
    def stream_events(self, asked: Object) -> list[bytes]:
        events = super().stream_events(asked)
        return [*events[:3], f"data: {self.chunk([])}\n\n".encode(), *events[3:]]


@mutant("openai.done", profile="openai")
class DropsDone(Chat):
    def done(self) -> bytes:
        return b": done\n\n"


@mutant("openai.done", profile="openai")
class SaysDoneTwice(Chat):
    def done(self) -> bytes:
        return b"data: [DONE]\n\ndata: [DONE]\n\n"


@mutant("openai.done-last", profile="openai")
class GoesOnAfterDone(Chat):
    def stream_events(self, asked: Object) -> list[bytes]:
        events = super().stream_events(asked)
        return [*events, self.encode(self.chunk([]))] if is_plain(asked) else events


@mutant("openai.request-id", profile="openai")
class HasNoRequestID(Chat):
    def date(self) -> list[str]:
        return super().date()[:-1]


# ---- Each chunk


@mutant("openai.object", profile="openai")
class CallsChunksCompletions(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"object": "chat.completion"}


@mutant("openai.required-fields", profile="openai")
class LeavesOutTheModel(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return {name: value for name, value in chunk.items() if name != "model"}


@mutant("openai.required-fields", profile="openai")
class WritesTheTimeAsText(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"created": "2026-11-29T20:00:00Z"}


@mutant("openai.one-id", profile="openai")
class ChangesTheID(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"id": f"chatcmpl-{number}"}


@mutant("openai.one-created", profile="openai")
class ChangesTheTime(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"created": chunk["created"] + number // 10}


@mutant("openai.one-model", profile="openai")
class ChangesTheModel(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"model": "good-1-2026" if number else "good-1"}


@mutant("openai.created-in-seconds", profile="openai")
class CountsMilliseconds(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"created": chunk["created"] * 1000}


# ---- Each choice


class Edited(Chat):
    """Changes the choices of a request without options."""

    def choices(self, asked: Object, index: int) -> list[Object]:
        choices = super().choices(asked, index)
        return self.edited(choices) if is_plain(asked) else choices

    def edited(self, choices: list[Object]) -> list[Object]:
        return [self.changed(choice) for choice in choices]

    def changed(self, choice: Object) -> Object:
        return choice


@mutant("openai.index", profile="openai")
class LeavesOutTheIndex(Edited):
    def changed(self, choice: Object) -> Object:
        return {name: value for name, value in choice.items() if name != "index"}


@mutant("openai.index", profile="openai")
class CountsFromOne(Edited):
    def changed(self, choice: Object) -> Object:
        return choice | {"index": 1}


@mutant("openai.delta-shape", also=("openai.role-first", "openai.has-text"), profile="openai")
class SendsMessagesNotDeltas(Edited):
    def changed(self, choice: Object) -> Object:
        return {"message" if name == "delta" else name: value for name, value in choice.items()}


@mutant("openai.delta-shape", profile="openai")
class SendsObjectsAsContent(Edited):
    def changed(self, choice: Object) -> Object:
        delta = choice["delta"]
        return choice | {"delta": delta | {"content": {"text": delta.get("content")}}}

    def edited(self, choices: list[Object]) -> list[Object]:
        return [*map(self.changed, choices[:-1]), choices[-1]]


@mutant("openai.role-first", profile="openai")
class HasNoRole(Edited):
    def edited(self, choices: list[Object]) -> list[Object]:
        return choices[1:]


@mutant("openai.role-once", profile="openai")
class RepeatsTheRole(Edited):
    def changed(self, choice: Object) -> Object:
        return choice | {"delta": {"role": "assistant"} | choice["delta"]}


@mutant("openai.has-text", profile="openai")
class SendsTextInAnotherField(Edited):
    def changed(self, choice: Object) -> Object:
        return choice | {"delta": {"role": choice["delta"].get("role")}, "text": "Hi"}


# ---- The end


@mutant("openai.finish-reason-once", profile="openai")
class FinishesTwice(Edited):
    def edited(self, choices: list[Object]) -> list[Object]:
        return [*choices, choices[-1]]


@mutant("openai.finish-reason-once", profile="openai")
class NeverFinishes(Edited):
    def edited(self, choices: list[Object]) -> list[Object]:
        return choices[:-1]


@mutant("openai.finish-reason-last", profile="openai")
class SpeaksAfterTheFinish(Edited):
    def edited(self, choices: list[Object]) -> list[Object]:
        return [*choices[:-2], choices[-1], choices[-2]]


@mutant("openai.finish-reason-values", profile="openai")
class FinishesWithAnOwnWord(Edited):
    def edited(self, choices: list[Object]) -> list[Object]:
        return [*choices[:-1], choices[-1] | {"finish_reason": "eos_token"}]


# ---- What was not asked for


@mutant("openai.usage-opt-in", profile="openai")
class SendsUsageUnasked(Chat):
    def includes_usage(self, asked: Object) -> bool:
        return True


@mutant("openai.logprobs-opt-in", profile="openai")
class SendsLogprobsUnasked(Edited):
    def changed(self, choice: Object) -> Object:
        return choice | {"logprobs": {"content": self.logprobs("Hi")}}


# ---- Requests


@mutant("utf8.request-torn", profile="openai")
class DecodesEachRead(Chat):
    async def serve(self, stream: ByteStream) -> None:
        await super().serve(CheckedReads(stream))  # type: ignore[arg-type]


class CheckedReads:
    """A stream whose reads are decoded one by one. What is not UTF-8 becomes a question mark."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive_some(self) -> bytes:
        data = await self._stream.receive_some()
        try:
            data.decode()
        except UnicodeDecodeError:
            return data.replace(b"{", b"?").replace(b"}", b"?")
        return data


@mutant("utf8.request-escapes", profile="openai")
class KnowsNoEscapes(Chat):
    def read(self, body: bytes) -> Object:
        return super().read(body.replace(b"\\u", b"\\x"))


@mutant("utf8.bad-request", profile="openai")
class CrashesAtBadUTF8(Chat):
    async def answer(self, stream: ByteStream, request: Answering) -> None:
        try:
            request.body.decode()
        except UnicodeDecodeError:
            await self.send_whole(stream, 500, b"Internal Server Error", request)
        else:
            await super().answer(stream, request)


# What this file does not do: options (openai_options.py) and errors (openai_errors.py).
