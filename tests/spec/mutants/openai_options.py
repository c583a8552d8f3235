"""Mutants of the family openai: options of a request that are ignored, or done wrong."""

from clients.streams.tcp import ByteStream

from . import mutant
from .good import Answering
from .openai_good import Chat, Object, Refusal


def left_out(fields: Object, name: str) -> Object:
    """The same object without this field."""
    return {key: value for key, value in fields.items() if key != name}


# ---- The usage


@mutant("openai.usage-when-asked", profile="openai")
class IgnoresIncludeUsage(Chat):
    def includes_usage(self, asked: Object) -> bool:
        return False


@mutant("openai.usage-when-asked", profile="openai")
class SendsUsageFirst(Chat):
    def chunks(self, asked: Object) -> list[Object]:
        chunks = super().chunks(asked)
        return [chunks[-1], *chunks[:-1]] if self.includes_usage(asked) else chunks


@mutant("openai.usage-chunk-has-no-choices", profile="openai")
class SendsUsageWithTheFinish(Chat):
    def chunks(self, asked: Object) -> list[Object]:
        chunks = super().chunks(asked)
        if not self.includes_usage(asked):
            return chunks
        return [*chunks[:-2], chunks[-2] | {"usage": self.usage()}]


@mutant("openai.usage-null-elsewhere", profile="openai")
class CountsInEachChunk(Chat):
    def finished(self, chunk: Object, number: int) -> Object:
        return chunk | {"usage": self.usage()} if "usage" in chunk else chunk


@mutant("openai.usage-adds-up", profile="openai")
class CannotAdd(Chat):
    def usage(self) -> Object:
        return super().usage() | {"total_tokens": 19}


# ---- How much text


@mutant("openai.n", profile="openai")
class IgnoresN(Chat):
    def count_of(self, asked: Object) -> int:
        return 1


@mutant("openai.n", profile="openai")
class GivesOnlyTheFirstARole(Chat):
    def choices(self, asked: Object, index: int) -> list[Object]:
        return super().choices(asked, index)[bool(index) :]


@mutant("openai.max-tokens", profile="openai")
class IgnoresMaxTokens(Chat):
    def chunks(self, asked: Object) -> list[Object]:
        return super().chunks(left_out(asked, "max_tokens"))


@mutant("openai.max-tokens", profile="openai")
class CallsACutAnswerWhole(Chat):
    def reason(self, asked: Object) -> str:
        return super().reason(left_out(asked, "max_tokens"))


@mutant("openai.stop", profile="openai")
class IgnoresStop(Chat):
    def text(self, asked: Object) -> tuple[str, ...]:
        return super().text(asked | {"stop": []})


@mutant("openai.stop", profile="openai")
class StopsAfterTheSequence(Chat):
    def text(self, asked: Object) -> tuple[str, ...]:
        stops = asked.get("stop") or []
        return (*super().text(asked), *stops)


# ---- Log probabilities


@mutant("openai.logprobs-shape", profile="openai")
class SendsProbabilities(Chat):
    def logprobs(self, token: str) -> list[Object]:
        return [one | {"logprob": 0.6} for one in super().logprobs(token)]


@mutant("openai.logprobs-shape", profile="openai")
class SendsTokensAsNumbers(Chat):
    def logprobs(self, token: str) -> list[Object]:
        return [one | {"token": 17} for one in super().logprobs(token)]


@mutant("openai.logprobs-join", profile="openai")
class SendsCodePointsAsBytes(Chat):
    def logprobs(self, token: str) -> list[Object]:
        return [one | {"bytes": [ord(c) % 256 for c in token]} for one in super().logprobs(token)]


# ---- Tools


@mutant("openai.tool-index", profile="openai")
class SendsCallsWithoutIndex(Chat):
    def call(self) -> list[Object]:
        return [
            {name: piece[name] for name in piece if name != "index"} for piece in super().call()
        ]


@mutant("openai.tool-opening", profile="openai")
class SendsCallsWithoutID(Chat):
    def call(self) -> list[Object]:
        return [left_out(piece, "id") for piece in super().call()]


@mutant("openai.tool-name-once", profile="openai")
class RepeatsTheCallsName(Chat):
    def call(self) -> list[Object]:
        opening, *pieces = super().call()
        named = [{**one, "function": {"name": "get_weather", **one["function"]}} for one in pieces]
        return [opening, *named]


@mutant("openai.tool-arguments-join", profile="openai")
class RepeatsTheArgumentsSoFar(Chat):
    def call(self) -> list[Object]:
        opening, *pieces = super().call()
        texts = [piece["function"]["arguments"] for piece in pieces]
        so_far = ["".join(texts[: number + 1]) for number in range(len(texts))]
        return [opening, *({"index": 0, "function": {"arguments": text}} for text in so_far)]


@mutant("openai.tool-arguments-join", profile="openai")
class LosesTheEndOfTheArguments(Chat):
    def call(self) -> list[Object]:
        return super().call()[:-1]


@mutant("openai.tool-finish", profile="openai")
class FinishesACallWithStop(Chat):
    def reason(self, asked: Object) -> str:
        return super().reason(left_out(asked, "tools"))


# ---- Other requests


@mutant("openai.not-streamed", "openai.stream-is-off", profile="openai")
class AlwaysStreams(Chat):
    def streams(self, asked: Object) -> bool:
        return True


@mutant("openai.stream-is-off", profile="openai")
class StreamsByDefault(Chat):
    def streams(self, asked: Object) -> bool:
        return bool(asked.get("stream", True))


@mutant("openai.not-streamed", "openai.stream-is-off", profile="openai")
class AnswersWithOneChunk(Chat):
    def whole(self, asked: Object) -> Object:
        return self.chunk(self.choices(asked, 0)[1:2])


@mutant("openai.content-parts", profile="openai")
class RefusesParts(Chat):
    def check(self, asked: Object) -> None:
        super().check(asked)
        for message in asked["messages"]:
            if not isinstance(message["content"], str):
                raise Refusal("content must be a string")


@mutant("openai.unknown-fields", profile="openai")
class ForbidsUnknownFields(Chat):
    def check(self, asked: Object) -> None:
        super().check(asked)
        if "x_spec_unknown" in asked:
            raise Refusal("extra fields not permitted", 422)


@mutant("openai.unknown-model", profile="openai")
class CrashesAtUnknownModels(Chat):
    async def send_refusal(self, stream: ByteStream, request: Answering, error: Refusal) -> None:
        error.status = 500 if error.status == 404 else error.status
        await super().send_refusal(stream, request, error)
