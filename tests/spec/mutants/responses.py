"""Mutants of the family responses."""

from clients.streams.tcp import ByteStream

from . import mutant
from .good import Answering
from .openai_good import ARGUMENTS, Object, Refusal, is_plain
from .responses_good import Responses

# ---- Each event


@mutant("responses.stream-is-events", also=("sse.content-type",), profile="responses")
class NeverStreamsResponses(Responses):
    def streams(self, asked: Object) -> bool:
        return False


@mutant("responses.json", profile="responses")
class WritesAnEventThatIsNotJSON(Responses):
    def stream_events(self, asked: Object) -> list[bytes]:
        events = super().stream_events(asked)
        return [*events[:-1], b"data: bye\n\n", events[-1]]


@mutant("responses.type", profile="responses")
class WritesTheTypeOnlyAsEvent(Responses):
    def encode_data(self, event: Object) -> bytes:
        kept = event if event["type"] != "response.output_text.done" else event | {"type": None}
        return super().encode_data(kept)


@mutant("responses.event-name", profile="responses")
class WritesTheTypeOnlyAsData(Responses):
    def encode(self, event: Object) -> bytes:
        return self.encode_data(event)


@mutant("responses.no-ids", profile="responses")
class NumbersItsEventsWithIDs(Responses):
    def encode(self, event: Object) -> bytes:
        return b"id: %d\n%b" % (event["sequence_number"], super().encode(event))


@mutant("responses.sequence-number", profile="responses")
class SkipsANumber(Responses):
    def numbered(self, events: list[Object]) -> list[Object]:
        return [
            event | {"sequence_number": number + (number > 5)}
            for number, event in enumerate(events)
        ]


@mutant("responses.sequence-number", profile="responses")
class CountsEventsFromOne(Responses):
    def numbered(self, events: list[Object]) -> list[Object]:
        return [event | {"sequence_number": number} for number, event in enumerate(events, 1)]


# ---- The order


class Reordered(Responses):
    """Changes the events of a request without options."""

    def stream(self, asked: Object) -> list[Object]:
        events = super().stream(asked)
        return self.edited(events) if is_plain(asked) else events

    def edited(self, events: list[Object]) -> list[Object]:
        return [self.changed(event) for event in events]

    def changed(self, event: Object) -> Object:
        return event


def without(events: list[Object], *types: str) -> list[Object]:
    return [event for event in events if event["type"] not in types]


@mutant("responses.created-first", profile="responses")
class NeverCreates(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return without(events, "response.created")


@mutant("responses.in-progress", profile="responses")
class IsNeverInProgress(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return without(events, "response.in_progress")


@mutant("responses.one-end", profile="responses")
class NeverEnds(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return events[:-1]


@mutant("responses.one-end", profile="responses")
class EndsTwice(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return [*events, events[-1]]


@mutant("responses.one-end", profile="responses")
class GoesOnAfterTheEnd(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return [*events, events[1]]


@mutant("responses.items-added-and-done", also=("responses.output-is-whole",), profile="responses")
class NeverEndsItsItem(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return without(events, "response.output_item.done")


@mutant("responses.items-added-and-done", also=("responses.output-is-whole",), profile="responses")
class EndsItsItemTwice(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return [*events[:-1], events[-2], events[-1]]


@mutant("responses.output-index", profile="responses")
class CountsItemsFromOne(Reordered):
    def changed(self, event: Object) -> Object:
        return event | {"output_index": 1} if "output_index" in event else event


@mutant("responses.deltas-in-items", profile="responses")
class AddsTheItemLate(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return [*events[:2], events[3], events[4], events[2], *events[5:]]


@mutant("responses.content-parts", profile="responses")
class AddsNoPart(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return without(events, "response.content_part.added", "response.content_part.done")


@mutant("responses.content-parts", profile="responses")
class NeverEndsItsPart(Reordered):
    def edited(self, events: list[Object]) -> list[Object]:
        return without(events, "response.content_part.done")


# ---- The same thing said twice


@mutant("responses.response-id", profile="responses")
class ChangesTheResponsesID(Responses):
    def ended(self, asked: Object) -> Object:
        return super().ended(asked) | {"id": "resp_2"}


@mutant("responses.item-ids", profile="responses")
class ChangesTheItemsID(Reordered):
    def changed(self, event: Object) -> Object:
        return event | {"item_id": "msg_2"} if "item_id" in event else event


@mutant("responses.done-repeats-deltas", profile="responses")
class TrimsTheWholeText(Reordered):
    def changed(self, event: Object) -> Object:
        return event | {"text": event["text"][:-1]} if "text" in event else event


@mutant("responses.item-done-is-whole", profile="responses")
class EndsItsItemEmpty(Reordered):
    def changed(self, event: Object) -> Object:
        if event["type"] != "response.output_item.done":
            return event
        return event | {"item": event["item"] | {"content": []}}


@mutant("responses.output-is-whole", profile="responses")
class EndsWithoutOutput(Reordered):
    def changed(self, event: Object) -> Object:
        if event["type"] != "response.completed":
            return event
        return event | {"response": event["response"] | {"output": []}}


# ---- Fields


@mutant("responses.required-fields", profile="responses")
class LeavesOutTheTime(Responses):
    def response(self, asked: Object, status: str) -> Object:
        response = super().response(asked, status)
        del response["created_at"]
        return response


@mutant("responses.open-fields", profile="responses")
class LeavesOutItsNulls(Responses):
    def response(self, asked: Object, status: str) -> Object:
        response = super().response(asked, status)
        return {name: value for name, value in response.items() if value is not None}


@mutant("responses.completed-at", profile="responses")
class IsCompletedBeforeItBegins(Responses):
    def ended(self, asked: Object) -> Object:
        return super().ended(asked) | {"completed_at": self.created + 2}

    def response(self, asked: Object, status: str) -> Object:
        return super().response(asked, status) | {"completed_at": self.created}


@mutant("responses.completed-at", profile="responses")
class NeverSaysWhenItCompleted(Responses):
    def ended(self, asked: Object) -> Object:
        return super().ended(asked) | {"completed_at": None}


@mutant("responses.status", also=("responses.completed-at",), profile="responses")
class IsInProgressAtTheEnd(Reordered):
    def changed(self, event: Object) -> Object:
        if event["type"] != "response.completed":
            return event
        return event | {"response": event["response"] | {"status": "in_progress"}}


@mutant("responses.delta-fields", also=("responses.item-ids",), profile="responses")
class LeavesOutTheItemsID(Reordered):
    def changed(self, event: Object) -> Object:
        return {name: value for name, value in event.items() if name != "item_id"}


@mutant("responses.delta-logprobs", profile="responses")
class LeavesOutTheLogprobs(Reordered):
    def changed(self, event: Object) -> Object:
        return {name: value for name, value in event.items() if name != "logprobs"}


@mutant("responses.usage", profile="responses")
class EndsWithoutUsage(Responses):
    def ended(self, asked: Object) -> Object:
        return super().ended(asked) | {"usage": None}


@mutant("responses.usage", profile="responses")
class AddsUpWrongly(Responses):
    def usage(self) -> Object:
        return super().usage() | {"total_tokens": 19}


# ---- Options


@mutant("responses.not-streamed", profile="responses")
class AlwaysStreamsResponses(Responses):
    def streams(self, asked: Object) -> bool:
        return True


@mutant("responses.incomplete", profile="responses")
class CallsACutResponseCompleted(Responses):
    def status(self, asked: Object) -> str:
        return "completed"


@mutant("responses.incomplete", profile="responses")
class GivesAnotherReason(Responses):
    def details(self) -> Object:
        return {"reason": "max_tokens"}


@mutant("responses.incomplete", profile="responses")
class IgnoresMaxOutputTokens(Responses):
    def stream(self, asked: Object) -> list[Object]:
        kept = {name: value for name, value in asked.items() if name != "max_output_tokens"}
        return super().stream(kept)


@mutant("responses.tool-arguments", profile="responses")
class RepeatsTheArguments(Responses):
    def arguments(self) -> tuple[str, ...]:
        return tuple("".join(ARGUMENTS[: end + 1]) for end in range(len(ARGUMENTS)))


@mutant("responses.tool-arguments", "responses.tool-call", profile="responses")
class SendsArgumentsAsAnObject(Responses):
    def call(self) -> Object:
        return super().call() | {"arguments": {"city": "北京"}}


@mutant("responses.tool-call", profile="responses")
class LeavesOutTheCallsID(Responses):
    def call(self) -> Object:
        return {name: value for name, value in super().call().items() if name != "call_id"}


# ---- Errors


@mutant(
    "responses.bad-json", also=("responses.error-shape", "utf8.bad-request"), profile="responses"
)
class CrashesAtABadBody(Responses):
    async def send_refusal(self, stream: ByteStream, request: Answering, error: Refusal) -> None:
        error.status = 500 if error.param is None else error.status
        await super().send_refusal(stream, request, error)


@mutant("responses.wrong-type", profile="responses")
class AnswersAnyInput(Responses):
    subject_types = (object,)


@mutant("responses.error-shape", profile="responses")
class SendsItsErrorAsText(Responses):
    def error(self, error: Refusal) -> Object:
        return {"error": str(error)}


@mutant("responses.unknown-fields", profile="responses")
class ForbidsFurtherFields(Responses):
    def check(self, asked: Object) -> None:
        super().check(asked)
        if "x_spec_unknown" in asked:
            raise Refusal("extra fields not permitted", 422)


@mutant("responses.error-event", profile="responses")
class FailsWithoutAMessage(Responses):
    def failure(self, events: list[bytes]) -> list[bytes]:
        return [self.encode({"type": "error", "sequence_number": 6, "code": "server_error"})]


@mutant("responses.error-event", profile="responses")
class WritesABareErrorOfResponses(Responses):
    def failure(self, events: list[bytes]) -> list[bytes]:
        return [b'{"error":{"message":"The model failed."}}\n\n']
