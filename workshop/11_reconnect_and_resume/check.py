"""Check 11: an answer over four connections, one of which is cut inside an event."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import ModuleType

import trio

from workshop.language import _
from workshop.runner.check_kit import Failure, Lab

HINTS = (
    "Half an event has come, and the connection breaks: which id must the client send?",
    """Keep two ids: that of the event that is being read, and that of the last event whose blank
line has come. Send only the second one to the server. Start each connection without old lines.""",
    """An endless loop. In it, `try`: ask, return at a 204, read the lines. `except ConnectionError:
pass`. After both, `await trio.sleep(retry / 1000)`.""",
)
TOKENS = ("He", " said", ": ", "你好", "!", " And", " went", ".")
RULE = _("the id becomes the last event ID when the event is dispatched (WHATWG HTML §9.2.6)")
REDO = "python workshop/11_reconnect_and_resume --once"


def id_of(number: int) -> str:
    return f"k3f9-{number}" if number else ""


def event(number: int, *, retry: str = "") -> list[str]:
    return [f"id: {id_of(number)}", *([retry] if retry else []), f"data: {TOKENS[number - 1]}", ""]


# For each request: the number of events that the client already has, the seconds that it must wait
# before it sends the request, and the lines of the answer. The connection breaks at "cut".
CUT = "cut"
CONNECTIONS: list[tuple[int, float, list[str] | None]] = [
    (0, 0, [*event(1, retry="retry: 2000"), *event(2), CUT]),
    (2, 2.0, [*event(3), ": keep-alive", *event(4)[:-1], CUT]),  # event 4 without its blank line.
    (3, 2.0, None),  # the server does not answer.
    # If the client has kept half of event 4, the first blank line here will dispatch it.
    (3, 2.0, ["retry: 500", "", *event(4), *event(5), "id: k3f9-6", CUT]),
    (5, 0.5, [*event(6), *event(7), *event(8)]),
    (8, 0.5, []),  # 204
]


class ScriptedServer:
    """Sends the answers of CONNECTIONS, and checks each request and its time.

    Attributes:
        received: The tokens that the client has returned.
        complete: Number of blank lines that were sent.
        asked: Number of requests so far.
        bodies: The bodies that the server began to send.
    """

    def __init__(self, exercise: ModuleType, lab: Lab) -> None:
        self.received: list[str] = []
        self.complete = 0
        self.asked = 0
        self.bodies: list[AsyncGenerator[str, None]] = []
        self._exercise = exercise
        self._lab = lab
        self._ended = trio.current_time()

    async def ask(self, last_event_id: str) -> object:
        await trio.lowlevel.checkpoint()
        self._lab.take(f"Last-Event-ID: {last_event_id}\n".encode())
        if self.asked == len(CONNECTIONS):
            message = _("asked again after the 204")
            raise self.failure("ignores-204", message, _("204 means: stop"))
        has, wait, lines = CONNECTIONS[self.asked]
        self.asked += 1
        self._check_id(last_event_id, has)
        waited = trio.current_time() - self._ended
        if abs(waited - wait) > 0.01:
            message = _(
                "request {number} came {waited:g} s after the cut, not {wait:g} s",
                number=self.asked,
                waited=waited,
                wait=wait,
            )
            rule = _("`retry` is the reconnection time, in ms")
            raise self.failure("ignores-retry", message, rule)
        self._ended = trio.current_time()
        if lines is None:
            raise ConnectionError(_("the server did not answer"))
        self.bodies.append(self._send(lines))
        return self._exercise.Response(200 if lines else 204, self.bodies[-1])

    def _check_id(self, last_event_id: str, has: int) -> None:
        if last_event_id == id_of(has):
            return
        name = "wrong-id"
        what = _(
            "asked with Last-Event-ID {id!r}, not {expected!r}",
            id=last_event_id,
            expected=id_of(has),
        )
        if last_event_id == id_of(has + 1):
            name, what = (
                "undispatched-id",
                _("the blank line of {id!r} never came", id=last_event_id),
            )
        elif not last_event_id:
            name, what = "starts-again", _("asked without Last-Event-ID: the answer starts again")
        raise self.failure(name, what, RULE)

    async def _send(self, lines: list[str]) -> AsyncGenerator[str, None]:
        for line in lines:
            await trio.lowlevel.checkpoint()
            self._ended = trio.current_time()
            if line == CUT:
                raise ConnectionError(_("the connection was reset"))
            self._lab.give(f"{line}\n".encode())
            yield line
            self.complete += not line
            # Before the first cut, a token can be missing only if the client holds it back.
            if self.asked == 1 and len(self.received) < self.complete:
                message = _(
                    "event {id!r} is complete, its data was not returned", id=id_of(self.complete)
                )
                raise self.failure("held-back", message, _("a blank line dispatches the event"))

    def check_received(self) -> None:
        """Check that the client has returned the data of the complete events, in order."""
        expected = list(TOKENS[: len(self.received)])
        if self.received == expected:
            return
        last = self.received[-1]
        at = len(self.received) - 1
        if at >= len(TOKENS):
            what = _("{token!r} was returned after the end", token=last)
            raise self.failure("repeats-at-the-seam", what, RULE)
        name, due = "wrong-data", TOKENS[at]
        what = _("{token!r} was returned, and the event was {due!r}", token=last, due=due)
        if last in TOKENS[at + 1 :]:
            name, what = "loses-at-the-seam", _("after a cut {token!r} is missing", token=due)
        elif last in (due * 2, TOKENS[at - 1]):
            name = "repeats-at-the-seam"
            what = _("after a cut {token!r} was returned twice", token=last)
        rule = _("an event without its blank line is discarded (§9.2.6)")
        raise self.failure(name, what, rule)

    def failure(self, name: str, message: str, rule: str) -> Failure:
        sent, received = self._lab.sent, self._lab.received
        return Failure(name, message, sent=sent, received=received, rule=rule, redo=REDO)


async def check(exercise: ModuleType, lab: Lab) -> None:
    server = ScriptedServer(exercise, lab)
    try:
        async with aclosing(exercise.read(server.ask)) as tokens:
            async for token in tokens:
                server.received.append(token)
                lab.take(token.encode() + b"\n")
                server.check_received()
    except ConnectionError as error:
        message = _("{error}, and the client has ended", error=error)
        rule = _("a client asks until it gets a 204")
        raise server.failure("gives-up", message, rule) from None
    finally:
        for body in server.bodies:
            await body.aclose()
    if server.received != list(TOKENS) or server.asked < len(CONNECTIONS):
        message = _(
            "ended with {received}, and the answer is {answer}",
            received=server.received,
            answer=list(TOKENS),
        )
        rule = _("only a 204 ends the answer, not a body")
        raise server.failure("ends-early", message, rule)
