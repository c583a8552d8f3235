"""The proxy's routes: which requests are relayed, and which reply replaces an unusable one.

the upstream                                  the client
2xx, JSON or an event stream             >    the same
204, 206                                 >    502: not an answer, or only a part of one
4xx, 5xx, registered or not              >    the same status and body, with keys redacted
401                                      >    502: the upstream refused our key, not the client's
3xx; 2xx compressed, or HTML             >    502
no connection, a TLS error, a bad head   >    502
a timeout                                >    504
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
from ..http.api_replies import error_reply, identified, json_reply, refuse
from ..http.body import Ending
from ..http.forwarding import target_of
from ..http.metrics import Metrics
from ..http.redact import Secret, redact
from ..http.reply import Handler, Reply, Request, StreamingReply
from ..http.routes import Routes
from .error_body import redacted_body
from .failure import RelayFailed, UpstreamFailure
from .log_record import CLIENT_GONE, ExchangeSummary
from .relay import TO_SIMULATOR, RelayedReply, Timeouts, UpstreamExchange, fields_to_api

__all__ = ["HOSTS", "PAGES", "Upstream", "routes"]

log = logging.getLogger("servers")

# Only these routes are relayed. If clients could choose any path, they could do anything that the
# key allows.
RELAYED = (
    "POST /v1/chat/completions",
    "POST /v1/responses",
    "GET /v1/models",
    "GET /v1/models/{id}",
)

HOSTS = ("localhost", "127.0.0.1", "[::1]")
PAGES = tuple(f"http://{host}:8000" for host in HOSTS)  # the chat page

# A decoded model id: `gpt-4o`, `ft:gpt-4o:org::id`, `meta-llama/Llama-3.1-8B`. We refuse
# whatever an upstream could decode to another path: `..%2ffiles`, `%252e%252e/files`, `..\\files`,
# `..;/files`.
SEGMENT = r"(?!\.+(?:/|\Z))[\w.:@+~,=-]+"  # not only dots
MODEL_ID = re.compile(rf"{SEGMENT}(?:/{SEGMENT})*", re.ASCII)

# No content, partial content, or a status of WebDAV or delta encoding: none of these is an answer.
# Any other 2xx is an answer: "a client MUST understand the class of any status code" (RFC 9110
# §15).
NOT_AN_ANSWER = {204, 205, 206, 207, 208, 226}

MAX_ERROR_SIZE = 32 << 10
"""Number of bytes of an error's body that are relayed. The rest is dropped. The search for keys is
one step in which all streams wait: 15 ms for the worst text."""

CANCELLED = {CLIENT_GONE, Ending.STALLED.value, Ending.STOPPED.value}

MAX_MODEL = 1024  # characters of a model's name; the log does not show a longer one
MAX_LOGGED = 80  # characters of a model's name in the log


class Upstream(msgspec.Struct, frozen=True):
    """The API to which requests are relayed.

    Args:
        base_url: URL of the API, such as `https://host/v1`, without a slash at the end.
        key: The key for the upstream's Authorization header, or None if it needs no key.
        ca_file: A file of certificates (PEM) to trust in place of the system's.
        timeouts: How long we wait for the upstream.
    """

    base_url: str = "https://api.openai.com/v1"
    key: Secret | None = None
    ca_file: str | None = None
    timeouts: Timeouts = Timeouts()

    @property
    def is_local(self) -> bool:
        """Whether the upstream is on this machine, so that it may be the simulator."""
        return urlsplit(self.base_url).hostname in LOOPBACK


class RelayHandlers:
    """Makes the handlers of the relayed routes.

    Args:
        upstream: The API that requests are relayed to.
        metrics: The object that counts the exchanges.
        connect: The function that opens a connection to the upstream.
    """

    def __init__(
        self, upstream: Upstream, metrics: Metrics, connect: Connect = connect
    ) -> None:
        self._upstream = upstream
        self._connect = connect
        self._metrics = metrics
        self._client: Client | None = None
        self._poller = Poller()
        self._ready = trio.Event()
        self._redacting = trio.Lock()
        self.running = 0
        metrics.active.append(lambda: self.running)

    async def run(self) -> None:
        """Run the pool of upstream connections until cancelled."""
        timeouts = self._upstream.timeouts
        async with open_client(
            ca_file=self._upstream.ca_file, connect_seconds=timeouts.connect, connect=self._connect
        ) as client:
            self._client = client
            self._ready.set()
            await self._poller.run()

    def handler(self, route: str) -> Handler:
        """Return the handler that relays the requests of one route."""

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
                exchange.summary.status, exchange.summary.ending = failure.status, failure.code
                await exchange.aclose()
                return _error_of(failure)
            except BaseException:
                await exchange.aclose()
                raise

        return relay

    def _refusal(self, request: Request) -> Reply | None:
        """Return the error reply to a request that cannot be relayed as the client meant it, or
        None."""
        if "id" in request.params and not MODEL_ID.fullmatch(request.params["id"]):
            return _refused("invalid_model_id", "This is not the id of a model.")
        if not self._upstream.is_local:
            for name, _ in request.headers:
                if TO_SIMULATOR.fullmatch(name):
                    message = f"{name} is for a simulated model on this machine; "
                    return _refused("field_not_relayed", message + "this proxy's upstream is not.")
        return None

    def _exchange(self, request: Request, route: str) -> UpstreamExchange:
        assert self._client is not None
        key = self._upstream.key
        sending = self._client.request(
            request.method,
            self._upstream.base_url + _upstream_target(request, route),
            fields_to_api(request, key),
            request.body,
        )
        model, answers = _asked_of(request)
        summary = ExchangeSummary(model, trio.current_time(), answers=answers)
        self.running += 1

        def finished(summary: ExchangeSummary) -> None:
            self.running -= 1
            self._count(summary, route)

        return UpstreamExchange(sending, self._poller, self._upstream.timeouts, summary, finished)

    async def _reply(
        self, request: Request, response: Response, exchange: UpstreamExchange
    ) -> Reply | StreamingReply:
        """Choose the reply to the client by the head of the upstream's response."""
        reply = RelayedReply(exchange, response, request.path)
        status = exchange.summary.status = reply.status
        if status == 401:
            log.warning("the upstream refuses our key: %s", self._upstream.base_url)
            raise RelayFailed(self._key_failure())
        if 300 <= status < 400:
            message = "The upstream API sent a redirect; this proxy does not follow redirects."
            raise RelayFailed(UpstreamFailure(502, "upstream_redirect", message))
        if status in NOT_AN_ANSWER:
            message = f"The upstream API sent status {status}, which is not an answer."
            raise RelayFailed(UpstreamFailure(502, "upstream_status", message))
        # If a field is repeated, the values are one list (RFC 9110 §5.2): another coding may follow
        # "identity".
        said = b", ".join(response.head.values(b"content-encoding"))
        coding = redact(said.decode("latin-1")).lower()
        if status >= 400:
            return await self._error(reply, response, coding, exchange)
        if coding not in ("", "identity"):
            message = f"The upstream API sent {coding[:40]!r}, although asked not to."
            raise RelayFailed(UpstreamFailure(502, "upstream_content_encoding", message))
        kind = reply.content_type.lower()
        if not kind.startswith(("application/json", "text/event-stream")):
            message = f"The upstream API sent {kind[:80]!r}, which is not an answer."
            raise RelayFailed(UpstreamFailure(502, "upstream_content_type", message))
        if request.method == "HEAD":  # there is no body to relay
            exchange.summary.ending = "head only"
        return reply

    async def _error(
        self, reply: RelayedReply, response: Response, coding: str, exchange: UpstreamExchange
    ) -> Reply:
        """Relay the upstream's error: the same status and body, with keys redacted."""
        body, is_whole = await exchange.read(response, MAX_ERROR_SIZE)
        exchange.summary.ending = "the API's error"
        await exchange.aclose()
        async with self._redacting:  # search one error at a time; other tasks run in between
            safe = redacted_body(body, coding, MAX_ERROR_SIZE, is_whole=is_whole)
        if safe is None:
            message = f"The upstream API sent status {reply.status} with a body in "
            message += f"{coding[:40]!r}, although asked not to."
            error = ErrorBody(message, "upstream_error", None, "upstream_content_encoding")
            readable = error_reply(reply.status, error, reply.headers)
        else:
            readable = Reply(safe, reply.status, reply.content_type, reply.headers)
        readable.reason = reply.reason
        return readable

    def _key_failure(self) -> UpstreamFailure:
        if self._upstream.key is None:
            message = "The upstream API asks for a key, and this proxy has none."
        else:
            message = "The upstream API refuses this proxy's own key."
        return UpstreamFailure(502, "upstream_refused_key", message, may_retry=False)

    def _count(self, summary: ExchangeSummary, route: str) -> None:
        metrics = self._metrics
        metrics.end(route, summary.ending)
        metrics.body_bytes += summary.size
        metrics.cancelled += summary.ending in CANCELLED
        if summary.events:
            metrics.first_token.add(summary.first - summary.began)
        for gap in summary.gaps:
            metrics.gap.add(gap)
        metrics.settle()
        log.info("%s", redact(summary.line()))


def _upstream_target(request: Request, route: str) -> str:
    """Return the text that follows the base URL: the client's path and query, unchanged."""
    path, mark, query = target_of(request).partition("?")
    pattern = route.partition(" ")[2].partition("{")[0]
    if not path.startswith(pattern):  # b"GET /v1/%6dodels/echo": send the plain path
        path = pattern + request.params.get("id", "")
    return path.removeprefix("/v1") + mark + query


class _Asked(msgspec.Struct):
    model: Annotated[str, msgspec.Meta(max_length=MAX_MODEL)] = "-"
    n: object = 1


def _asked_of(request: Request) -> tuple[str, int]:
    """Return the model's name for the log (redacted first, then shortened), and the number of
    answers that the request asks for."""
    try:
        asked = msgspec.json.decode(request.body, type=_Asked) if request.body else _Asked()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "?", 1
    shown = redact(asked.model)[:MAX_LOGGED]
    answers = asked.n if isinstance(asked.n, int) and asked.n > 1 else 1
    return "".join(letter if letter.isprintable() else "?" for letter in shown), answers


def _error_of(failure: UpstreamFailure) -> Reply:
    log.warning("%d %s: %s", failure.status, failure.code, redact(failure.message))
    # The official clients retry every 5xx, unless this field says not to.
    fields = () if failure.may_retry else (("X-Should-Retry", "false"),)
    return error_reply(failure.status, failure.error, fields)


def _refused(code: str, message: str) -> Reply:
    return error_reply(400, ErrorBody(message, "invalid_request_error", None, code))


def routes(
    upstream: Upstream, access: Access | None = None, connect: Connect = connect
) -> Routes:
    """Return all routes of this server.

    Args:
        upstream: The API that requests are relayed to.
        access: The rules for which clients may use the proxy. By default these are programs on this
            machine and the chat page.
        connect: The function that opens a connection to the upstream, by default over TCP.
    """
    access = access or Access(origins=PAGES, hosts=HOSTS)
    metrics = Metrics()
    relay = RelayHandlers(upstream, metrics, connect)

    async def home(request: Request) -> Reply:
        return Reply("A proxy of the OpenAI API, not a web page. Base URL for clients: /v1\n")

    async def numbers(request: Request) -> Reply:
        return Reply(metrics.render(), content_type=Metrics.CONTENT_TYPE)

    async def health(request: Request) -> Reply:
        return json_reply(metrics.health())

    guarded = access.guard({route: relay.handler(route) for route in RELAYED})
    table = {route: identified(handler) for route, handler in guarded.items()}
    table |= {"GET /": home, "GET /metrics": numbers, "GET /health": health}
    return Routes(table, tasks=[relay.run], refuse=refuse, metrics=metrics)
