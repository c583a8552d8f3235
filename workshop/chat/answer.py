"""One answer, from the question to its end, with its text and its statistics.

    TTFT 0.31 s · 34 tokens · 41.2/s · req_426b… · complete
"""

import time
from enum import Enum
from typing import Protocol

import msgspec
import trio

from clients.chat import SILENCE, APIError, ChatError, CutOffError, stream_chat
from clients.http.errors import ConnectError, RequestError
from clients.tap import WireObserver
from protocol.openai.chat_completions import ChatRequest, RequestMessage, StreamOptions
from protocol.openai.deltas import ChatDelta
from protocol.secret import Secret

from ..language import N_, _, n_

__all__ = ["LOCAL_URL", "Answer", "AnswerView", "ChatAPI", "Conversation", "Ending", "ask"]

LOCAL_URL = "http://localhost:8000/v1"  # the address of the server that `workshop` starts


N_("the stream ended without a finish_reason and without [DONE]")  # said by clients/chat.py


class Ending(Enum):
    """How an answer ended, with the words that are shown, and the exit code after a single
    question."""

    COMPLETE = N_("complete"), 0
    ERROR = N_("error"), 1
    CUT_OFF = N_("cut off"), 3
    LENGTH = N_("length limit"), 4
    STOPPED = N_("stopped by you"), 130

    @property
    def exit_code(self) -> int:
        return self.value[1]


class ChatAPI(msgspec.Struct, frozen=True):
    """The API to ask.

    Args:
        base_url: Base URL of an OpenAI-compatible API.
        key: The key for the API, or None.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        include_usage: Whether to ask for the number of tokens. A few servers refuse this.
        silence: Seconds without an event after which the client gives up.
    """

    base_url: str
    key: Secret | None = None
    ca_file: str | None = None
    include_usage: bool = True
    silence: float = SILENCE


class Conversation(msgspec.Struct):
    """The messages sent with each question, because the server remembers nothing."""

    model: str
    system: str = ""
    messages: list[RequestMessage] = []

    def request(self, question: str, include_usage: bool) -> ChatRequest:
        system = [RequestMessage("system", self.system)] if self.system else []
        messages = [*system, *self.messages, RequestMessage("user", question)]
        options = StreamOptions(include_usage=True) if include_usage else None
        return ChatRequest(self.model, messages, stream_options=options)

    def add(self, question: str, answer: str) -> None:
        """Keep a question and its answer. A question without an answer is not kept."""
        if answer:
            self.messages += [RequestMessage("user", question), RequestMessage("assistant", answer)]


class Answer(msgspec.Struct):
    """The text of an answer, and its statistics.

    Attributes:
        pieces: Number of deltas with text or thinking.
        tokens: Number of tokens as the server counts them, or None.
        first, last: Seconds from the question to the first and to the last of these deltas.
        reason: The reason why the answer ended: an error, or a rare `finish_reason`.
    """

    text: str = ""
    pieces: int = 0
    tokens: int | None = None
    first: float = 0.0
    last: float = 0.0
    request_id: str | None = None
    ending: Ending = Ending.COMPLETE
    reason: str = ""

    def stats(self) -> str:
        """Return the line of statistics to show below an answer."""
        words = []
        if self.pieces:
            words.append(_("TTFT {seconds:.2f} s", seconds=self.first))
            if self.tokens is None:
                many = self.pieces
                words.append(n_("{n} piece", "{n} pieces", many))
            else:
                many = self.tokens
                words.append(n_("{n} token", "{n} tokens", many))
            if self.pieces > 1 and self.last > self.first:
                # n tokens have n - 1 gaps.
                words.append(f"{(many - 1) / (self.last - self.first):.1f}/s")
        if self.request_id:
            words.append(self.request_id)
        return " · ".join([*words, self.outcome])

    @property
    def outcome(self) -> str:
        """How the answer ended, in words."""
        ending = _(self.ending.value[0])
        if not self.reason:
            return ending
        return _("{ending}: {reason}", ending=ending, reason=self.reason)


class AnswerView(Protocol):
    """Shows an answer while it arrives."""

    def thinking(self, piece: str) -> None: ...
    def text(self, piece: str) -> None: ...


async def ask(
    api: ChatAPI,
    request: ChatRequest,
    view: AnswerView,
    stop: trio.CancelScope,
    observer: WireObserver | None = None,
) -> Answer:
    """Ask, show the answer while it arrives, and return it.

    Args:
        api: The API to ask.
        request: The request to send.
        view: The view that shows the answer.
        stop: A cancel scope that, when it is cancelled, stops the answer.
        observer: Its methods are called with the bytes and the events.
    """
    answer = Answer(ending=Ending.STOPPED)
    asked = time.perf_counter()
    with stop:
        try:
            async with stream_chat(
                api.base_url,
                request,
                key=api.key,
                ca_file=api.ca_file,
                observer=observer,
                silence=api.silence,
            ) as stream:
                answer.request_id = stream.request_id
                async for delta in stream:
                    _add(answer, delta, time.perf_counter() - asked)
                    if delta.thinking:
                        view.thinking(delta.thinking)
                    if delta.said:
                        view.text(delta.said)
                answer.ending, answer.reason = _ending(stream.finish_reason)
        except CutOffError as error:
            answer.ending, answer.reason = Ending.CUT_OFF, _(str(error))
        except APIError as error:
            answer.ending, answer.reason = Ending.ERROR, str(error)
            if error.retry_after:
                answer.reason = _(
                    "{error}; try again in {seconds} s", error=error, seconds=error.retry_after
                )
            answer.request_id = error.request_id
        except (ChatError, RequestError, ValueError) as error:
            answer.ending, answer.reason = Ending.ERROR, str(error)
            if isinstance(error, ConnectError) and api.base_url == LOCAL_URL:
                here = LOCAL_URL
                answer.reason = _("nothing listens at {url}; start it with: workshop", url=here)
    return answer


def _add(answer: Answer, delta: ChatDelta, now: float) -> None:
    if delta.usage:
        answer.tokens = delta.usage.completion_tokens
    if delta.said or delta.thinking:
        answer.text += delta.said
        answer.pieces += 1
        answer.last = now
        if answer.pieces == 1:
            answer.first = now


def _ending(finish_reason: str | None) -> tuple[Ending, str]:
    match finish_reason:
        case "length":
            return Ending.LENGTH, ""
        case None | "stop":
            return Ending.COMPLETE, ""
        case "error" | "network_error":  # sent by a gateway whose upstream has failed
            return Ending.ERROR, _("the server only says {reason}", reason=finish_reason)
        case other:
            return Ending.COMPLETE, other
