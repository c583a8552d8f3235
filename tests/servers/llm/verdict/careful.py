"""A small client that does everything right.

    await Careful(server, "name").ask("Hi", fault="503*1")     the text of the answer, or Incomplete

The bad clients (bad_clients.py) each override one of its methods or numbers. All of them talk to a
server in memory, and their times are those of trio's clock: in tests, it jumps.
"""

import codecs
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import Any

import trio

from clients.http.errors import RequestError
from clients.http.exchange import Response, exchange
from clients.streams.memory import Direction, Link, MemoryStream
from servers.http.connection import Connection
from servers.http.routes import Routes
from servers.http.watch import Watch, Watched

__all__ = ["PROMPT", "Careful", "Incomplete", "MemoryServer"]

PROMPT = "你好！A chunk says how many bytes it has; then come these bytes, 一个不少, and an end."


class ServedStream(MemoryStream):
    """The server's end of a connection, with a number in place of a file descriptor."""

    number = 0

    def fileno(self) -> int:
        return -1 if self.closed else self.number


class ClientStream(MemoryStream):
    """The client's end. Its close is told to the server's watch, as epoll does for a socket."""

    def __init__(self, link: Link, incoming: Direction, outgoing: Direction) -> None:
        super().__init__(link, incoming, outgoing)
        self.tell_close: Callable[[bool], None] = lambda was_reset: None

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.tell_close(self._link.broken)


class MemoryWatch(Watch):
    """Which connections have a reply in progress, by their numbers."""

    def add_stream(self, fileno: int, connection: Watched, requested_at: float) -> None:
        self._requests[fileno] = connection, trio.current_time()

    def end_stream(self, fileno: int) -> None:
        self._requests.pop(fileno, None)

    remove_stream = end_stream

    def report(self, fileno: int, was_reset: bool) -> None:
        """The client of this connection has closed it."""
        connection, requested_at = self._requests.get(fileno) or (None, 0.0)
        if connection and (was_reset or connection.fin_is_disconnect(requested_at)):
            self.remove_stream(fileno)
            connection.client_disconnected()


class MemoryServer:
    """A server to which clients connect in memory."""

    def __init__(self, nursery: trio.Nursery, routes: Routes) -> None:
        self._nursery = nursery
        self._routes = routes
        self._watch = MemoryWatch()
        self._numbers = count(1)
        for task in (self._watch.run, *routes.tasks):
            nursery.start_soon(task)

    def connect(self) -> ClientStream:
        link, there, back = Link(), Direction(64 << 10), Direction(64 << 10)
        client, server = ClientStream(link, back, there), ServedStream(link, there, back)
        server.number = next(self._numbers)
        client.tell_close = partial(self._watch.report, server.number)
        self._nursery.start_soon(Connection(server, self._routes, self._watch).serve)
        return client

    def close(self) -> None:
        self._watch.close()


class Incomplete(Exception):
    """The answer did not arrive, or not all of it."""


BROKEN = (RequestError, trio.BrokenResourceError, trio.TooSlowError)


class Careful:
    """A client without a mistake. Its times are in seconds.

    Args:
        server: The simulated LLM.
        name: The name that it sends in X-Client.
    """

    attempts = 3
    read_timeout = 10.0
    token_timeout = 25.0

    def __init__(self, server: MemoryServer, name: str) -> None:
        self.server = server
        self.name = name
        self.text = ""
        self.connection = server.connect()

    # ---- The connection

    async def give_up(self) -> None:
        """Close the connection, because the rest of the answer is not wanted."""
        self.connection.close()

    async def finish(self) -> None:
        """Called when an answer is complete."""

    async def tell(self, **saw: object) -> None:
        """Tell the server what only the client knows."""
        connection = self.server.connect()
        body = json.dumps(saw).encode()
        told = await exchange(
            connection, "POST", f"/verdict/{self.name}/saw", (("Host", "a"),), body
        )
        assert told.status == 204
        connection.close()

    # ---- Attempts

    async def ask(self, prompt: str = PROMPT, fault: str = "", stream: bool = True) -> str:
        wait = 0.0
        for attempt in range(self.attempts):
            await trio.sleep(wait)
            wait = self.backoff(attempt)
            self.text = ""
            try:
                response = await self.send(prompt, fault, stream)
            except BROKEN:  # no reply: nothing has been shown yet
                await self.give_up()
                continue
            if response.status >= 400:
                await response.read()
                if not self.is_retryable(response.status):
                    raise Incomplete(response.status)
                after = response.header("retry-after")
                wait = self.wait_as_told(float(after)) if after else wait
                self.keep(response)
                continue
            if await self.read(response, stream):
                return self.text
        raise Incomplete("no attempt succeeded")

    async def send(self, prompt: str, fault: str, stream: bool) -> Response:
        if self.connection.closed:
            self.connection = self.server.connect()
        asked = {"model": "echo", "messages": [{"role": "user", "content": prompt}]}
        body = json.dumps(asked | {"stream": stream}).encode()
        headers = (("Host", "a"), ("X-Client", self.name), *([("X-Fault", fault)] if fault else []))
        with trio.fail_after(self.read_timeout):
            return await exchange(self.connection, "POST", "/v1/chat/completions", headers, body)

    def keep(self, response: Response) -> None:
        """Keep the connection for the next request, if the server does."""
        if not response.reusable:
            self.connection.close()

    def is_retryable(self, status: int) -> bool:
        return status in (408, 409, 429) or status >= 500

    def wait_as_told(self, seconds: float) -> float:
        return seconds

    def backoff(self, attempt: int) -> float:
        return 0.5 * 2.5**attempt

    # ---- One answer

    async def read(self, response: Response, stream: bool) -> bool:
        """Read an answer. Returns whether to stop asking; raises Incomplete if it is not whole."""
        try:
            if stream:
                await self.read_stream(response)
            else:
                answer = json.loads(await response.read())
                self.text = answer["choices"][0]["message"]["content"]
                self.keep(response)
        except (*BROKEN, ValueError, LookupError, TypeError, Incomplete) as error:
            await self.give_up()
            return await self.failed(error)
        await self.finish()
        return True

    async def failed(self, error: Exception) -> bool:
        """The answer broke off."""
        raise Incomplete(str(error)) from error

    async def read_stream(self, response: Response) -> None:
        self.finished = self.done = False
        async with aclosing(self.events(response)) as events:
            async for data in events:
                if data == "[DONE]":
                    self.done = True
                    break
                if self.take(data):
                    self.deadline = trio.current_time() + self.token_timeout
        await self.end(response)

    async def end(self, response: Response) -> None:
        """The events have ended."""
        if not self.finished:
            raise Incomplete("no finish_reason")
        await self.give_up()  # at [DONE], whether or not the connection stays open

    async def events(self, response: Response) -> AsyncGenerator[str, None]:
        """The data of each event."""
        text = codecs.getincrementaldecoder("utf-8")()
        line = ""
        self.deadline = trio.current_time() + self.token_timeout
        async with aclosing(self.reads(response)) as reads:
            async for read in reads:
                line += text.decode(read)
                *lines, line = line.split("\n")
                for one in lines:
                    if (data := self.data_of(one)) is not None:
                        yield data

    async def reads(self, response: Response) -> AsyncGenerator[bytes, None]:
        """What each read brings."""
        while read := await self.receive(response):
            yield read
            if trio.current_time() > self.deadline:
                raise Incomplete("no token for too long")

    async def receive(self, response: Response) -> bytes:
        with trio.fail_after(self.read_timeout):
            return await response.receive_some()

    def data_of(self, line: str) -> str | None:
        return line.removeprefix("data: ") if line.startswith("data: ") else None

    def take(self, data: str) -> bool:
        """Take an event. Returns whether it brought a token."""
        chunk = self.parse(data)
        if chunk.get("error"):
            raise Incomplete(chunk["error"])
        for choice in self.choices(chunk):
            self.show(choice["delta"].get("content") or "")
            self.finished |= choice["finish_reason"] is not None
            return True
        return False

    def parse(self, data: str) -> dict[str, Any]:
        chunk: dict[str, Any] = json.loads(data)
        return chunk

    def choices(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        return chunk.get("choices") or []

    def show(self, text: str) -> None:
        self.text += text

    async def run(self, fault: str) -> None:
        """First a healthy answer, then one with the fault."""
        await self.ask("a control question")
        try:
            await self.ask(fault=fault)
        except Incomplete:
            pass
        self.connection.close()
