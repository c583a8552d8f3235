"""The server under test: how to reach it, what to ask, and what it was found out to do.

    target = Target("http://localhost:9000/stream")
    answer = await target.answer()        one whole answer, asked for once and shared by all cases
    stream = await target.stream()        the same, or Skipped if it is not a stream of ~3 s
    async with target.wire() as wire:     a raw connection, for anything else
        await wire.send(target.request(headers=[("Expect", "100-continue")]))

A case knows nothing of the server but what this class tells it. The rules this file keeps:

1. No more than MAX_CONNECTIONS are open at once, and no more requests than `budget` are sent.
2. Bounds on time depend on the pace that was measured (`Pace`), and they are wide.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import trio

from clients.chat import LOOPBACK
from clients.http.client import URLParts
from clients.streams.tcp import ByteStream, Connect, connect
from clients.streams.tls import TLSStream, client_context

from .answer import Answer
from .memory import connect_narrow, resident
from .result import Skipped
from .wire import Wire

__all__ = ["MAX_CONNECTIONS", "SHARED_SECONDS", "Headers", "Pace", "Target"]

Headers = Sequence[tuple[str, str]]

MAX_CONNECTIONS = 50
CONNECT_SECONDS = 10.0
SILENCE = 15.0  # seconds without a byte after which a response is given up
SHARED_SECONDS = 25.0  # longest time for an answer that several cases judge whole
MIN_STREAM_SECONDS = 0.4  # shortest answer whose liveness can be judged
MIN_PIECES = 5
MAX_SECONDS = 10.0  # time after which a stream counts as one without an end


class Pace(NamedTuple):
    """How fast the server was seen to stream.

    Args:
        first: Seconds to the first byte of the body.
        gap: Median of the seconds between two reads of the body.
        longest: Longest of them.
        total: Seconds to the end of the body.
    """

    first: float
    gap: float
    longest: float
    total: float


class Target:
    """The server under test.

    Args:
        url: Its URL, with the path that streams.
        method: The method of the request that streams, in capitals.
        headers: Further headers of every request that is meant to be answered.
        body: The body of the request that streams.
        connect: Opens a connection. Tests give one in memory.
        memory: Returns the resident memory of the server, in bytes; None if it cannot be seen. By
            default it is that of the process on this machine.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        budget: Largest number of requests; None for any.
        secrets: Keys that are not shown.
        model: Name of the model, for the profiles with one.
        longest: Seconds after which a stream counts as one without an end.

    Attributes:
        requests: Number of connections on which something was sent.
        lost: Whether a connection could not be opened.
        serial: Whether the server was seen to run one stream at a time (live.two-at-once).
    """

    def __init__(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Headers = (),
        body: bytes = b"",
        connect: Connect = connect,
        memory: Callable[[], int | None] | None = None,
        ca_file: str | None = None,
        budget: int | None = None,
        secrets: Sequence[str] = (),
        model: str = "",
        longest: float = MAX_SECONDS,
    ) -> None:
        self.url = url
        self.parts = URLParts.parse(url)
        self.method = method
        self.headers = tuple(headers)
        self.body = body
        self.secrets = tuple(secrets)
        self.model = model
        self.longest = longest
        self.requests = 0
        self.lost = False
        self.serial = False
        self._budget = budget
        self._connect = connect
        self._memory = memory
        self._tls = client_context(ca_file) if self.parts.scheme == "https" else None
        self._open = trio.Semaphore(MAX_CONNECTIONS)
        self._asked = trio.Lock()
        self._answer: Answer | None = None
        self._shared: dict[bytes, tuple[trio.Lock, list[Answer]]] = {}
        self._once: dict[str, Answer] = {}

    # ---- What to send

    def request(
        self,
        *,
        method: str | None = None,
        target: str | None = None,
        version: str = "HTTP/1.1",
        headers: Headers = (),
        host: str | None = None,
        close: bool = False,
        body: bytes | None = None,
    ) -> bytes:
        """Return the request that streams, changed as the arguments say.

        Args:
            method, target, version, body: In place of the usual ones.
            headers: Further headers.
            host: The value of Host; "" for no such field; None for the usual one.
            close: Whether to send `Connection: close`.
        """
        method = self.method if method is None else method
        body = self.body if body is None else body
        host = self.parts.authority if host is None else host
        lines = [f"{method} {self.parts.target if target is None else target} {version}"]
        given = {name.lower() for name, _ in (*self.headers, *headers)}
        fields = [("Host", host)] if host else []
        fields += [("Connection", "close")] if close else []
        fields += self.headers
        if body and not given & {"content-length", "transfer-encoding"}:
            fields += [("Content-Length", str(len(body)))]
        if body and "content-type" not in given:
            fields += [("Content-Type", "application/json")]
        fields += headers
        lines += [f"{name}: {value}" for name, value in fields]
        return "\r\n".join([*lines, "", ""]).encode() + body

    # ---- Connections

    @asynccontextmanager
    async def wire(self, *, narrow: bool = False) -> AsyncGenerator[Wire, None]:
        """Open a connection. The end of the block closes it.

        Args:
            narrow: Whether its buffers should be small, if it is a usual connection.

        Raises:
            Skipped: The server may not be asked more often, or it accepts no connection now.
        """
        async with self._open:
            if self._budget is not None and self.requests >= self._budget:
                raise Skipped(
                    f"{self._budget} requests were sent to a host that is not this machine: "
                    "--yes sends all"
                )
            self.requests += 1
            stream: ByteStream | None = None
            try:
                with trio.move_on_after(CONNECT_SECONDS):
                    opens = connect_narrow if narrow and self._connect is connect else self._connect
                    stream = await opens(self.parts.host, self.parts.port, stall_seconds=60)
                    if self._tls is not None:
                        stream = tls = TLSStream(stream, self._tls, server_hostname=self.parts.host)
                        await tls.handshake()
            except OSError as error:
                self.lost = True
                raise Skipped(f"no connection: {error}") from error
            if stream is None:
                self.lost = True
                raise Skipped(f"no connection in {CONNECT_SECONDS:g} s")
            try:
                yield Wire(stream)
            finally:
                stream.close()

    async def ask(
        self,
        request: bytes | None = None,
        *,
        seconds: float = SILENCE,
        total: float | None = None,
    ) -> Answer:
        """Send a request on a connection of its own, and read the whole response.

        Args:
            request: The bytes; None for the request that streams.
            seconds: Longest wait for the next byte.
            total: Longest time for the response, in place of `longest`.
        """
        sent = self.request() if request is None else request
        async with self.wire() as wire:
            await wire.send(sent)
            method = sent.partition(b" ")[0].decode()
            limit = self.longest if total is None else total
            return await wire.answer(seconds=seconds, method=method, total=limit)

    async def shared(self, request: bytes) -> Answer:
        """One whole answer to this request: it is sent once, and all cases share the answer.

        It may take SHARED_SECONDS, because a slow model that does not stream is silent for long.
        """
        lock, answers = self._shared.setdefault(request, (trio.Lock(), []))
        async with lock:
            if not answers:
                seconds = SHARED_SECONDS
                answers.append(await self.ask(request, seconds=seconds, total=seconds))
        return answers[0]

    async def ended(self) -> Answer:
        """An answer to the request that streams, with its end. A slow one gets more time.

        Raises:
            Skipped: It has no end, or its end is not that of its framing.
        """
        answer = await self.success()
        if not answer.complete and not answer.end:
            answer = await self.shared(self.request())
        if not answer.complete:
            what = "does not end as its framing says" if answer.end else "has no end"
            raise Skipped(f"the stream {what}")
        return answer

    def memory(self) -> int:
        """The resident memory of the server, in bytes.

        Raises:
            Skipped: It cannot be seen.
        """
        if self._memory is not None:
            size = self._memory()
        else:
            size = resident(self.parts.port) if self.parts.host in LOOPBACK else None
        if size is None:
            raise Skipped("the memory of the server cannot be seen from here")
        return size

    # ---- What it does

    async def answer(self) -> Answer:
        """One whole answer to the request that streams. All cases share it."""
        async with self._asked:
            if self._answer is None:
                self._answer = await self.ask()
            return self._answer

    async def once(
        self, name: str, request: bytes, *, seconds: float = SILENCE, total: float | None = None
    ) -> Answer:
        """The answer to a request that several cases need, under a name. It is sent once.

        Args:
            name: The name.
            request: The bytes.
            seconds: Longest wait for the next byte.
            total: Longest time for the response, in place of `longest`.
        """
        async with self._asked:
            if name not in self._once:
                self._once[name] = await self.ask(request, seconds=seconds, total=total)
            return self._once[name]

    def share(self, answer: Answer) -> None:
        """Let the cases share this answer."""
        self._answer = answer

    def several(self) -> None:
        """Require that the server can run several streams at the same time.

        Raises:
            Skipped: It was seen to run one at a time.
        """
        if self.serial:
            raise Skipped("the server runs one stream at a time: see live.two-at-once")

    async def success(self) -> Answer:
        """The shared answer.

        Raises:
            Skipped: Its status is not 200.
        """
        answer = await self.answer()
        if answer.status != 200:
            what = f"status {answer.status}" if answer.status else "no response"
            raise Skipped(f"the path does not stream: {what}")
        return answer

    async def stream(self) -> Answer:
        """The shared answer, if it is a stream that takes time.

        Raises:
            Skipped: It is not, so what happens in the middle of a stream cannot be seen.
        """
        answer = await self.success()
        pace = self.pace_of(answer)
        if len(answer.pieces) < MIN_PIECES or pace.total < MIN_STREAM_SECONDS:
            raise Skipped(
                f"the answer came in {len(answer.pieces)} reads and {pace.total:.2f} s; this needs "
                "a path or a body that streams for about 3 s"
            )
        return answer

    async def whole_stream(self) -> Answer:
        """The shared answer, if it is a stream that takes time and has an end.

        Raises:
            Skipped: It is not.
        """
        answer = await self.stream()
        self._require_end(answer)
        return answer

    async def whole(self) -> Answer:
        """The shared answer, if its status is 200 and it has an end. It may be short.

        Raises:
            Skipped: It is not.
        """
        answer = await self.success()
        self._require_end(answer)
        return answer

    def _require_end(self, answer: Answer) -> None:
        if not answer.complete and answer.end:
            raise Skipped("the stream does not end as its framing says")
        if not answer.complete:
            raise Skipped(f"the stream had no end in {self.longest:g} s")

    async def event_stream(self) -> Answer:
        """The shared answer, if it is an event stream.

        Raises:
            Skipped: It is not.
        """
        answer = await self.success()
        if not answer.is_event_stream:
            raise Skipped("the answer is not an event stream (Content-Type: text/event-stream)")
        return answer

    def pace_of(self, answer: Answer) -> Pace:
        times = [piece.at / 1000 for piece in answer.pieces] or [0.0]
        gaps = [after - before for before, after in pairwise(times)] or [0.0]
        total = (answer.done_at or answer.reads[-1].at if answer.reads else 0.0) / 1000
        return Pace(times[0], median(gaps), max(gaps), total)

    async def pace(self) -> Pace:
        """The pace of the shared answer."""
        return self.pace_of(await self.answer())

    def again(self) -> None:
        """Forget the shared answers, so that a second try measures anew."""
        self._answer = None
        self._shared = {}
        self._once.clear()


# What this file does not do: decide what is right (cases/).
