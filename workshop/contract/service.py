"""The client's side of the contract tests: `workshop sse-client-service`.

LaunchDarkly's sse-contract-tests can test event-stream clients in any language. The client is
wrapped in a small HTTP server, the test service. The tests tell the service to connect its client
to a stream of theirs, and the service posts everything that the client receives back to the tests:

    GET /                                       what can this client do?
    {"name":"streaming-workshop","capabilities":["bom","comments",…]}

    POST /                                      connect
    {"streamUrl":"http://…/1","callbackUrl":"http://…/back","initialDelayMs":0}
    201 Created, Location: /clients/1

    POST http://…/back/1                        the service tells, numbered from 1
    {"kind":"event","event":{"type":"message","data":"hello","id":"7"}}
    {"kind":"comment","comment":"still here"}
    {"kind":"error","error":"the server ended the response"}

    POST /clients/1  {"command":"restart"}      break the connection, and connect again
    DELETE /clients/1                           stop this client
    DELETE /                                    stop the service

This service wraps `clients/event_source.py`.
"""

import logging
import math
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal

import msgspec
import trio

from clients.event_source import (
    EventSource,
    EventSourceError,
    EventSourceObserver,
    Reconnection,
    open_event_source,
)
from clients.http.client import Client as HTTPClient
from clients.http.client import URLParts, open_client
from clients.http.errors import RequestError
from clients.streams.tcp import Connect, connect
from servers.http.access import Access
from servers.http.command import arguments, run
from servers.http.reply import Handler, Reply, Request
from servers.http.routes import Routes

__all__ = ["CAPABILITIES", "ClientService", "main"]

log = logging.getLogger("servers")

CAPABILITIES = (
    "bom",
    "comments",
    "event-type-listeners",
    "headers",
    "last-event-id",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
)
# a page of another site must not be able to make us connect
HOSTS = ("localhost", "127.0.0.1", "[::1]")
MAX_CLIENTS = 100
# largest number of messages that wait for the callback; a client with more is stopped
MAX_UNTOLD = 1000
TOO_DEEP = "it is nested too deeply"

Milliseconds = Annotated[float, msgspec.Meta(ge=0)]


class NewClient(msgspec.Struct, frozen=True, rename="camel"):
    """The body of `POST /`: the stream to connect to, and the URL for the reports.

    Args:
        stream_url: The URL of the event stream.
        callback_url: URL to which the reports are posted, with "/1", "/2", … after it.
        tag: The name of the test, for a log.
        initial_delay_ms: Milliseconds to wait after a break, until the server sends a `retry`.
        read_timeout_ms: Milliseconds without a byte after which the connection counts as broken.
        last_event_id: The id for the first request, or "".
        headers: Headers to send in addition to the usual ones.
        method, body: The method and the body of the request.
    """

    stream_url: str
    callback_url: str
    tag: str = ""
    initial_delay_ms: Milliseconds = 3000.0
    read_timeout_ms: Milliseconds = math.inf
    last_event_id: str = ""
    headers: dict[str, str] = {}
    method: str = "GET"
    body: str = ""


class Command(msgspec.Struct, frozen=True):
    """The body of `POST /clients/N`. `listen` needs no action, because this client reports all
    events."""

    command: Literal["restart", "listen"]


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """One report of the client, in the form that is posted to the callback."""

    kind: Literal["event", "comment", "error"]
    event: dict[str, str] | None = None
    comment: str | None = None
    error: str | None = None


class Client(EventSourceObserver):
    """One client of the service. It reads a stream, and reports its events, comments and errors.

    Args:
        asked: The body of the request that created the client.
        connect: The function that opens connections, by default over TCP. Attributes: scope: The
            client runs in this cancel scope. Cancel it to stop the client.

    Raises:
        ValueError: A URL cannot be used.
    """

    def __init__(self, asked: NewClient, connect: Connect = connect) -> None:
        self.scope = trio.CancelScope()
        # The tests measure the wait, so no random time is added to it.
        self._decides = Reconnection(
            asked.stream_url,
            asked.method,
            tuple(asked.headers.items()),
            asked.body.encode(),
            asked.last_event_id,
            seconds=asked.initial_delay_ms / 1000,
            backoff=1.0,
            jitter=0.0,
        )
        URLParts.parse(asked.callback_url)
        self._callback = asked.callback_url.rstrip("/")
        self._read_seconds = asked.read_timeout_ms / 1000
        self._connect = connect
        self._waiting = trio.CancelScope()
        self._untold: trio.MemorySendChannel[Seen]

    def comment(self, text: str) -> None:
        self._tell(Seen("comment", comment=text))

    def broke(self, why: str, seconds: float) -> None:
        self._tell(Seen("error", error=why))

    def restart(self) -> None:
        """Break the connection. The client reconnects after the usual wait."""
        self._waiting.cancel()

    def _tell(self, seen: Seen) -> None:
        try:
            self._untold.send_nowait(seen)
        except trio.WouldBlock:
            log.warning("a client is stopped: %d messages wait for its callback", MAX_UNTOLD)
            self.scope.cancel()

    async def run(self, http: HTTPClient) -> None:
        """Read until the stream ends and the client does not reconnect, or until `scope` is
        cancelled.

        Args:
            http: The HTTP client that calls the callback.
        """
        self._untold, untold = trio.open_memory_channel[Seen](MAX_UNTOLD)
        opening = open_event_source(
            self._decides.url,
            reconnection=self._decides,
            read_seconds=self._read_seconds,
            observer=self,
            connect=self._connect,
        )
        with self.scope:
            async with trio.open_nursery() as nursery, opening as source:
                nursery.start_soon(self._post, http, untold)
                with self._untold:
                    await self._read(source)

    async def _read(self, source: EventSource) -> None:
        while True:
            event = None
            try:
                with trio.CancelScope() as self._waiting:
                    event = await anext(source)
            except StopAsyncIteration:
                return
            except EventSourceError as error:
                self._tell(Seen("error", error=str(error)))
                return
            if event is None:
                await source.restart()
                continue
            fields = {"type": event.event, "data": event.data, "id": event.id or ""}
            await self._untold.send(Seen("event", event=fields))

    async def _post(self, http: HTTPClient, untold: trio.MemoryReceiveChannel[Seen]) -> None:
        """Post all reports, in order."""
        kind = (("Content-Type", "application/json"),)
        number = 0
        async for seen in untold:
            number += 1
            url, body = f"{self._callback}/{number}", msgspec.json.encode(seen)
            try:
                async with http.request("POST", url, kind, body) as response:
                    await response.read()
            except RequestError as error:
                log.warning("a client is stopped: its callback failed: %s", error)
                self.scope.cancel()


class ClientService:
    """The handlers of the service.

    Args:
        stop: A function that `DELETE /` calls.
        max_clients: Largest number of clients at a time. A request for one more gets a 503.
        connect: The function that opens connections, by default over TCP.
    """

    def __init__(
        self,
        stop: Callable[[], None],
        max_clients: int = MAX_CLIENTS,
        connect: Connect = connect,
    ) -> None:
        self._stop = stop
        self._max_clients = max_clients
        self._connect = connect
        self._clients: dict[str, Client] = {}
        self._count = 0
        self._new, self._to_run = trio.open_memory_channel[str](max_clients)

    @property
    def running(self) -> int:
        """The number of clients that are running."""
        return len(self._clients)

    def routes(self) -> Routes:
        """Return the routes of the service. Only programs on this machine may use them."""
        table: dict[str, Handler] = {
            "GET /": self._describe,
            "POST /": self._create,
            "DELETE /": self._end,
            "POST /clients/{id}": self._command,
            "DELETE /clients/{id}": self._delete,
        }
        tasks: list[Callable[[], Awaitable[None]]] = [self._run]
        return Routes(Access(hosts=HOSTS).guard(table), tasks)

    async def _run(self) -> None:
        async with open_client(connect=self._connect) as http, trio.open_nursery() as nursery:
            async for id in self._to_run:
                nursery.start_soon(self._run_client, id, http)

    async def _run_client(self, id: str, http: HTTPClient) -> None:
        try:
            await self._clients[id].run(http)
        finally:
            del self._clients[id]

    async def _describe(self, request: Request) -> Reply:
        body = msgspec.json.encode({"name": "streaming-workshop", "capabilities": CAPABILITIES})
        return Reply(body, content_type="application/json")

    async def _create(self, request: Request) -> Reply:
        if len(self._clients) >= self._max_clients:
            return Reply(f"{self._max_clients} clients are running: delete one\n", 503)
        try:
            asked = msgspec.json.decode(request.body, type=NewClient)
            client = Client(asked, self._connect)
        except RecursionError:  # [[[[…
            return Reply(f"not a new client: {TOO_DEEP}\n", 400)
        except ValueError as error:
            # the body is not JSON, is not such an object, or has an invalid URL
            return Reply(f"not a new client: {error}\n", 400)
        self._count += 1
        id = str(self._count)
        self._clients[id] = client
        self._new.send_nowait(id)
        return Reply(status=201, headers=(("Location", f"/clients/{id}"),))

    async def _command(self, request: Request) -> Reply:
        client = self._clients.get(request.params["id"])
        if client is None:
            return Reply("there is no such client\n", 404)
        try:
            command = msgspec.json.decode(request.body, type=Command)
        except RecursionError:
            return Reply(f"not a command: {TOO_DEEP}\n", 400)
        except ValueError as error:
            return Reply(f"not a command: {error}\n", 400)
        if command.command == "restart":
            client.restart()
        return Reply(status=202)

    async def _delete(self, request: Request) -> Reply:
        client = self._clients.get(request.params["id"])
        if client is None:
            return Reply("there is no such client\n", 404)
        client.scope.cancel()
        return Reply(status=204)

    async def _end(self, request: Request) -> Reply:
        self._stop()
        return Reply(status=204)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service."""
    about = "The test service of the contract tests, around this project's event source."
    parser = arguments("workshop sse-client-service", about, 8010)
    parser.prog = "workshop sse-client-service"
    options = parser.parse_args(argv)
    service = ClientService(stop=lambda: signal.raise_signal(signal.SIGTERM))
    return run(options, "workshop sse-client-service", service.routes())


if __name__ == "__main__":
    sys.exit(main())


# What this file does not do: keep a client that has ended. After that, the URL of the client
# answers 404.
