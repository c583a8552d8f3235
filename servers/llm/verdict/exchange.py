"""One request of a client, and what the client did with the reply.

    asked  0.000   POST /v1/chat/completions    question 5f3a…   connection 1
    began  0.001   200
    injected 0.210   fault stall@5, after 4 events
    fin    2.211   from the client               2.0 s after the fault

The rules this file keeps:

1. Only a hash of a request is kept.
2. There is no call for each token. An answer without a fault is observed only at its beginning and
   at its end.
"""

import re
from collections.abc import Callable

import msgspec
import trio

from ...http.body import Outlet
from ...http.reply import Ending, Reply, ReplyObserver, Request, StreamingReply
from .rules import NO_REPLY

__all__ = ["Exchange", "Saw", "VerdictLimits"]


class VerdictLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of what is kept, and times from which a verdict is made. All times are in seconds.

    Args:
        patience: Silence after which a client must have given up, if it does not announce a longer
            read timeout.
        reaction: Time within which a client reacts to an event that ends its answer.
        slow: Total time for which a client may leave the server waiting because it does not read.
        retry_window: Longest time between a failure and a further attempt.
        attempts: Largest number of attempts at one question.
        in_a_row: Number of consecutive requests on separate connections after which the verdict
            says that the client does not use keep-alive.
        max_clients: Largest number of clients that are remembered.
        max_exchanges: Largest number of requests that are remembered for each client.
        max_text: Characters of an answer that are compared with the text that a client has seen.
    """

    patience: float = 30.0
    reaction: float = 1.0
    slow: float = 5.0
    retry_window: float = 60.0
    attempts: int = 10
    in_a_row: int = 4
    max_clients: int = 64
    max_exchanges: int = 128
    max_text: int = 64 << 10


class Saw(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts about an answer that only the client knows.

    Args:
        outcome: The outcome that the client's user was told: "complete" for a whole answer, "error"
            for a failed or incomplete one, "cancelled" if the user did not want the rest.
        text: The text of the answer, as the user has it at the end.
        shown: The text that the user sees now, while the answer is still arriving.
    """

    outcome: str = ""
    text: str | None = None
    shown: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in ("", "complete", "error", "cancelled"):
            raise ValueError('`outcome` is "complete", "error" or "cancelled"')


def _not_sending(data: bytes) -> int:
    raise trio.ClosedResourceError("this reply is not being sent")


class Exchange(msgspec.Struct, eq=False, kw_only=True):
    """One request of a client and its reply. It observes the reply (`ReplyObserver`) and passes the
    bytes on unchanged. Times are those of trio's clock.

    A `Struct` sets its fields in a fifth of the time that a handwritten `__init__` takes.

    Attributes:
        number: Number of the request, from 1.
        connection_of: A function that returns the number of a connection.
        question: Hash of the path and the body: equal for two attempts at the same question.
        asked: When the request was complete.
        streams: Whether the request asked for a stream.
        announced: Read timeout that the client's headers announce, in seconds, or None.
        retry: Number of the attempt that the client's headers announce, from 0, or None.
        closes: Whether the request had `Connection: close`.
        fault: The fault, as asked for, or "".
        answer: The text of the whole answer, or None if it is not compared.
        status: Status of the reply; 0 if nothing of it was sent.
        retry_after: Seconds that the reply asked the client to wait, or None.
        connection: Number of the client's connection.
        began: When the reply's head was sent, or None.
        tells: Whether the fault calls `note_fault` when it happens.
        injected: When the fault was injected, or None.
        before: Number of events that were sent before the fault.
        finishing: When the last event was sent, if the fault reported it (`note_last`), or None.
        fin: When the client sent its FIN while the reply was being sent, or None.
        ended: When the reply ended, or None.
        ending: How it ended.
        blocked: Seconds for which the server waited, because the client did not read.
        shown: When the client first told that it shows text, or None.
        told: What the client told at the end. `told_at` is the time.
    """

    number: int
    connection_of: Callable[[Outlet], int]
    question: int
    asked: float
    announced: float | None
    retry: int | None
    closes: bool
    streams: bool = False
    fault: str = ""
    fault_name: str = ""
    answer: str | None = None
    status: int = 0
    retry_after: float | None = None
    connection: int = 0
    began: float | None = None
    tells: bool = False
    injected: float | None = None
    before: int = 0
    finishing: float | None = None
    fin: float | None = None
    ended: float | None = None
    ending: Ending | None = None
    blocked: float = 0.0
    shown: float | None = None
    told: Saw | None = None
    told_at: float = 0.0
    send_now: Callable[[bytes], int] = _not_sending
    _waits: float | None = None
    _inner: ReplyObserver | None = None
    _outlet: Outlet | None = None

    @classmethod
    def of(
        cls, number: int, request: Request, connection_of: Callable[[Outlet], int]
    ) -> "Exchange":
        """Return the exchange that begins with this request. The request is not kept."""
        timeout = request.header("x-stainless-read-timeout")
        retry = request.header("x-stainless-retry-count")
        return cls(
            number=number,
            connection_of=connection_of,
            question=_question(request),
            asked=request.arrived,
            announced=_seconds(timeout or request.header("x-stainless-timeout")),
            retry=int(retry) if retry and RETRY.fullmatch(retry) else None,
            closes=(request.header("connection") or "").lower() == "close",
        )

    @property
    def gone(self) -> float | None:
        """The time at which the client had finished with the reply: the time of its FIN, or of the
        reply's end."""
        return self.ended if self.fin is None else self.fin

    @property
    def whole(self) -> bool:
        """Whether all of the reply was sent."""
        return self.finishing is not None or self.ending is Ending.DONE

    def blocked_until(self, now: float) -> float:
        """Seconds for which the server has waited for this reader, including the present wait."""
        return self.blocked + (now - self._waits if self._waits is not None else 0.0)

    # ---- What the handler and the fault tell

    def prepare(self, reply: Reply | StreamingReply) -> None:
        """Observe this reply."""
        self.status = 0 if self.fault_name in NO_REPLY else reply.status
        if reply.status >= 300:  # RFC 9110 §10.2.3: Retry-After is for errors and redirections
            for name, value in reply.headers:
                if name.lower() == "retry-after":
                    self.retry_after = _seconds(value)
        self._inner = reply.observer
        reply.observer = self

    def note_fault(self, before: int) -> None:
        """The fault is injected now, after this number of events."""
        if self.injected is None:
            self.injected = trio.current_time()
            self.before = before

    def note_last(self) -> None:
        """The last event is sent now."""
        self.finishing = trio.current_time()

    # ---- What the connection tells

    def wrap(self, outlet: Outlet) -> Outlet:
        self.began = trio.current_time()
        if self.fault and not self.tells:
            self.injected = self.began
        self.connection = self.connection_of(outlet)
        self._outlet = self._inner.wrap(outlet) if self._inner else outlet
        self.send_now = self._outlet.send_now  # not a method: no call of its own for each token
        return self

    async def wait_writable(self) -> None:
        assert self._outlet is not None
        self._waits = trio.current_time()
        try:
            await self._outlet.wait_writable()
        finally:
            self.blocked += trio.current_time() - self._waits
            self._waits = None

    def half_closed(self) -> None:
        if self.fin is None:
            self.fin = trio.current_time()
        if self._inner:
            self._inner.half_closed()

    def end(self, how: Ending) -> None:
        self.ended = trio.current_time()
        self.ending = how
        if self._inner:
            self._inner.end(how)
        # Nothing of the connection is kept: neither its buffers nor its recording.
        self._inner = self._outlet = None
        self.send_now = _not_sending


def _question(request: Request) -> int:
    """A hash of the path and the body, with a key of this process (SipHash). If a body is over 64
    KiB, only its length and both ends are hashed: a hash of all its bytes would delay the other
    streams."""
    body = request.body
    if len(body) > HASHED:
        body = b"%d %b%b" % (len(body), body[: HASHED // 2], body[-HASHED // 2 :])
    return hash((request.path, body))


HASHED = 64 << 10
SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
RETRY = re.compile("[0-9]{1,4}")


def _seconds(text: str | None) -> float | None:
    if text and SECONDS.fullmatch(text.strip()):
        return float(text)
    return None


# What this file does not do: look into the bytes of a reply, or judge.
