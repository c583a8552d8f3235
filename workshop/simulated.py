"""A simulated LLM in a thread of this process, for tests of clients in any style.

    with SimulatedLLM() as llm:
        llm.script("Hello!")                     what it says
        llm.fault("rst@5")                       how its answers break
        my_client(base_url=llm.base_url)         sync, async, or another process
        assert len(llm.requests) == 1            what was asked
        llm.assert_resilient()                   what the client did with the fault

The server is a real one, on a free port of the loopback. Its thread runs trio. All methods may be
called from any other thread, and inside any event loop. They return at once, with one exception:
outside of event loops, `verdict` gives a client that has just given up a moment to close its
connection.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any, TypeVar

import msgspec
import trio

from servers.chat import routes
from servers.http.limits import Limits
from servers.http.reply import Handler, Reply, Request, StreamingReply
from servers.http.server import Server, listen
from servers.llm.faults import parse
from servers.llm.model.models import Model
from servers.llm.model.schema import cut
from servers.llm.model.script import Script, Scripts, ScriptTurn
from servers.llm.pace import PROFILES, Pace
from servers.llm.verdict.attempts import Control
from servers.llm.verdict.exchange import Exchange, Saw, VerdictLimits
from servers.llm.verdict.judging import Finding
from servers.llm.verdict.routes import ClientVerdict, verdict_of
from servers.llm.verdict.rules import GRADES, Grade
from servers.llm.verdict.watching import Client, Watcher

__all__ = ["NotResilientError", "SeenRequest", "SimulatedLLM", "report_of"]

T = TypeVar("T")

SCRIPT = "simulated"
PATIENCE = 10.0


class SeenRequest(msgspec.Struct, frozen=True):
    """A request that a client sent.

    Args:
        method, path: Its method and path.
        headers: Its fields, by their names in lower case.
        body: Its body.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.body)


class NotResilientError(AssertionError):
    """The client has broken a rule. The message is the report."""


class SimulatedLLM:
    """A simulated LLM on a port of its own, from `start` to `stop`.

    Args:
        ttft: Time to first token, in seconds.
        itl: Time between two tokens, in seconds.
        limits: Times from which the verdict is made. By default, a client that waits in silence
            must give up after 10 seconds.
        max_requests: Largest number of requests in `requests`; then the oldest is evicted.
    """

    def __init__(
        self,
        *,
        ttft: float = 0.01,
        itl: float = 0.002,
        limits: VerdictLimits | None = None,
        max_requests: int = 1000,
    ) -> None:
        self._pace = Pace(ttft, itl)
        self._watcher = _Recorder(limits or VerdictLimits(patience=PATIENCE), max_requests)
        self._scripts: dict[str, Script] = {}
        self._thread: threading.Thread | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._server: Server | None = None
        self.port = 0

    # ---- Its life

    def start(self) -> None:
        """Start the server. When this returns, clients can connect."""
        model = Model(0, Scripts(self._scripts, cut))
        served = routes(self._pace, model=model, watcher=self._watcher)
        sockets = listen("127.0.0.1", 0)
        self.port = sockets[0].getsockname()[1]
        self._server = server = Server(served, limits=Limits(), grace_seconds=0)
        started = threading.Event()

        async def serve() -> None:
            self._token = trio.lowlevel.current_trio_token()
            started.set()
            await server.serve(sockets)

        self._thread = threading.Thread(
            target=trio.run, args=(serve,), name="simulated LLM", daemon=True
        )
        self._thread.start()
        started.wait()

    def stop(self) -> None:
        """Stop the server. Streams that still run are cut off."""
        if self._thread and self._server:
            self._call(self._server.abort)
            self._thread.join()
            self._thread = None

    def __enter__(self) -> "SimulatedLLM":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _call(self, function: Callable[[], T]) -> T:
        """Call a function in the server's thread."""
        assert self._token is not None, "call start() first"
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        self._token.run_sync_soon(run)
        return done.result()

    # ---- What it does

    @property
    def base_url(self) -> str:
        """The URL for OPENAI_BASE_URL, with /v1 at its end."""
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, *turns: str | Mapping[str, Any]) -> None:
        """Set the model's answers, whatever its name. Without turns, the model chooses its own
        answers.

        Args:
            turns: Texts for the first turn of a conversation, the second, and so on. The last one
                is repeated. Each may also be a turn as in servers/SCRIPTS.md:
                `{"when": {"role": "tool"}, "text": "The tool says: {tool}."}`.

        Raises:
            ValueError: A turn is not valid.
        """
        plain: list[Mapping[str, Any]] = []
        for number, turn in enumerate(turns, 1):
            when = {"when": {"turn": number}} if number < len(turns) else {}
            plain.append({"text": turn, **when} if isinstance(turn, str) else turn)
        script = Script(tuple(msgspec.convert(turn, ScriptTurn) for turn in plain))

        def change() -> None:
            self._scripts[SCRIPT] = script
            self._watcher.script = f"script:{SCRIPT}" if turns else ""

        self._call(change)

    def fault(self, spec: str) -> None:
        """Inject a fault into each answer whose request has no X-Fault.

        Args:
            spec: The fault, as in X-Fault: "rst@5", "503*1"; "" for no fault.

        Raises:
            ValueError: There is no such fault.
        """
        if spec:
            parse(spec)
        self._call(lambda: setattr(self._watcher, "fault", spec))

    def pace(self, name: str) -> None:
        """Choose one of the named paces: "instant", "human", "fast-api", …

        Raises:
            ValueError: There is no such pace.
        """
        if name not in PROFILES:
            raise ValueError(f"no such pace: {name!r}. There are {', '.join(PROFILES)}")
        self._call(lambda: setattr(self._watcher, "pace", PROFILES[name]))

    def patience(self, seconds: float) -> None:
        """Set the seconds of silence after which a client must have given up."""
        limits = msgspec.structs.replace(self._watcher.limits, patience=seconds)
        self._call(lambda: setattr(self._watcher, "limits", limits))

    def reset(self) -> None:
        """Forget all requests, and all choices of script, fault, pace and patience."""
        self._call(self._watcher.start_again)

    # ---- What it saw

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests for answers since the last reset, in their order."""
        return self._call(lambda: list(self._watcher.requests))

    def saw(self, outcome: str = "", text: str | None = None, shown: str | None = None) -> None:
        """Tell what only the client knows about its latest answer.

        Args:
            outcome: "complete", "error" or "cancelled": what its user was told.
            text: The text that the user has in the end.
            shown: The text that the user sees while the answer is still arriving.

        Raises:
            ValueError: There is no such outcome.
            LookupError: Nothing has been asked.
        """
        told = Saw(outcome=outcome, text=text, shown=shown)

        def tell() -> bool:
            latest = max(
                self._watcher.clients.values(),
                key=lambda client: client.exchanges[-1].asked,
                default=None,
            )
            return latest is not None and latest.saw(told)

        if not self._call(tell):
            raise LookupError("nothing has been asked yet")

    def exchanges(self) -> list[Exchange]:
        """The behaviour of each client, for `Control.of`. Read it when the clients have ended."""
        return self._call(lambda: list(self._watcher.exchanges()))

    def verdicts(self, control: Control | None = None) -> list[ClientVerdict]:
        """The verdict on each client (by X-Client, or by its key), after its last request."""
        self._settle()

        def judge() -> list[ClientVerdict]:
            return [
                verdict_of(client, self._watcher, control=control, ended=True)
                for client in self._watcher.clients.values()
            ]

        return self._call(judge)

    def verdict(self, control: Control | None = None) -> ClientVerdict:
        """The verdict on all clients together, as if they were one.

        Args:
            control: The behaviour of the clients in an earlier run without faults.
        """
        self._settle()

        def judge() -> ClientVerdict:
            whole = Client("all", self._watcher.limits)
            whole.exchanges = sorted(self._watcher.exchanges(), key=lambda each: each.asked)
            return verdict_of(whole, self._watcher, control=control, ended=True)

        return self._call(judge)

    def assert_resilient(self, min_grade: Grade = "warn") -> None:
        """Fail if the client has broken a rule.

        Args:
            min_grade: "warn" for all rules, or "fail" for the rules about lost text and harm.

        NotResilientError: The client has broken a rule. The message is the report.
        """
        verdict = self.verdict()
        worse = GRADES[GRADES.index(min_grade) :]
        if findings := [each for each in verdict.findings if each.grade in worse]:
            raise NotResilientError(report_of(findings))

    def _settle(self) -> None:
        """Wait until the clients have closed the connections that they have given up, but at most
        for the time in which a client must react. In an event loop this does not wait, because the
        client itself would then wait for us."""
        until = time.monotonic() + self._watcher.limits.reaction * 1.1
        while not _in_event_loop() and self._call(self._watcher.is_open):
            if time.monotonic() > until:
                break
            time.sleep(0.01)


class _Recorder(Watcher):
    """A watcher that keeps the requests, too."""

    def __init__(self, limits: VerdictLimits, max_requests: int) -> None:
        super().__init__(limits, insist=True)
        self.requests: list[SeenRequest] = []
        self._usual = limits
        self._max_requests = max_requests

    def start_again(self) -> None:
        self.reset()
        self.requests = []
        self.fault = self.script = ""
        self.pace = None
        self.limits = self._usual

    def is_open(self) -> bool:
        """Whether a client has a connection on which a fault has left it waiting."""
        return any(each.injected and each.gone is None for each in self.exchanges())

    def watched(self, handler: Handler) -> Handler:
        inner = super().watched(handler)

        async def handle(request: Request) -> Reply | StreamingReply:
            fields = dict(reversed(request.headers))  # of a repeated field, the first value
            seen = SeenRequest(request.method, request.path, fields, request.body)
            self.requests.append(seen)
            del self.requests[: -self._max_requests]
            return await inner(request)

        return handle


def report_of(findings: list[Finding]) -> str:
    """The findings in words, for a person."""
    lines = []
    for finding in findings:
        fault = f"  ({finding.fault})" if finding.fault else ""
        lines += [
            f"{finding.grade}: {finding.code}{fault}",
            f"  seen: {finding.say}",
            f"  rule: {finding.rule}",
            f"  cure: {finding.cure}",
        ]
    return "\n".join(lines)


def _in_event_loop() -> bool:
    """Whether the calling thread runs an event loop, of asyncio or of trio."""
    if "asyncio" in sys.modules:
        try:
            sys.modules["asyncio"].get_running_loop()
        except RuntimeError:
            pass
        else:
            return True
    return trio.lowlevel.in_trio_run()


# What this file does not do: TLS, more than one model at a time, or other hosts.
