"""Mutants of the family openai: wrong refusals, and wrong errors after the head."""

import json
from typing import Any

from clients.streams.tcp import ByteStream

from . import mutant
from .good import Answering
from .openai_good import Chat, Object, Refusal

# Every case that needs a refusal fails with these.
ALL = ("openai.error-*", "utf8.bad-request")


@mutant("openai.bad-json", also=ALL, profile="openai")
class CrashesAtABadBodyOfChat(Chat):
    def read(self, body: bytes) -> Object:
        try:
            return super().read(body)
        except Refusal as refusal:
            refusal.status = 500 if refusal.param is None else refusal.status
            raise


@mutant(
    "openai.bad-json", "openai.missing-messages", "openai.wrong-type", also=ALL, profile="openai"
)
class RefusesWithStatus200(Chat):
    async def send_refusal(self, stream: ByteStream, request: Answering, error: Refusal) -> None:
        error.status = 200 if error.status == 400 else error.status
        await super().send_refusal(stream, request, error)


@mutant("openai.missing-messages", profile="openai")
class AnswersWithoutMessages(Chat):
    def check_subject(self, asked: Object) -> None:
        if "messages" in asked:
            super().check_subject(asked)


@mutant("openai.wrong-type", profile="openai")
class AnswersAnyType(Chat):
    subject_types = (object,)


@mutant("openai.error-is-json", "openai.error-shape", "openai.error-fields", profile="openai")
class RefusesWithAPage(Chat):
    async def send_refusal(self, stream: ByteStream, request: Answering, error: Refusal) -> None:
        page = f"<h1>{error.status}</h1>".encode()
        await self.send_whole(stream, error.status, page, request, content_type="text/html")


@mutant("openai.error-is-json", profile="openai")
class CallsItsErrorsText(Chat):
    async def send_refusal(self, stream: ByteStream, request: Answering, error: Refusal) -> None:
        body = json.dumps(self.error(error)).encode()
        await self.send_whole(stream, error.status, body, request)


@mutant("openai.error-shape", also=("openai.error-fields",), profile="openai")
class RefusesLikeFastAPI(Chat):
    def error(self, error: Refusal) -> Object:
        return {"detail": [{"loc": ["body"], "msg": str(error)}]}


@mutant("openai.error-shape", profile="openai")
class LeavesOutTheType(Chat):
    def error(self, error: Refusal) -> Object:
        return {"error": {"message": str(error), "param": None, "code": None}}


@mutant("openai.error-fields", profile="openai")
class LeavesOutTheCode(Chat):
    def error(self, error: Refusal) -> Object:
        return {"error": {"message": str(error), "type": "invalid_request_error", "param": None}}


@mutant("openai.error-fields", profile="openai")
class SendsTheStatusAsCode(Chat):
    def error(self, error: Refusal) -> Object:
        fields = super().error(error)["error"]
        return {"error": fields | {"code": error.status}}


@mutant("openai.models-list", profile="openai")
class ListsModelsBare(Chat):
    def models(self) -> Any:
        return super().models() | {"data": ["good-1"]}


# ---- After the head


@mutant("openai.error-is-an-event", profile="openai")
class WritesABareError(Chat):
    def failure(self, events: list[bytes]) -> list[bytes]:
        return [b'{"error":{"message":"The model failed.","type":"server_error"}}\n\n']


@mutant("openai.error-event-shape", profile="openai")
class SendsAnErrorAsText(Chat):
    def failure(self, events: list[bytes]) -> list[bytes]:
        return [self.encode({"error": "The model failed."})]


@mutant("openai.error-ends", profile="openai")
class SpeaksAfterAnError(Chat):
    def failure(self, events: list[bytes]) -> list[bytes]:
        return [*super().failure(events), *events[self.fault_at :]]
