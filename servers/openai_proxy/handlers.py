"""The proxy's routes: which requests are relayed, and what an unusable reply becomes.

the API behind                          the client
2xx, JSON or an event stream       >    the same
204, 206                           >    502: that is no answer, or a part of one
4xx, 5xx, registered or not        >    the same status and words, without any key in them
401                                >    502: it is our key that was refused, not the client's
3xx; 2xx compressed, or HTML       >    502
no connection, TLS, a bad head     >    502
a clock that ran down              >    504
"""

import logging
import re
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import trio

from clients.chat import LOOPBACK
from clients.http.client import Client, Response, open_client
from clients.streams.poller import Poller
from clients.streams.tcp import Connect, connect
from protocol.openai.common import ErrorBody

from ..http.access import Access
from ..http.api_replies import error_reply, identified, refuse
from ..http.body import Ending
from ..http.forwarding import target_of
from ..http.metrics import Metrics
from ..http.redact import Secret, redact
from ..http.reply import Handler, Reply, Request, StreamingReply
from ..http.routes import Routes
from .error_body import words_of
from .failure import Failure, RelayFailed
from .log_record import CLIENT_GONE, Record
from .relay import TO_SIMULATOR, Clocks, Exchange, RelayedReply, fields_to_api

__all__ = ["HOSTS", "PAGES", "Upstream", "routes"]

log = logging.getLogger("servers")

# What is relayed, and nothing else: a path of the client's choice could reach what the key opens.
RELAYED = (
    "POST /v1/chat/completions",
    "POST /v1/responses",
    "GET /v1/models",
    "GET /v1/models/{id}",
)

HOSTS = ("localhost", "127.0.0.1", "[::1]")
PAGES = tuple(f"http://{host}:8000" for host in HOSTS)  # the chat page

# The id of a model, once decoded: `gpt-4o`, `ft:gpt-4o:org::id`, `meta-llama/Llama-3.1-8B`. What an
# upstream could decode to another path is not one, however often it decodes: `..%2ffiles`,
# `%252e%252e/files`, `..\\files`, `..;/files`.
SEGMENT = r"(?!\.+(?:/|\Z))[\w.:@+~,=-]+"  # not of dots alone
MODEL_ID = re.compile(rf"{SEGMENT}(?:/{SEGMENT})*", re.ASCII)

# No content, a part of it, or what only WebDAV and delta encoding have: none of these is an answer.
# Any other 2xx is one: "a client MUST understand the class of any status code" (RFC 9110 §15).
NO_ANSWER = {204, 205, 206, 207, 208, 226}

MAX_ERROR = 32 << 10
"""Bytes of an error's body that pass on; the rest is cut off. They are searched for keys in one
step, in which all streams wait: 15 ms for the worst of texts."""

CANCELLED = {CLIENT_GONE, Ending.STALLED.value, Ending.STOPPED.value}

MAX_MODEL = 1024  # characters of a model's name: a longer one is not shown in the log
MAX_SHOWN = 80  # of them, in the log


class Upstream(msgspec.Struct, frozen=True):
    """The API behind.

    Args:
        base_url: `https://host/v1`, without a slash at the end.
        key: for its Authorization header, or None if it asks for none.
        ca_file: certificates (PEM) to trust in place of the system's.
        clocks: how long it may take.
    """

    base_url: str = "https://api.openai.com/v1"
    key: Secret | None = None
    ca_file: str | None = None
    clocks: Clocks = Clocks()

    @property
    def is_local(self) -> bool:
        """It is on this machine, so it may be the simulator."""
        return urlsplit(self.base_url).hostname in LOOPBACK


class Relay:
    """The handlers.

    Args:
        upstream: the API behind.
        metrics: where exchanges are counted.
        connect: Opens a connection to the upstream.
    """

    def __init__(
        self, upstream: Upstream, metrics: Metrics, connect: Connect = connect
    ) -> None:
        self._upstream = upstream
        self._connect = connect
        self._metrics = metrics
        self._client: Client | None = None
        self._arrivals = Poller()
        self._ready = trio.Event()
        self._searching = trio.Lock()
        self.running = 0
        metrics.active.append(lambda: self.running)

    async def run(self) -> None:
        """Hold the connections to the API behind, until cancelled."""
        clocks = self._upstream.clocks
        async with open_client(
            ca_file=self._upstream.ca_file, connect_seconds=clocks.connect, connect=self._connect
        ) as client:
            self._client = client
            self._ready.set()
            await self._arrivals.run()

    def handler(self, route: str) -> Handler:
        """Relays the requests of one route."""

        async def relay(request: Request) -> Reply | StreamingReply:
            if refusal := self._refusal(request):
                return refusal
            await self._ready.wait()
            exchange = self._exchange(request, route)
            try:
                response = await exchange.begin()
                return await self._reply(request, response, exchange)
            except RelayFailed as failed:
                failure = failed.failure
                exchange.record.status, exchange.record.ending = failure.status, failure.code
                await exchange.aclose()
                return _failed(failure)
            except BaseException:
                await exchange.aclose()
                raise

        return relay

    def _refusal(self, request: Request) -> Reply | None:
        """What to say of a request that cannot be passed on as it was meant."""
        if "id" in request.params and not MODEL_ID.fullmatch(request.params["id"]):
            return _refused("invalid_model_id", "This is not the id of a model.")
        if not self._upstream.is_local:
            for name, _ in request.headers:
                if TO_SIMULATOR.fullmatch(name):
                    message = f"{name} is for a simulated model, and the API behind this proxy "
                    return _refused("field_not_relayed", message + "is not on this machine.")
        return None

    def _exchange(self, request: Request, route: str) -> Exchange:
        assert self._client is not None
        key = self._upstream.key
        asking = self._client.request(
            request.method,
            self._upstream.base_url + _target_behind(request, route),
            fields_to_api(request, key),
            request.body,
        )
        record = Record(_model_of(request), trio.current_time())
        self.running += 1

        def finished(record: Record) -> None:
            self.running -= 1
            self._count(record, route)

        return Exchange(asking, self._arrivals, self._upstream.clocks, record, finished)

    async def _reply(
        self, request: Request, response: Response, exchange: Exchange
    ) -> Reply | StreamingReply:
        """The reply to the client, by what the API behind has said so far."""
        reply = RelayedReply(exchange, response, request.path)
        status = exchange.record.status = reply.status
        if status == 401:
            log.warning("the API behind refuses our key: %s", self._upstream.base_url)
            raise RelayFailed(self._refused_key())
        if 300 <= status < 400:
            message = "The API behind this proxy redirects, and redirects are not followed."
            raise RelayFailed(Failure(502, "upstream_redirect", message))
        if status in NO_ANSWER:
            message = f"The API behind this proxy sends status {status}: no answer."
            raise RelayFailed(Failure(502, "upstream_status", message))
        # Said twice is said together (RFC 9110 §5.2): "identity" may be followed by another.
        said = b", ".join(response.head.values(b"content-encoding"))
        coding = redact(said.decode("latin-1")).lower()
        if status >= 400:
            return await self._error(reply, response, coding, exchange)
        if coding not in ("", "identity"):
            message = f"The API behind this proxy sends {coding[:40]!r}, though asked not to."
            raise RelayFailed(Failure(502, "upstream_content_encoding", message))
        kind = reply.content_type.lower()
        if not kind.startswith(("application/json", "text/event-stream")):
            message = f"The API behind this proxy sends {kind[:80]!r} in place of an answer."
            raise RelayFailed(Failure(502, "upstream_content_type", message))
        if request.method == "HEAD":  # no body will be relayed, and nobody has left
            exchange.record.ending = "head only"
        return reply

    async def _error(
        self, reply: RelayedReply, response: Response, coding: str, exchange: Exchange
    ) -> Reply:
        """An error of the API behind: the same status and words, without a key in them."""
        body, is_whole = await exchange.read(response, MAX_ERROR)
        exchange.record.ending = "the API's error"
        await exchange.aclose()
        async with self._searching:  # one error at a time; then the others have their turn
            words = words_of(body, coding, MAX_ERROR, is_whole=is_whole)
        if words is None:
            message = f"The API behind this proxy sends status {reply.status}, and its words "
            message += f"in {coding[:40]!r}, though asked not to."
            error = ErrorBody(message, "upstream_error", None, "upstream_content_encoding")
            readable = error_reply(reply.status, error, reply.headers)
        else:
            readable = Reply(words, reply.status, reply.content_type, reply.headers)
        readable.reason = reply.reason
        return readable

    def _refused_key(self) -> Failure:
        if self._upstream.key is None:
            message = "The API behind this proxy asks for a key, and the proxy has none."
        else:
            message = "The API behind this proxy refuses the proxy's own key."
        return Failure(502, "upstream_refused_key", message, may_retry=False)

    def _count(self, record: Record, route: str) -> None:
        metrics = self._metrics
        metrics.end(route, record.ending)
        metrics.body_bytes += record.size
        metrics.cancelled += record.ending in CANCELLED
        if record.events:
            metrics.first_token.add(record.first - record.began)
        for gap in record.gaps:
            metrics.gap.add(gap)
        metrics.settle()
        log.info("%s", redact(record.line()))


def _target_behind(request: Request, route: str) -> str:
    """What stands behind the base URL: path and query as they came."""
    path, mark, query = target_of(request).partition("?")
    pattern = route.partition(" ")[2].partition("{")[0]
    if not path.startswith(pattern):  # b"GET /v1/%6dodels/echo": our own path, and no other
        path = pattern + request.params.get("id", "")
    return path.removeprefix("/v1") + mark + query


class _Named(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(max_length=MAX_MODEL)] = "-"


def _model_of(request: Request) -> str:
    """For the log: what the request says, if it can be read. Redacted first, and then cut."""
    try:
        name = msgspec.json.decode(request.body, type=_Named).model if request.body else "-"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "?"
    shown = redact(name)[:MAX_SHOWN]
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def _failed(failure: Failure) -> Reply:
    log.warning("%d %s: %s", failure.status, failure.code, redact(failure.message))
    # The official clients try any 5xx again, unless they are told not to.
    fields = () if failure.may_retry else (("X-Should-Retry", "false"),)
    return error_reply(failure.status, failure.error, fields)


def _refused(code: str, message: str) -> Reply:
    return error_reply(400, ErrorBody(message, "invalid_request_error", None, code))


def routes(
    upstream: Upstream, access: Access | None = None, connect: Connect = connect
) -> Routes:
    """All routes of this server.

    Args:
        upstream: the API behind.
        access: who may use it; by default programs on this machine, and the chat page.
        connect: Opens a connection to the upstream, by default over TCP.
    """
    access = access or Access(origins=PAGES, hosts=HOSTS)
    metrics = Metrics()
    relay = Relay(upstream, metrics, connect)

    async def home(request: Request) -> Reply:
        return Reply("A proxy of the OpenAI API, no page: a client's base URL is /v1 here.\n")

    async def numbers(request: Request) -> Reply:
        return Reply(metrics.render(), content_type=Metrics.CONTENT_TYPE)

    async def health(request: Request) -> Reply:
        return Reply(b'{"status":"ok"}', content_type="application/json")

    guarded = access.guard({route: relay.handler(route) for route in RELAYED})
    table = {route: identified(handler) for route, handler in guarded.items()}
    table |= {"GET /": home, "GET /metrics": numbers, "GET /health": health}
    return Routes(table, tasks=[relay.run], refuse=refuse)
