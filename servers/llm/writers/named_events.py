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

An `EventSource` that loses its connection asks again by itself, with `Last-Event-ID: 0-17`. No
server remembers it: the answer is a function of the question and the seed, so any replica that
gets the id makes the same answer and goes on behind token 17. A model of real weights would have to
keep its answer somewhere; the id would be the same.

The rules this file keeps:

1. Every event has an id, and it tells all that a replica with another seed must know.
2. What the client has is never sent again, and the model reads the prompt no second time: the first
   token is due at once, the gaps behind it are those it would have had.
3. After `done` a client that asks again gets 204: "Clients will reconnect if the connection is
   closed; a client can be told to stop reconnecting using the HTTP 204 No Content response code."
   (WHATWG HTML §9.2.1)
4. An id that is not ours is no error: an error would end the `EventSource` for good. The answer
   begins anew; a position behind its end is its end.
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

__all__ = ["ROUTE", "NamedEvents", "Place", "handler"]

ROUTE = "GET /chat/{text}"
RECONNECTION_TIME = 1000  # milliseconds

END = "end"
# No more digits than any seed or position of ours has: nothing is computed with an endless number.
ID = re.compile(r"(-?[0-9]{1,19})-(?:([0-9]{1,9})|end)")


class Place(NamedTuple):
    """How far a client has come in an answer.

    Args:
        seed: of the model that gave it.
        position: how many tokens the client has; None if it has all, and `done`.
    """

    seed: int
    position: int | None = 0

    def __str__(self) -> str:
        return f"{self.seed}-{END if self.position is None else self.position}"

    @classmethod
    def read(cls, last_event_id: str) -> "Place | None":
        """What `str` has written, or None for anything else."""
        found = ID.fullmatch(last_event_id)
        if found is None:
            return None
        return cls(int(found[1]), None if found[2] is None else int(found[2]))


class Text(msgspec.Struct, frozen=True):
    """The data of a `thinking` or `message` event."""

    text: str


class Done(msgspec.Struct, frozen=True):
    """The data of the `done` event."""

    finish_reason: FinishReason


class NamedEvents:
    """Writes an answer as named events.

    Args:
        answers: one.
        prompt_tokens: how many the model has read.
        after: where the client stands.
    """

    opening = b""

    def __init__(self, answers: Sequence[Answer], prompt_tokens: int, *, after: Place) -> None:
        (self._answer,) = answers
        self._after = after

    def steps(self) -> Iterator[bytes]:
        """The bytes of each step of the engine that the client does not have."""
        answer, seed, position = self._answer, *self._after
        named = [("thinking", token) for token in answer.thinking]
        named += [("message", token) for token in answer.text]
        retry: int | None = RECONNECTION_TIME
        for number, (name, token) in islice(enumerate(named, 1), position, None):
            yield _event(name, Text(token), Place(seed, number), retry)
            retry = None

    @property
    def last(self) -> bytes:
        """What leaves with the end of the body."""
        return _event("done", self._done, Place(self._after.seed, None))

    async def whole(self, work: Work) -> Done:
        return self._done

    @property
    def _done(self) -> Done:
        return Done(self._answer.finish_reason)


def _event(name: str, data: msgspec.Struct, place: Place, retry: int | None = None) -> bytes:
    text = msgspec.json.encode(data).decode()
    return encode_event(ServerSentEvent(name, text, str(place), retry))


def handler(api: API, make_writer: type[NamedEvents] = NamedEvents) -> Handler:
    """Answers `GET /chat/{text}`, from the beginning or from a `Last-Event-ID`."""

    async def chat(request: Request) -> Reply | StreamingReply:
        place = Place.read(request.header("last-event-id") or "") or Place(api.seed)
        if place.position is None:
            return Reply(status=204)
        # An EventSource can send no header of ours: our wishes stand in the query.
        wishes = {name: values[-1] for name, values in parse_qs(request.query).items()}
        question = Question(
            model=wishes.get("model", MODEL),
            turns=[Turn("user", request.params["text"])],
            seed=place.seed - api.seed,
        )
        try:
            return await api.answer(
                request,
                question,
                partial(make_writer, after=place),
                stream=True,
                fault=wishes.get("fault", ""),
                after=place.position,
            )
        except InvalidRequest as error:
            return Reply(f"400 Bad Request\n\n{error}\n", 400)

    return api.admitted(ROUTE, chat)
