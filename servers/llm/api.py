"""The routes of the OpenAI API, answered by the simulated model.

    POST /v1/chat/completions    written by chat_completions.py
    POST /v1/responses           written by responses.py
    GET  /v1/models, /v1/models/{id}

    request ─► Question ─► the model ─► Answer ─► a sequence of the engine ─► the writer's bytes
                                                                           ─► a fault, on request

The routes share everything except their reader and their writer.
"""

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice, repeat
from typing import Literal, Protocol, TypeVar

import msgspec
import trio

from protocol.openai.chat_completions import read_chat_request
from protocol.openai.common import ErrorBody, InvalidRequest
from protocol.openai.responses import read_responses_request

from ..http.api_replies import error_reply, json_reply
from ..http.reply import EventStream, Handler, Reply, Request, StreamingReply
from .engine import Engine, TokenSequence
from .faults import Fault, Faults
from .json_size import check_size
from .model.conversation import Answer, Question
from .model.models import Model, count_tokens
from .pace import PROFILES, Pace
from .recorded import RecordedResponse
from .turns import Turns, Work
from .verdict.watching import Watcher
from .writers import chat_completions, responses
from .writers.chat_completions import ChatWriter, ReasoningField
from .writers.responses import ResponsesWriter
from .writers.token_source import StreamWriter, TokenSource

__all__ = ["API", "Settings", "Writer"]

CHAT_COMPLETIONS = "POST /v1/chat/completions"
RESPONSES = "POST /v1/responses"

# Size of a large body, in bytes. The values of a larger body are counted before it is parsed, in a
# turn of its own.
LARGE_BODY = 16 << 10

# Number of bytes of JSON that are parsed in the time of one unit of work (turns.py).
JSON_BYTES = 64

T = TypeVar("T")

MAX_PROMPT = 2_000_000  # characters; this takes the place of the model's context length


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the operator of the server chooses.

    Args:
        reasoning_field: Name of the field of a chat completion that holds the model's reasoning.
        strict_models: Whether the name of an unknown model is refused with 404. Otherwise `sim-1`
            answers to any name, because real clients send names like `gpt-4o-mini`.
        faults: The rate of each fault: {"rst@5": 0.1} injects `rst@5` into a tenth of all answers.
        seed: Seed of the random choice of faults.
        recordings: Recorded responses, by the names of the models that answer with them.
    """

    reasoning_field: ReasoningField = "reasoning_content"
    strict_models: bool = False
    faults: Mapping[str, float] = {}
    seed: int = 0
    recordings: Mapping[str, RecordedResponse] = {}


class Writer(StreamWriter, Protocol):
    """Turns answers into the bytes that one route sends."""

    async def whole(self, work: Work) -> msgspec.Struct:
        """The same answers as one JSON object."""


class ModelObject(msgspec.Struct, frozen=True):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "workshop"


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    object: Literal["list"] = "list"
    data: list[ModelObject]


class API:
    """The handlers of the routes.

    Args:
        pace: The speed at which the model speaks.
        engine: The engine that steps the answers.
        model: The model that makes the answers.
        settings: The operator's choices.
        watcher: Watches what clients do with the faults.
    """

    def __init__(
        self,
        pace: Pace,
        engine: Engine,
        model: Model,
        settings: Settings,
        watcher: Watcher | None = None,
    ) -> None:
        self._pace = pace
        self._engine = engine
        self._model = model
        self._settings = settings
        self._watcher = watcher or Watcher()
        self._turns = Turns()
        self._faults = Faults()
        self._chance = random.Random(settings.seed)

    @property
    def seed(self) -> int:
        """The model's seed. An answer is a function of the seed and the question."""
        return self._model.seed

    @property
    def table(self) -> dict[str, Handler]:
        """The routes and their handlers, for `Routes`."""
        return {
            CHAT_COMPLETIONS: self.admitted(CHAT_COMPLETIONS, _refusing(self._chat_completions)),
            RESPONSES: self.admitted(RESPONSES, _refusing(self._responses)),
        } | {
            route: self._engine.admission.guard(route, _refusing(handler))
            for route, handler in {
                "GET /v1/models": self._list_models,
                "GET /v1/models/{id}": self._show_model,
                "GET /v1/{path}": self._no_such_route,
                "POST /v1/{path}": self._no_such_route,
            }.items()
        }

    def admitted(self, route: str, handler: Handler) -> Handler:
        """Limit a handler to as many requests at a time as the engine can run and queue. Every
        handler that calls `answer` must be limited in this way."""
        return self._engine.admission.guard(route, handler, _busy)

    # ---- The routes

    async def _chat_completions(self, request: Request) -> Reply | StreamingReply:
        asked, question = await self._read(request, read_chat_request, chat_completions.question_of)
        make_writer = partial(
            ChatWriter,
            asked,
            id=f"chatcmpl-{os.urandom(12).hex()}",
            created=int(time.time()),
            reasoning_field=self._settings.reasoning_field,
        )
        return await self.answer(request, question, make_writer, stream=bool(asked.stream))

    async def _responses(self, request: Request) -> Reply | StreamingReply:
        asked, question = await self._read(request, read_responses_request, responses.question_of)
        make_writer = partial(
            ResponsesWriter, asked, id=f"resp_{os.urandom(24).hex()}", created=int(time.time())
        )
        return await self.answer(request, question, make_writer, stream=bool(asked.stream))

    async def _read(
        self,
        request: Request,
        read: Callable[[bytes], T],
        question_of: Callable[[T], Question],
    ) -> tuple[T, Question]:
        """Parse the body of a request. Returns the parsed body, and its question for the model."""
        # RFC 9110 §15.5.16: 415 "might be due to the request's indicated Content-Encoding".
        coding = request.header("content-encoding")
        if coding and coding.strip().lower() != "identity":
            message = f"Send the body without a content coding, not with {coding[:80]}"
            raise InvalidRequest(message, None, "unsupported_content_encoding", status=415)
        if len(request.body) > LARGE_BODY:
            with self._turns.work() as work:
                await check_size(request.body, work)
                await work.spend(len(request.body) // JSON_BYTES)
        asked = read(request.body)  # still in the turn of its work: nothing else has run
        return asked, question_of(asked)

    async def _list_models(self, request: Request) -> Reply:
        return json_reply(ModelList(data=[ModelObject(name) for name in self._names]))

    async def _show_model(self, request: Request) -> Reply:
        name = request.params["id"]
        self._check_model(name)
        return json_reply(ModelObject(name))

    async def _no_such_route(self, request: Request) -> Reply:
        message = f"There is no route {request.path[:80]}. There are: {CHAT_COMPLETIONS}, "
        message += f"{RESPONSES}, GET /v1/models, GET /v1/models/{{id}}"
        return error_reply(404, ErrorBody(message, "invalid_request_error", None, "unknown_url"))

    # ---- One answer

    async def answer(
        self,
        request: Request,
        question: Question,
        make_writer: Callable[[Sequence[Answer], int], Writer],
        *,
        stream: bool,
        fault: str = "",
        after: int = 0,
    ) -> Reply | StreamingReply:
        """Answer a question.

        Args:
            make_writer: A function that makes the writer from the answers and the prompt's number
                of tokens.
            stream: Whether to send events, token by token, instead of one JSON object.
            fault: The fault to inject, unless the request names one.
            after: Number of tokens that the client already has. The writer leaves them out.

        Raises:
            InvalidRequest: There is no such model, pace or fault, or the question is too long.
        """
        if self._watcher.script:
            question = msgspec.structs.replace(question, model=self._watcher.script)
        self._check_model(question.model)
        if recorded := self._settings.recordings.get(question.model):
            if request.method == "HEAD":
                raise InvalidRequest("A recorded response answers GET and POST, not HEAD.")
            return recorded.reply()
        # A character takes at least one byte, and only a body can have so many.
        if len(request.body) > MAX_PROMPT and question.size > MAX_PROMPT:
            message = f"The prompt is longer than {MAX_PROMPT} characters."
            raise InvalidRequest(message, None, "context_length_exceeded")
        pace = self._pace_of(request)
        spec = request.header("x-fault") or fault or self._fault_of(question.model)
        spec = spec or self._watcher.planned(stream)
        chosen = self._take(spec, request) if spec else None
        self._watcher.note(request, chosen, spec, stream)
        if chosen and chosen.replaces:
            return self._watcher.attend(request, chosen.apply(Reply()))
        work = self._turns.work()
        with work:
            prompt_tokens = 0
            for turn in question.turns:
                prompt_tokens += await count_tokens(turn.text, work)
            answers = await self._model.answers(question, work)
            if len(request.body) > LARGE_BODY:
                await work.spend(len(request.body) // JSON_BYTES)
            writer = make_writer(answers, prompt_tokens)
        if not chosen and answers[0].fault:
            chosen = self._take(answers[0].fault, request)
            self._watcher.note(request, chosen, answers[0].fault, stream)
        if chosen:
            self._watcher.note_answer(request, answers[0])
        seed = self._model.seed_of(question) if pace.spread else 0
        gaps, prefill = pace.gaps(seed), pace.prefill(prompt_tokens, seed)
        if after and (after := min(after, answers[0].completion_tokens)):
            gaps, prefill = islice(gaps, after, None), 0.0
        reply: Reply | StreamingReply
        if stream:
            source = TokenSource(self._engine, writer, gaps, prefill, at_once=not pace.itl)
            reply = EventStream(source)
        else:
            tokens = max([answer.completion_tokens for answer in answers])
            if pace.itl or prefill or not self._engine.make_at_once(tokens):
                steps, many = repeat(b"", tokens), None if pace.itl else _nowhere
                sequence = TokenSequence(steps, gaps, prefill, _nowhere, many)
                await self._engine.drive(sequence, flush=trio.lowlevel.checkpoint)
            with work:
                reply = json_reply(await writer.whole(work))
        return self._watcher.attend(request, _with_fault(reply, chosen)) if chosen else reply

    def _check_model(self, name: str) -> None:
        if not (self._settings.strict_models or name.startswith(("script:", "recording:"))):
            return  # `sim-1` answers under any name
        if name not in self._names and not name.startswith(FAULT_MODEL):
            there_are = ", ".join(self._names)
            message = f"The model {name[:80]!r} does not exist. There are: {there_are}"
            raise InvalidRequest(message, "model", "model_not_found", status=404)

    @property
    def _names(self) -> list[str]:
        """The names of all models."""
        return [*self._model.names, *self._settings.recordings]

    def _pace_of(self, request: Request) -> Pace:
        """Return the pace that the header `X-Pace` names, or the one in force."""
        name = request.header("x-pace")
        if name and name not in PROFILES:
            message = f"no such pace: {name[:80]!r}. There are {', '.join(PROFILES)}"
            raise InvalidRequest(message, "x-pace", "unknown_pace")
        return PROFILES[name] if name else self._watcher.pace or self._pace

    # ---- Faults

    def _fault_of(self, model: str) -> str:
        """Return the fault that the model's name asks for, or one chosen at random."""
        if model.startswith(FAULT_MODEL):
            return model.removeprefix(FAULT_MODEL)
        for spec, rate in self._settings.faults.items():
            if self._chance.random() < rate:
                return spec
        return ""

    def _take(self, spec: str, request: Request) -> Fault | None:
        try:
            key = (*self._watcher.key(request), request.path, request.body)
            return self._faults.take(spec, key)
        except ValueError as error:
            raise InvalidRequest(str(error), "x-fault", "unknown_fault") from error


FAULT_MODEL = "fault-"


def _nowhere(written: object, now: float) -> bool:
    """The tokens of a whole answer are not written one by one."""
    return True


def _with_fault(reply: Reply | StreamingReply, fault: Fault) -> Reply | StreamingReply:
    try:
        return fault.apply(reply)
    except ValueError as error:
        raise InvalidRequest(str(error), "x-fault") from error


def _refusing(handler: Handler) -> Handler:
    """Return the same handler. An `InvalidRequest` of the handler becomes an error response of the
    API."""

    async def answered(request: Request) -> Reply | StreamingReply:
        try:
            return await handler(request)
        except InvalidRequest as invalid:
            refusal = invalid
        except RecursionError:  # a schema of a thousand levels can be parsed, but no more
            refusal = InvalidRequest("The body is nested too deeply.")
        kind = "invalid_request_error"
        error = ErrorBody(str(refusal), kind, refusal.param, refusal.code)
        # RFC 9110 §12.5.3: a 415 because of a content coding "ought to" name the accepted ones.
        accepted = (("Accept-Encoding", "identity"),) if refusal.status == 415 else ()
        return error_reply(refusal.status, error, accepted)

    return answered


def _busy() -> Reply:
    error = ErrorBody("The model's batch and its queue are full.", "server_error")
    return error_reply(503, error, (("Retry-After", "1"),))
