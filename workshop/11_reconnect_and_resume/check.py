"""Check 11: an answer over four connections, one of them cut inside an event."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import ModuleType

import trio

from workshop.runner.check_kit import Failure, Lab

HINTS = (
    "When half an event has come and the connection breaks: which id does the client have?",
    """Two ids: that of the event under way, and that of the last one whose blank line has come. The
second alone goes back to the server. What else was gathered goes with its connection.""",
    """A loop for ever. In it, `try`: ask, return at a 204, read the lines. `except ConnectionError:
pass`. Then, on every way out, `await trio.sleep(retry / 1000)`.""",
)
TOKENS = ("He", " said", ": ", "你好", "!", " And", " went", ".")
RULE = "the id becomes the last event ID when the event is dispatched (WHATWG HTML §9.2.6)"
REDO = "python workshop/11_reconnect_and_resume --once"


def id_of(number: int) -> str:
    return f"k3f9-{number}" if number else ""


def event(number: int, *, retry: str = "") -> list[str]:
    return [f"id: {id_of(number)}", *([retry] if retry else []), f"data: {TOKENS[number - 1]}", ""]


# For each request: the events that are there already, the seconds to wait before it, and its lines;
# "cut" is where the connection breaks.
CUT = "cut"
CONNECTIONS: list[tuple[int, float, list[str] | None]] = [
    (0, 0, [*event(1, retry="retry: 2000"), *event(2), CUT]),
    (2, 2.0, [*event(3), ": keep-alive", *event(4)[:-1], CUT]),  # all of event 4 but its end
    (3, 2.0, None),  # nobody answers
    # Its first blank line would send the half of event 4, if that was kept.
    (3, 2.0, ["retry: 500", "", *event(4), *event(5), "id: k3f9-6", CUT]),
    (5, 0.5, [*event(6), *event(7), *event(8)]),
    (8, 0.5, []),  # 204
]


class Server:
    """Answers as planned, and looks at what is asked for and when.

    Attributes:
        received: the tokens that the client has given.
        complete: blank lines that have gone out.
        asked: requests so far.
        bodies: that it began to send.
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
            raise self.failure("ignores-204", "asked again after the 204", "204 tells it to stop")
        has, wait, lines = CONNECTIONS[self.asked]
        self.asked += 1
        self._check_id(last_event_id, has)
        waited = trio.current_time() - self._ended
        if abs(waited - wait) > 0.01:
            message = f"request {self.asked} came {waited:g} s after the loss, not {wait:g} s"
            raise self.failure("ignores-retry", message, "`retry` is the reconnection time, in ms")
        self._ended = trio.current_time()
        if lines is None:
            raise ConnectionError("nobody answered")
        self.bodies.append(self._send(lines))
        return self._exercise.Response(200 if lines else 204, self.bodies[-1])

    def _check_id(self, last_event_id: str, has: int) -> None:
        if last_event_id == id_of(has):
            return
        name, what = "wrong-id", f"asked with Last-Event-ID {last_event_id!r}, not {id_of(has)!r}"
        if last_event_id == id_of(has + 1):
            name, what = "undispatched-id", f"the blank line of {last_event_id!r} never came"
        elif not last_event_id:
            name, what = "starts-again", "asked without Last-Event-ID: the answer begins anew"
        raise self.failure(name, what, RULE)

    async def _send(self, lines: list[str]) -> AsyncGenerator[str, None]:
        for line in lines:
            await trio.lowlevel.checkpoint()
            self._ended = trio.current_time()
            if line == CUT:
                raise ConnectionError("the connection was reset")
            self._lab.give(f"{line}\n".encode())
            yield line
            self.complete += not line
            # Before the first cut nothing can be missing, unless it is kept.
            if self.asked == 1 and len(self.received) < self.complete:
                message = f"{id_of(self.complete)!r} has come whole, and its data was not given"
                raise self.failure("held-back", message, "a blank line dispatches the event")

    def check_received(self) -> None:
        """What the client has given is what has come whole, in order."""
        expected = list(TOKENS[: len(self.received)])
        if self.received == expected:
            return
        last = self.received[-1]
        at = len(self.received) - 1
        if at >= len(TOKENS):
            raise self.failure("repeats-at-the-seam", f"{last!r} was given after the end", RULE)
        name, what = "wrong-data", f"{last!r} was given, and the event was {TOKENS[at]!r}"
        if last in TOKENS[at + 1 :]:
            name, what = "loses-at-the-seam", f"after a cut {TOKENS[at]!r} is missing"
        elif last in (TOKENS[at] * 2, TOKENS[at - 1]):
            name, what = "repeats-at-the-seam", f"after a cut {last!r} was given: twice the same"
        raise self.failure(name, what, "an event without its blank line is discarded (§9.2.6)")

    def failure(self, name: str, message: str, rule: str) -> Failure:
        sent, received = self._lab.sent, self._lab.received
        return Failure(name, message, sent=sent, received=received, rule=rule, redo=REDO)


async def check(exercise: ModuleType, lab: Lab) -> None:
    server = Server(exercise, lab)
    try:
        async with aclosing(exercise.read(server.ask)) as tokens:
            async for token in tokens:
                server.received.append(token)
                lab.take(token.encode() + b"\n")
                server.check_received()
    except ConnectionError as error:
        message = f"{error}, and the client has ended"
        raise server.failure("gives-up", message, "a client asks until it is told 204") from None
    finally:
        for body in server.bodies:
            await body.aclose()
    if server.received != list(TOKENS) or server.asked < len(CONNECTIONS):
        message = f"ended with {server.received}, and the answer is {list(TOKENS)}"
        raise server.failure("ends-early", message, "the end of a body is not the end: 204 is")
