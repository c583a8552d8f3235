"""The clients of a server, each with its requests and its behaviour.

    X-Client: my-app                  the client "my-app"
    Authorization: Bearer sk-abc      the client "key-5f3a29c01b7e"

The rules this file keeps:

1. Only a digest of a key is kept.
2. Clients, and the requests of each client, are limited in number. The oldest is evicted.
"""

from collections.abc import Iterator
from hashlib import sha256

import trio

from ...http.body import Outlet
from ...http.reply import Ending, Handler, Reply, Request, StreamingReply
from ..faults import FAULTS, Fault, parse
from ..faults.catalogue import AnyReply
from ..faults.injection import FaultInjector
from ..model.conversation import Answer
from ..pace import Pace
from .exchange import Exchange, Saw, VerdictLimits
from .rules import ERROR_EVENTS, HEARTBEATS, MALFORMED, SILENT

__all__ = ["Client", "Watcher", "client_name", "name_of_key"]


class Client:
    """The behaviour of one client in this run.

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
        exchange = Exchange.of(self.evicted + len(self.exchanges) + 1, request, self.connection_of)
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
        insist: Whether faults wait for the client's reaction, so that it can be judged. After an
            event that cannot be read, the answer pauses before it continues. A silent connection
            is reset when the client's patience has been tested.

    Attributes:
        fault: Fault for each request that does not name a fault itself, or "" for none.
        pace: Pace for each request that does not name a pace itself. With None, the server's own.
        script: Name of the script that answers for every model, or "" for none.
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
        """Forget all clients, and begin a new run. The selected fault, pace and script are kept."""
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
        self.clients[name] = client  # the last entry is the client that asked last
        if len(self.clients) > self.limits.max_clients:
            del self.clients[next(iter(self.clients))]
        return client

    def watched(self, handler: Handler) -> Handler:
        """Return the same handler, whose requests and replies are watched. Each reply must be the
        request's own, because it is changed."""

        async def handle(request: Request) -> Reply | StreamingReply:
            exchange = self.client(client_name(request)).begin(request)
            self._asking[id(request)] = exchange
            try:
                reply = await handler(request)
            except BaseException:
                exchange.ended = trio.current_time()
                exchange.ending = Ending.DISCONNECTED
                raise
            finally:
                del self._asking[id(request)]
            exchange.prepare(reply)
            return reply

        return handle

    def planned(self, stream: bool) -> str:
        """The fault for a request that does not name a fault itself. A fault that needs events is
        injected only into streams."""
        needs_events = bool(self.fault) and FAULTS[parse(self.fault).name].needs_events
        return "" if needs_events and not stream else self.fault

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
        exchange.tells = True
        source.watcher = exchange
        name = exchange.fault_name
        if not self._insist:
            pass
        elif name in SILENT | HEARTBEATS:
            source.hold_seconds = self.limits.patience * 1.2 + self.limits.reaction
            if exchange.announced and exchange.announced > self.limits.patience:
                source.hold_seconds = self.limits.reaction  # it will not be judged
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
    if key and scheme.lower() == "bearer":
        return name_of_key(key)
    return "anonymous"


def name_of_key(key: str) -> str:
    """The name of the client that uses this key. The key cannot be found out from it."""
    return f"key-{sha256(key.strip().encode()).hexdigest()[:12]}"


def _is_closed(outlet: Outlet) -> bool:
    fileno = getattr(outlet, "fileno", None)
    return fileno is not None and fileno() < 0


# What this file does not do: look into the bytes of a reply, or judge.
