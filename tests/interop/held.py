"""A server that sends only when the test allows it. This proves streaming without measuring time.

    with hold(chat.routes(Pace(0, 0))) as held:
        …                       a client asks
        held.release()          one piece is sent
        …                       the client must show it now: the next one does not exist yet
        held.ended.get(…)       the handler has ended; the number of its pieces

If a client, a server or a pipe between them buffers pieces, such a test always fails, on fast and
on slow machines.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread

import trio

from servers.http.body import BodyWriter, Ending
from servers.http.connection import Limits
from servers.http.reply import Handler, Reply, Request, Source, StreamingReply
from servers.http.routes import Routes
from servers.http.server import Server, listen

from .peers import SAFETY, Address


class HeldRoutes(Routes):
    """Our routes, with streams that wait before each piece.

    Attributes:
        permits: A semaphore that is released once for each piece that may be sent.
        ended: Number of pieces of each stream that has ended, for any reason.
    """

    def __init__(self, routes: Routes) -> None:
        self.tasks = routes.tasks
        self.refuse = routes.refuse
        self.permits = trio.Semaphore(0)
        self.ended: SimpleQueue[int] = SimpleQueue()
        self._routes = routes

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        handler, params = self._routes.find(method, path)
        if isinstance(handler, Reply):
            return handler, params

        async def held(request: Request) -> Reply | StreamingReply:
            reply = await handler(request)
            # A reply that reports on another reply (servers/http/recordings.py) is not held.
            if isinstance(reply, StreamingReply) and not path.startswith("/wire/"):
                reply.source = HeldSource(self, StreamingReply(reply.source))
            return reply

        return held, params

    def release(self, pieces: int) -> None:
        for _ in range(pieces):
            self.permits.release()


class HeldSource:
    """A source that lets another source write to a held body."""

    def __init__(self, routes: HeldRoutes, source: Source) -> None:
        self._routes = routes
        self._source = source

    async def send_to(self, body: BodyWriter) -> None:
        held = HeldBody(body, self._routes.permits)
        try:
            await self._source.send_to(held)
        finally:
            self._routes.ended.put(held.taken)


class HeldBody:
    """A body that accepts a piece only when there is a permit. For its source, it behaves like a
    slow reader.

    Attributes:
        taken: number of pieces so far.
    """

    heartbeat = b""
    heartbeats = 0

    def __init__(self, body: BodyWriter, permits: trio.Semaphore) -> None:
        self.taken = 0
        self.size = 0
        self._body = body
        self._permits = permits
        self._waiting: list[bytes] = []

    @property
    def ended(self) -> bool:
        return self._body.ended

    @property
    def ending(self) -> Ending:
        return self._body.ending

    async def send_raw(self, data: bytes, *, ends: bool = False) -> None:
        await self._body.send_raw(data, ends=ends)

    async def send(self, piece: bytes) -> None:
        await self._take(piece)
        await self._body.send(piece)

    def send_now(self, piece: bytes, now: float) -> bool:
        return self.send_many_now([piece], now)

    def send_many_now(self, pieces: Sequence[bytes], now: float) -> bool:
        self._waiting += pieces
        return False

    async def flush(self) -> None:
        while self._waiting:
            await self.send(self._waiting.pop(0))

    async def end(self, piece: bytes = b"") -> None:
        await self._take(piece)
        await self._body.end(piece)

    async def _take(self, piece: bytes) -> None:
        await self._permits.acquire()
        self.taken += 1
        self.size += len(piece)


class Held(Address):
    """A server in a thread of this process, as the test sees it."""

    def __init__(self, port: int, routes: HeldRoutes, token: trio.lowlevel.TrioToken) -> None:
        super().__init__(port)
        self._routes = routes
        self._token = token

    def release(self, pieces: int = 1) -> None:
        """Allow this number of further pieces."""
        trio.from_thread.run_sync(self._routes.release, pieces, trio_token=self._token)

    def wait_until_ended(self) -> int:
        """Wait until a stream has ended. Returns its number of pieces."""
        return self._routes.ended.get(timeout=SAFETY)


@contextmanager
def hold(routes: Routes, heartbeat_seconds: float = 3600) -> Iterator[Held]:
    """Serve these routes on a free port, with held bodies. By default, there are practically no
    heartbeats."""
    held_routes = HeldRoutes(routes)
    server = Server(held_routes, limits=Limits(heartbeat_seconds=heartbeat_seconds))
    sockets = listen("localhost", 0)
    port = sockets[0].getsockname()[1]
    tokens: SimpleQueue[trio.lowlevel.TrioToken] = SimpleQueue()

    async def serve() -> None:
        tokens.put(trio.lowlevel.current_trio_token())
        await server.serve(sockets)

    bugs = Bugs()
    logging.getLogger("servers").addHandler(bugs)
    thread = Thread(target=trio.run, args=(serve,))
    thread.start()
    token = tokens.get(timeout=SAFETY)
    try:
        yield Held(port, held_routes, token)
    finally:
        trio.from_thread.run_sync(server.abort, trio_token=token)
        thread.join()
        logging.getLogger("servers").removeHandler(bugs)
    assert not bugs.found.is_set()


class Bugs(logging.Handler):
    """Collects the errors that the server logs about itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found = Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.found.set()
