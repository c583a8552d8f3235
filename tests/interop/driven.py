"""The contract tests on event sources in JavaScript: a browser's own, and the page's parser as one.

    harness  --POST /clients-->  this file  --GET /next-->  event_source_driver.mjs, in the client
       ^------------------------- GET /stream, POST /told --------------------------'

A browser cannot listen, so it asks what to do. All routes have one origin, that of the harness, as
EventSource and fetch want it.
"""

from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import trio

from clients.http.client import open_client
from servers.http.limits import Limits
from servers.http.reply import Handler, Reply, Request
from servers.http.routes import Routes
from servers.http.server import Server, listen
from workshop.contract.case import Case
from workshop.contract.harness import CASES, Harness, Outcome, run_cases

from ..streams import SAFETY

__all__ = ["applicable", "judged"]

DRIVER = Path(__file__).with_name("event_source_driver.mjs")
CAPABILITIES = ["bom", "event-type-listeners", "last-event-id", "server-directed-shutdown-request"]
PAGE = """<!doctype html><title>contract tests</title><script type="module">
import { drive } from "/driver.mjs";
await drive(EventSource, "");
document.title = "done";
</script>"""
LIMITS = Limits(max_body_size=64 << 20)


def applicable(case: Case) -> bool:
    """Whether an EventSource can be asked for this: it takes a URL, and no other option."""
    return case.needs in ("", *CAPABILITIES) and not set(case.options) - {"initialDelayMs"}


def soon(case: Case) -> Case:
    """The same case, whose client asks again soon: an EventSource waits for seconds."""
    breaks = len(case.answers) > 1 and not any(one.wait for one in case.requests)
    if not breaks or case.needs == "bom":
        return case
    first, *others = case.answers
    if first.status != 200 or b"retry" in b"".join(first.pieces):
        return case
    return replace(case, answers=(replace(first, pieces=(b"retry: 20\n", *first.pieces)), *others))


class Driven:
    """The service of the contract tests, whose clients are in a program that asks what to do."""

    def __init__(self, cases: Iterable[Case]) -> None:
        self._cases = {case.slug: case for case in cases}
        self._commands, self._next = trio.open_memory_channel[object](100)
        self._count = 0

    def table(self) -> dict[str, Handler]:
        return {
            "GET /": self._page,
            "GET /driver.mjs": self._driver,
            "GET /next": self._ask,
            "GET /clients": self._describe,
            "POST /clients": self._create,
            "DELETE /clients/{id}": self._delete,
        }

    def end(self) -> None:
        """No case follows."""
        self._commands.send_nowait(None)

    async def _page(self, request: Request) -> Reply:
        return Reply(PAGE, content_type="text/html")

    async def _driver(self, request: Request) -> Reply:
        return Reply(DRIVER.read_text("utf-8"), content_type="text/javascript")

    async def _ask(self, request: Request) -> Reply:
        return Reply(msgspec.json.encode(await self._next.receive()))

    async def _describe(self, request: Request) -> Reply:
        return Reply(msgspec.json.encode({"capabilities": CAPABILITIES}))

    async def _create(self, request: Request) -> Reply:
        asked = msgspec.json.decode(request.body)
        self._count += 1
        sees = self._cases[asked["tag"]].sees
        types = sorted({sight[1] for sight in sees if sight[0] == "event"} - {"message"})
        command = {"do": "open", "id": str(self._count), "types": types}
        command |= {"stream": asked["streamUrl"], "callback": asked["callbackUrl"]}
        self._commands.send_nowait(command)
        return Reply(status=201, headers=(("Location", f"/clients/{self._count}"),))

    async def _delete(self, request: Request) -> Reply:
        self._commands.send_nowait({"do": "close", "id": request.params["id"]})
        return Reply(status=204)


async def judged(
    start: Callable[[str], None],
    at_once: int,
    facts: Iterable[Case] = (),
    without: Container[str] = (),
) -> list[Outcome]:
    """Run the contract tests, and these facts, on the event source of a program.

    Args:
        start: Starts the program, which gets the URL of the server. It runs in a thread of its own,
            and returns when the program has been told that no case follows.
        at_once: Largest number of cases at the same time. A browser opens six connections.
        facts: Further cases.
        without: The slugs of cases that are left out, because the program is known to differ.
    """
    every = [case for case in (*CASES, *facts) if applicable(case)]
    cases = [soon(case) for case in every if case.slug not in without]
    outcomes: list[Outcome] = []
    driven = Driven(cases)
    sockets = listen("127.0.0.1", 0)
    base = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    async with open_client() as client, trio.open_nursery() as nursery:
        harness = Harness(f"{base}/clients", base, client, patience=SAFETY)
        routes = Routes(driven.table() | harness.table())
        server = Server(routes, limits=LIMITS, max_bodies_size=256 << 20)
        nursery.start_soon(server.serve, sockets)
        async with trio.open_nursery() as running:
            running.start_soon(trio.to_thread.run_sync, start, base)
            await run_cases(harness, cases, outcomes.append, at_once)
            driven.end()
        nursery.cancel_scope.cancel()
    return outcomes
