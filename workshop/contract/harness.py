"""The testing side of the contract tests. It can test any event-stream client that is wrapped in a
test service.

    $ workshop sse-client-service --port 8010 &
    $ workshop spec --sse-client http://localhost:8010
    PASS  data.one-line
    …
    FAIL  id.with-nul-is-ignored
          sent      id: 1\\ndata: x\\n\\nid: 2\\x00\\ndata: y\\n\\n
          expected  event "y" (message, id "1")
          came      event "y" (message, id "2\\x00")
          rule      If the field value does not contain U+0000 NULL, then … (WHATWG HTML §9.2.6)
    160 passed, 1 failed, 1 skipped

For each case, the harness creates a client in the service, answers the client's connections as the
case says, and compares the reports of the service with the expected ones. The protocol comes from
LaunchDarkly (service.py shows it), so the services of LaunchDarkly's SDKs can be tested, too.

The rules this file keeps:

1. A case passes as soon as all expected reports have arrived, in order. The harness sleeps for a
   fixed time only if a case says that nothing more may arrive.
2. If the client does not have the capability that a case needs, the result is SKIP.
3. Each client is deleted when its case has ended.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import msgspec
import trio

from clients.http.client import Client, open_client
from clients.http.errors import RequestError
from clients.streams.tcp import Connect, connect
from servers.http.limits import Limits
from servers.http.reply import CutOff, Handler, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.http.server import Server, listen

from .case import Answer, Case, Sight
from .connection_cases import CONNECTING
from .judging import MAX_SHOWN, Failed, Outcome, Told, check_request, compare, in_words, sent
from .parsing_cases import PARSING

__all__ = ["CASES", "Harness", "Outcome", "ServiceError", "run_cases", "serving"]

CASES: tuple[Case, ...] = (*PARSING, *CONNECTING)

PATIENCE = 10.0  # seconds to wait for an expected report
AT_ONCE = 8  # cases that run at the same time
MAX_TOLD = 10_000  # messages of one case
LIMITS = Limits(max_body_size=64 << 20)


class ServiceError(Exception):
    """There is no test service at the URL, or it does not follow the protocol."""


class Trial:
    """One case that is running: the connections of its client, and the client's reports."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.requests: list[Request] = []
        self.asked_at: list[float] = []
        self.ended_at: list[float] = []
        self.told: dict[int, Told] = {}
        self.news = trio.Event()

    def tell(self) -> None:
        """Wake up the task that waits for something to happen."""
        self.news.set()
        self.news = trio.Event()

    async def answer(self, request: Request) -> Reply | StreamingReply:
        """Return the next answer of the case."""
        number = len(self.requests)
        self.requests.append(request)
        self.asked_at.append(trio.current_time())
        self.ended_at.append(trio.current_time())
        self.tell()
        if number >= len(self.case.answers):
            return Reply(status=204)
        answer = self.case.answers[number]
        await trio.sleep(answer.silence)
        headers = [
            (name, value.replace("{stream}", request.path)) for name, value in answer.headers
        ]
        kind = next((value for name, value in headers if name == "Content-Type"), "text/plain")
        others = tuple(one for one in headers if one[0] != "Content-Type")
        return StreamingReply(self._pieces(answer, number), answer.status, kind, others)

    async def _pieces(self, answer: Answer, number: int) -> AsyncGenerator[bytes, None]:
        try:
            for piece in answer.pieces:
                yield piece
                await trio.sleep(answer.pause)
            if answer.then == "stay":
                await trio.sleep_forever()
            if answer.then == "cut":
                with trio.move_on_after(1):
                    while len(self.told) < answer.reports:
                        await self.news.wait()
                raise CutOff
        finally:
            self.ended_at[number] = trio.current_time()


class Harness:
    """Runs cases against one test service.

    Args:
        service: The URL of the service.
        base: The URL at which the service can reach the harness's own server.
        client: The HTTP client for the service.
        patience: Seconds to wait for an expected report, and for each answer of the service.
    """

    def __init__(self, service: str, base: str, client: Client, patience: float = PATIENCE) -> None:
        self.service = service
        self._base = base.rstrip("/")
        self.client = client
        self._patience = patience
        self._trials: dict[str, Trial] = {}

    def routes(self) -> Routes:
        """Return the routes of the harness's server: the streams, and the callback."""
        return Routes(self.table())

    def table(self) -> dict[str, Handler]:
        """Return the same routes with their handlers, for a server that has others, too."""
        table: dict[str, Handler] = {
            f"{method} /stream/{{id}}": self._stream for method in ("GET", "POST", "REPORT")
        }
        return table | {"POST /told/{id}": self._told}

    async def _stream(self, request: Request) -> Reply | StreamingReply:
        trial = self._trials.get(request.params["id"])
        if trial is None:  # the case of this client has ended
            return Reply(status=204)
        return await trial.answer(request)

    async def _told(self, request: Request) -> Reply:
        id, _, number = request.params["id"].partition("/")
        trial = self._trials.get(id)
        try:
            told = msgspec.json.decode(request.body, type=Told)
            which = int(number)
        except (ValueError, RecursionError) as error:
            return Reply(f"not a message: {error}\n", 400)
        if trial is None:  # its case has ended
            return Reply(status=204)
        if not 1 <= which <= MAX_TOLD:
            return Reply(f"the numbers of a case go from 1 to {MAX_TOLD}\n", 400)
        # If a message is repeated because its first reply was lost, nothing changes.
        trial.told.setdefault(which, told)
        trial.tell()
        return Reply(status=204)

    async def describe(self) -> tuple[str, set[str]]:
        """Ask the service for its name and capabilities.

        Raises:
            ServiceError: The service does not answer, or does not follow the protocol.
        """
        status, body, _ = await self._ask("GET", self.service)
        try:
            if status != 200:
                raise ValueError(f"status {status}")
            answer = msgspec.json.decode(body, type=dict[str, object])
            found = msgspec.convert(answer.get("capabilities", []), set[str])
        except (ValueError, RecursionError) as error:
            raise ServiceError(f"{self.service} is not a test service: {error}") from error
        return str(answer.get("name", "")), found

    async def run(self, case: Case, capabilities: set[str]) -> Outcome:
        """Run one case.

        Raises:
            ServiceError: The service stopped answering.
        """
        if case.needs and case.needs not in capabilities:
            return Outcome(case, "SKIP", [("needs", case.needs)])
        id = str(len(self._trials) + 1) + "-" + case.slug
        trial = self._trials[id] = Trial(case)
        location = await self._create(case, id)
        try:
            await self._watch(trial, location)
        except Failed as failed:
            lines = [("expected", failed.expected), ("came", failed.came), ("rule", case.rule)]
            return Outcome(case, "FAIL", [("sent", sent(case)), *lines])
        finally:
            del self._trials[id]
            with trio.CancelScope(shield=True):
                await self._ask("DELETE", location)
        return Outcome(case, "PASS")

    async def _create(self, case: Case, id: str) -> str:
        wish = {
            "streamUrl": f"{self._base}/stream/{id}",
            "callbackUrl": f"{self._base}/told/{id}",
            "tag": case.slug,
            "initialDelayMs": 20,
            **case.options,
        }
        status, body, location = await self._ask("POST", self.service, msgspec.json.encode(wish))
        if not 200 <= status < 300 or not location:
            words = body.decode(errors="replace")[:MAX_SHOWN]
            raise ServiceError(f"the service made no client: status {status} {words}")
        try:
            return urljoin(self.service, location)
        except ValueError as error:  # half an IPv6 address
            raise ServiceError(f"the service made a client at {location!r}: {error}") from None

    async def _ask(self, method: str, url: str, body: bytes = b"") -> tuple[int, bytes, str]:
        kind = (("Content-Type", "application/json"),) if body else ()
        try:
            with trio.move_on_after(self._patience):
                async with self.client.request(method, url, kind, body) as response:
                    return response.status, await response.read(), response.header("location") or ""
        except (RequestError, ValueError) as error:
            raise ServiceError(f"the service does not answer: {error}") from error
        raise ServiceError(f"the service does not answer: nothing came in {self._patience:g} s")

    async def _watch(self, trial: Trial, location: str) -> None:
        """Wait for the reports that the case expects, and check them.

        Raises:
            Failed: Something else arrived, or nothing did.
        """
        case = trial.case
        # A client may always report errors and comments. They count only if the case expects some.
        counted = {"event"} | {kind for kind, *_ in case.sees}
        # If nothing more may arrive, the client must make only the listed requests. Otherwise the
        # client must request each answer.
        least = len(case.requests)
        if not case.quiet:
            least = max(least, len(case.answers))
        seen: list[Sight] = []
        taken = 0
        with trio.move_on_after(self._patience):
            while len(seen) < len(case.sees) or len(trial.requests) < least:
                if taken + 1 not in trial.told:
                    await trial.news.wait()
                    continue
                taken += 1
                sight = trial.told[taken].sight
                if sight[0] in counted:
                    seen.append(sight)
                    compare(case, seen)
                    if len(seen) == case.restart_after:
                        command = msgspec.json.encode({"command": "restart"})
                        await self._ask("POST", location, command)
        if len(seen) < len(case.sees):
            raise Failed(
                in_words(case.sees[len(seen)]), f"nothing ({len(seen)} things came before)"
            )
        if len(trial.requests) < least:
            raise Failed(f"request {len(trial.requests) + 1}", "none")
        for number, wanted in enumerate(case.requests):
            waited = trial.asked_at[number] - trial.ended_at[max(number - 1, 0)]
            check_request(number + 1, trial.requests[number], wanted, waited)
        await trio.sleep(case.quiet)
        if case.quiet and len(trial.requests) > least:
            came = f"request {len(trial.requests)}"
            raise Failed(f"no further request in {case.quiet:g} s", came)
        # If a number is missing, the later messages still show that something arrived.
        for number in sorted(trial.told)[taken:]:
            sight = trial.told[number].sight
            if sight[0] in counted - {"error"}:
                raise Failed("nothing more", in_words(sight))


@asynccontextmanager
async def serving(
    service: str,
    host: str = "127.0.0.1",
    patience: float = PATIENCE,
    connect: Connect = connect,
) -> AsyncGenerator[Harness, None]:
    """Open a harness with a server on a free port of this machine."""
    sockets = listen(host, 0)
    broken: ServiceError | None = None
    base = f"http://{host}:{sockets[0].getsockname()[1]}"
    async with open_client(connect=connect) as client, trio.open_nursery() as nursery:
        harness = Harness(service, base, client, patience)
        server = Server(harness.routes(), limits=LIMITS, max_bodies_size=256 << 20)
        nursery.start_soon(server.serve, sockets)
        try:
            yield harness
        except ServiceError as error:  # the nursery would wrap the error in an ExceptionGroup
            broken = error
        server.abort()
        nursery.cancel_scope.cancel()
    if broken is not None:
        raise broken


async def run_cases(
    harness: Harness,
    cases: Sequence[Case],
    report: Callable[[Outcome], None],
    at_once: int = AT_ONCE,
) -> None:
    """Run cases, several at the same time.

    Args:
        harness: The harness that runs the cases.
        cases: The cases.
        report: A function called with each outcome, in the order of the cases.
        at_once: Largest number of cases that run at the same time.

    Raises:
        ServiceError: The service does not answer, or stops answering.
    """
    _, capabilities = await harness.describe()
    limiter = trio.CapacityLimiter(at_once)
    outcomes: list[Outcome | None] = [None] * len(cases)
    reported = 0
    broken: ServiceError | None = None

    async def run(number: int, case: Case) -> None:
        nonlocal reported, broken
        async with limiter:
            try:
                outcomes[number] = await harness.run(case, capabilities)
            except ServiceError as error:
                broken = error
                nursery.cancel_scope.cancel()
        while reported < len(cases) and (outcome := outcomes[reported]) is not None:
            report(outcome)
            reported += 1

    async with trio.open_nursery() as nursery:
        for number, case in enumerate(cases):
            nursery.start_soon(run, number, case)
    if broken is not None:
        raise broken


# What this file does not do: print (command.py), or define cases (case.py).
