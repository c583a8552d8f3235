"""`GET /chat/{text}`: an answer as named events, for a browser's `EventSource`; it can be resumed.

    event: thinking
    id: 0-1                      seed 0 of the model, token 1
    retry: 1000                  on the first event: reconnect after so many milliseconds
    data: {"text":"The"}

    id: 0-17
    data: {"text":"#"}

    event: done
    id: 0-end
    data: {"finish_reason":"stop"}

An `EventSource` that loses its connection sends the request again, with `Last-Event-ID: 0-17`. No
server needs to remember the answer, because it is a function of the question and the seed: any
replica that gets the id makes the same answer and continues after token 17. A service with a real
model would have to store its answers, but the id could be the same.

The rules this file keeps:

1. Every event has an id. The id holds everything that a replica with another seed needs to
   continue.
2. Events that the client already has are not sent again. The prompt is not read again, so the first
   token is due at once, and the gaps after it are the same as in the first answer.
3. A client that asks again after `done` gets 204: "Clients will reconnect if the connection is
   closed; a client can be told to stop reconnecting using the HTTP 204 No Content response code."
   (WHATWG HTML §9.2.1)
4. An id that is not ours is ignored, because an error would end the `EventSource` for good: the
   answer starts from its beginning. A position after the end counts as the end.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple
from urllib.parse import parse_qs

import msgspec

from protocol.openai.chat_completions import FinishReason
from protocol.openai.common import InvalidRequest
from protocol.sse import ServerSentEvent, encode_event

from ...http.reply import Handler, Reply, Request, StreamingReply
from ..api import API
from ..model.conversation import Answer, Question, Turn
from ..model.models import MODEL
from ..turns import Work

__all__ = ["ROUTE", "EventID", "NamedEvents", "handler"]

ROUTE = "GET /chat/{text}"
RECONNECTION_TIME = 1000  # milliseconds

END = "end"
# The pattern allows only as many digits as our seeds and positions have, so that no huge number is
# parsed.
ID = re.compile(r"(-?[0-9]{1,19})-(?:([0-9]{1,9})|end)")


class EventID(NamedTuple):
    """The id of an event, which tells what part of an answer a client has.

    Args:
        seed: Seed of the model that gave the answer.
        position: Number of tokens that the client has, or None if it has all of them and `done`.
    """

    seed: int
    position: int | None = 0

    def __str__(self) -> str:
        return f"{self.seed}-{END if self.position is None else self.position}"

    @classmethod
    def read(cls, last_event_id: str) -> "EventID | None":
        """Read an id that `str` has written. Returns None for any other text."""
        found = ID.fullmatch(last_event_id)
        if found is None:
            return None
        return cls(int(found[1]), None if found[2] is None else int(found[2]))


class TextData(msgspec.Struct, frozen=True):
    """The data of a `thinking` or `message` event."""

    text: str


class DoneData(msgspec.Struct, frozen=True):
    """The data of the `done` event."""

    finish_reason: FinishReason


class NamedEvents:
    """Writes an answer as named events.

    Args:
        answers: Exactly one answer.
        prompt_tokens: Number of tokens in the prompt.
        after: Id of the last event that the client has.
    """

    opening = b""

    def __init__(self, answers: Sequence[Answer], prompt_tokens: int, *, after: EventID) -> None:
        (self._answer,) = answers
        self._after = after

    def steps(self) -> Iterator[bytes]:
        """The bytes of each step of the engine, without the tokens that the client already has."""
        answer, seed, position = self._answer, *self._after
        named = [("thinking", token) for token in answer.thinking]
        named += [("message", token) for token in answer.text]
        retry: int | None = RECONNECTION_TIME
        for number, (name, token) in islice(enumerate(named, 1), position, None):
            yield _event(name, TextData(token), EventID(seed, number), retry)
            retry = None

    @property
    def last(self) -> bytes:
        """The bytes to send in one write with the end of the body."""
        return _event("done", self._done, EventID(self._after.seed, None))

    async def whole(self, work: Work) -> DoneData:
        return self._done

    @property
    def _done(self) -> DoneData:
        return DoneData(self._answer.finish_reason)


def _event(name: str, data: msgspec.Struct, id: EventID, retry: int | None = None) -> bytes:
    text = msgspec.json.encode(data).decode()
    return encode_event(ServerSentEvent(name, text, str(id), retry))


def handler(api: API, make_writer: type[NamedEvents] = NamedEvents) -> Handler:
    """Return the handler of `GET /chat/{text}`, which answers from the beginning, or after a
    `Last-Event-ID`."""

    async def chat(request: Request) -> Reply | StreamingReply:
        start = EventID.read(request.header("last-event-id") or "") or EventID(api.seed)
        if start.position is None:
            return Reply(status=204)
        # An EventSource cannot set headers, so the options are in the query.
        options = {name: values[-1] for name, values in parse_qs(request.query).items()}
        question = Question(
            model=options.get("model", MODEL),
            turns=[Turn("user", request.params["text"])],
            seed=start.seed - api.seed,
        )
        try:
            return await api.answer(
                request,
                question,
                partial(make_writer, after=start),
                stream=True,
                fault=options.get("fault", ""),
                after=start.position,
            )
        except InvalidRequest as error:
            return Reply(f"400 Bad Request\n\n{error}\n", 400)

    return api.admitted(ROUTE, chat)
