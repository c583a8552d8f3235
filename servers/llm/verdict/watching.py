"""What each client asked for, and what it did: the facts from which a verdict is made.

    asked 0.000   POST /v1/chat/completions    question 5f3a…   connection 1
    began 0.001   200
    struck 0.210  fault stall@5, after 4 events
    gone  2.211   FIN from the client                           2.0 s after the fault

The rules this file keeps:

1. Nothing of a request is kept but a hash. Nothing of a key is kept but a digest.
2. Watching costs no call per token: an answer without a fault is seen only at its begin and end.
3. Clients, and requests of each client, are limited in number. The oldest is evicted.
"""

import re
from collections.abc import Iterator
from copy import copy
from hashlib import sha256

import msgspec
import trio

from ...http.body import Outlet
from ...http.reply import Ending, Handler, Reply, ReplyObserver, Request, StreamingReply
from ..faults import Fault
from ..faults.catalogue import AnyReply
from ..faults.injection import FaultInjector
from ..model.conversation import Answer
from ..pace import Pace
from .rules import ERROR_EVENTS, HEARTBEATS, MALFORMED, NO_REPLY, SILENT

__all__ = ["Client", "Exchange", "Saw", "VerdictLimits", "Watcher", "client_name"]


class VerdictLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of what is kept, and times from which a verdict is made. All times are in seconds.

    Args:
        patience: Silence after which a client must have given up, if it does not announce a longer
            read timeout.
        reaction: Time within which a client reacts to an event that ends its answer.
        slow: Total time for which a client may leave the server waiting because it does not read.
        retry_window: Longest time between a failure and a further attempt.
        attempts: Largest number of attempts at one question.
        in_a_row: Number of requests that follow each other, each on a connection of its own, from
            which on the client is said not to use keep-alive.
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
    """What only the client knows about an answer.

    Args:
        outcome: What the client's user was told: "complete" for a whole answer, "error" for a
            failed or incomplete one, "cancelled" if the user did not want the rest.
        text: The text of the answer, as the user has it at the end.
        shown: The text that the user sees now, while the answer is still arriving.
    """

    outcome: str = ""
    text: str | None = None
    shown: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in ("", "complete", "error", "cancelled"):
            raise ValueError('`outcome` is "complete", "error" or "cancelled"')


class Exchange:
    """One request of a client and its reply. It observes the reply (`ReplyObserver`) and passes the
    bytes on unchanged. Times are those of trio's clock.

    Attributes:
        number: Number of the request, from 1.
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
        injects: Whether the fault tells by itself when it happens.
        struck: When the fault was injected, or None.
        before: Number of events that were sent before the fault.
        finishing: When the last event was sent, if a fault watches over it.
        fin: When the client sent its FIN while the reply was being sent, or None.
        ended: When the reply ended, or None.
        ending: How it ended.
        blocked: Seconds for which the server waited, because the client did not read.
        shown: When the client told for the first time that it shows text.
        told: What the client told at the end, and `told_at`, when.
    """

    __slots__ = (
        "_inner",
        "_outlet",
        "_waits",
        "announced",
        "answer",
        "asked",
        "before",
        "began",
        "blocked",
        "closes",
        "connection",
        "ended",
        "ending",
        "fault",
        "fault_name",
        "fin",
        "finishing",
        "injects",
        "number",
        "owner",
        "question",
        "retry",
        "retry_after",
        "send_now",
        "shown",
        "status",
        "streams",
        "struck",
        "told",
        "told_at",
    )

    def __init__(self, owner: "Client", number: int, request: Request) -> None:
        self.owner = owner
        self.number = number
        self.question = _question(request)
        self.asked = trio.current_time()
        self.announced = _seconds(
            request.header("x-stainless-read-timeout") or request.header("x-stainless-timeout")
        )
        retry = request.header("x-stainless-retry-count") or ""
        self.retry = int(retry) if re.fullmatch("[0-9]{1,4}", retry) else None
        self.closes = (request.header("connection") or "").lower() == "close"
        self.streams = False
        self.fault = ""
        self.fault_name = ""
        self.answer: str | None = None
        self.status = 0
        self.retry_after: float | None = None
        self.connection = 0
        self.began: float | None = None
        self.injects = False
        self.struck: float | None = None
        self.before = 0
        self.finishing: float | None = None
        self.fin: float | None = None
        self.ended: float | None = None
        self.ending: Ending | None = None
        self.blocked = 0.0
        self.shown: float | None = None
        self.told: Saw | None = None
        self.told_at = 0.0
        self._waits: float | None = None
        self._inner: ReplyObserver | None = None
        self._outlet: Outlet | None = None

    @property
    def gone(self) -> float | None:
        """When the client had finished with the reply: its FIN, or the end of the reply."""
        return self.ended if self.fin is None else self.fin

    @property
    def whole(self) -> bool:
        """Whether all of the reply was sent."""
        return self.finishing is not None or self.ending is Ending.DONE

    def blocked_until(self, now: float) -> float:
        """Seconds for which the server has waited for this reader, the present wait included."""
        return self.blocked + (now - self._waits if self._waits is not None else 0.0)

    # ---- What the handler and the fault tell

    def prepare(self, reply: Reply | StreamingReply) -> None:
        """Observe this reply."""
        self.status = 0 if self.fault_name in NO_REPLY else reply.status
        headers = {name.lower(): value for name, value in reply.headers}
        self.retry_after = _seconds(headers.get("retry-after"))
        self._inner = reply.observer
        reply.observer = self

    def strike(self, before: int) -> None:
        """The fault is injected now, after so many events."""
        if self.struck is None:
            self.struck = trio.current_time()
            self.before = before

    def finish(self) -> None:
        """The last event is sent now."""
        self.finishing = trio.current_time()

    # ---- What the connection tells

    def wrap(self, outlet: Outlet) -> Outlet:
        self.began = trio.current_time()
        if self.fault and not self.injects:
            self.struck = self.began
        self.connection = self.owner.connection_of(outlet)
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

    def end(self, how: Ending) -> None:
        self.ended = trio.current_time()
        self.ending = how
        if self._inner:
            self._inner.end(how)
        # Nothing of the connection is kept: neither its buffers nor its recording.
        self._inner = self._outlet = None
        del self.send_now


class Client:
    """What one client did in this run.

    Args:
        name: Its name, as `client_name` makes it.
    """

    def __init__(self, name: str, limits: VerdictLimits) -> None:
        self.name = name
        self.exchanges: list[Exchange] = []
        self.evicted = 0
        self._limits = limits
        self._numbers: dict[int, tuple[Outlet, int]] = {}
        self._connections = 0

    def begin(self, request: Request) -> Exchange:
        """Note a new request."""
        exchange = Exchange(self, self.evicted + len(self.exchanges) + 1, request)
        self.exchanges.append(exchange)
        if len(self.exchanges) > self._limits.max_exchanges:
            del self.exchanges[0]
            self.evicted += 1
        return exchange

    def connection_of(self, outlet: Outlet) -> int:
        """The number of this connection among the client's connections."""
        known = self._numbers.get(id(outlet))
        if known:
            return known[1]
        # Closed connections are forgotten. An open one is kept by its server anyway.
        for key, (other, _) in list(self._numbers.items()):
            if _is_closed(other):
                del self._numbers[key]
        if len(self._numbers) >= self._limits.max_exchanges:
            del self._numbers[next(iter(self._numbers))]
        self._connections += 1
        self._numbers[id(outlet)] = outlet, self._connections
        return self._connections

    def saw(self, saw: Saw) -> bool:
        """Note what the client told about its latest answer. Returns whether there is one."""
        now = trio.current_time()
        if not self.exchanges:
            return False
        if saw.shown:
            latest = self.exchanges[-1]
            latest.shown = latest.shown or now
        if saw.outcome or saw.text is not None:
            untold = (each for each in reversed(self.exchanges) if each.told is None)
            exchange = next(untold, self.exchanges[-1])
            exchange.told, exchange.told_at = saw, now
        return True


class Watcher:
    """Watches the clients of a server.

    Args:
        limits: See `VerdictLimits`.
        insist: Whether faults wait for the client's reaction, so that it can be judged: the answer
            goes on only after a pause when an event cannot be read, and a silent connection is
            reset when the client's patience has been tested.

    Attributes:
        fault: Fault to inject into each answer whose request names none, or "".
        pace: Pace of the answers whose request names none, or None for the server's own.
        script: Name of the script that answers, whatever the model's name, or "".
        run: Number of the run.
    """

    def __init__(self, limits: VerdictLimits | None = None, *, insist: bool = False) -> None:
        self.limits = limits or VerdictLimits()
        self.clients: dict[str, Client] = {}
        self.fault = ""
        self.pace: Pace | None = None
        self.script = ""
        self.run = 0
        self._insist = insist
        self._asking: dict[int, Exchange] = {}

    def reset(self) -> None:
        """Forget all clients, and begin a new run. The choices of fault, pace and script stay."""
        self.clients = {}
        self.run += 1

    def exchanges(self) -> Iterator[Exchange]:
        """All requests of all clients."""
        for client in self.clients.values():
            yield from client.exchanges

    def key(self, request: Request) -> tuple[int, str]:
        """The run and the client of a request. Faults such as `503*1` are counted for each."""
        return self.run, client_name(request)

    def client(self, name: str) -> Client:
        """The client of this name, made if there is none. The oldest client may be evicted."""
        client = self.clients.pop(name, None) or Client(name, self.limits)
        self.clients[name] = client  # at the end: the one that asked last
        if len(self.clients) > self.limits.max_clients:
            del self.clients[next(iter(self.clients))]
        return client

    def watched(self, handler: Handler) -> Handler:
        """Return the same handler, whose requests and replies are watched."""

        async def handle(request: Request) -> Reply | StreamingReply:
            exchange = self.client(client_name(request)).begin(request)
            self._asking[id(request)] = exchange
            try:
                reply = copy(await handler(request))
            except BaseException:
                exchange.ended = trio.current_time()
                exchange.ending = Ending.DISCONNECTED
                raise
            finally:
                del self._asking[id(request)]
            exchange.prepare(reply)
            return reply

        return handle

    def note(self, request: Request, fault: Fault | None, spec: str, stream: bool) -> None:
        """Note the fault of a request that is being handled, and whether it asks for a stream."""
        exchange = self._asking.get(id(request))
        if exchange:
            exchange.streams = stream
            if fault:
                exchange.fault, exchange.fault_name = spec, fault.name

    def note_answer(self, request: Request, answer: Answer) -> None:
        """Note the text that a client must have at the end."""
        exchange = self._asking.get(id(request))
        if exchange and exchange.fault:
            exchange.answer = "".join(answer.text)[: self.limits.max_text]

    def attend(self, request: Request, reply: AnyReply) -> AnyReply:
        """Watch the fault in this reply. If this watcher insists, the fault waits for the client's
        reaction. Returns the reply."""
        exchange = self._asking.get(id(request))
        source = reply.source if isinstance(reply, StreamingReply) else None
        if exchange is None or not isinstance(source, FaultInjector):
            return reply
        exchange.injects = True
        source.watcher = exchange
        name = exchange.fault_name
        if not self._insist:
            pass
        elif name in SILENT | HEARTBEATS:
            source.hold_seconds = self.limits.patience * 1.2 + self.limits.reaction
        elif name in ERROR_EVENTS or name == "open-after-done":
            source.hold_seconds = 3 * self.limits.reaction
        elif name in MALFORMED:
            source.pause_seconds = 2 * self.limits.reaction
        return reply


def client_name(request: Request) -> str:
    """The name of the client that sent a request: its header X-Client, or a digest of its key."""
    if name := request.header("x-client"):
        return "".join(c if c.isprintable() else "?" for c in name[:64])
    scheme, _, key = (request.header("authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return name_of_key(key)
    return "anonymous"


def name_of_key(key: str) -> str:
    """The name of the client that uses this key. The key cannot be found out from it."""
    return f"key-{sha256(key.strip().encode()).hexdigest()[:12]}"


def _question(request: Request) -> bytes:
    """A hash of the path and the body. Of a body over 64 KiB, its length and both ends count, so
    that a large body holds up no stream."""
    body = request.body
    if len(body) > HASHED:
        body = b"%d %b%b" % (len(body), body[: HASHED // 2], body[-HASHED // 2 :])
    return sha256(request.path.encode() + b"\n" + body).digest()[:16]


HASHED = 64 << 10


def _seconds(text: str | None) -> float | None:
    if text and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text.strip()):
        return float(text)
    return None


def _is_closed(outlet: Outlet) -> bool:
    fileno = getattr(outlet, "fileno", None)
    return fileno is not None and fileno() < 0


# What this file does not do: look into the bytes of a reply, or judge.
