"""The verdict over HTTP.

    GET    /verdict             all clients: {"clients":[{"client":"key-5f…","verdict":"fail",…}]}
    GET    /verdict/NAME        one client, by X-Client, by its key, or by the name above
    POST   /verdict/NAME/saw    {"outcome":"complete","text":"…"}: what only the client knows
    DELETE /verdict             forget everything: a new run

`GET /verdict?ended` tells the server that the clients have ended. Only then does the server know
that a client has not tried again.
"""

import msgspec
import trio

from ...http.api_replies import json_reply
from ...http.reply import Handler, Reply, Request
from .attempts import Control
from .exchange import Saw
from .judging import Finding, judge, worst
from .watching import Client, Watcher, name_of_key

__all__ = ["ClientVerdict", "verdict_of", "verdict_routes"]

HEALTHY = "healthy"

UNSEEN = "unseen"
"""The verdict on a client that has met no fault: nothing can be said about it."""


class ClientVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one client.

    Args:
        client: The client's name.
        verdict: "healthy", "unseen" if it has met no fault, or the worst grade of its findings.
        requests: Number of its requests.
        faults: The faults that the client has met, with the number of times.
        findings: The client's mistakes, most harmful first.
    """

    client: str
    verdict: str
    requests: int
    faults: dict[str, int]
    findings: list[Finding]


class Verdicts(msgspec.Struct, frozen=True):
    clients: list[ClientVerdict]


def verdict_of(
    client: Client, watcher: Watcher, *, control: Control | None = None, ended: bool = False
) -> ClientVerdict:
    """Judge a client now."""
    now = trio.current_time()
    findings = judge(client.exchanges, now, watcher.limits, control=control, ended=ended)
    faults: dict[str, int] = {}
    for exchange in client.exchanges:
        if exchange.fault:
            faults[exchange.fault] = faults.get(exchange.fault, 0) + 1
    return ClientVerdict(
        client=client.name,
        verdict=worst(findings) or (HEALTHY if faults else UNSEEN),
        requests=client.evicted + len(client.exchanges),
        faults=faults,
        findings=findings,
    )


def verdict_routes(watcher: Watcher) -> dict[str, Handler]:
    """The routes of the verdict, for `Routes`."""

    def find(name: str) -> Client | None:
        return watcher.clients.get(name) or watcher.clients.get(name_of_key(name))

    async def show_all(request: Request) -> Reply:
        ended = request.query == "ended"
        verdicts = [verdict_of(each, watcher, ended=ended) for each in watcher.clients.values()]
        return json_reply(Verdicts(verdicts))

    async def show(request: Request) -> Reply:
        client = find(request.params["client"])
        if client is None:
            return Reply(NO_CLIENT, 404)
        return json_reply(verdict_of(client, watcher, ended=request.query == "ended"))

    async def saw(request: Request) -> Reply:
        name, _, what = request.params["client"].rpartition("/")
        if what != "saw":
            return Reply("404 Not Found\n\nPOST goes to /verdict/NAME/saw\n", 404)
        try:
            told = msgspec.json.decode(request.body, type=Saw)
        except (msgspec.DecodeError, ValueError) as error:
            return Reply(f"400 Bad Request\n\n{error}\n", 400)
        client = find(name)
        if client is None or not client.saw(told):
            return Reply(NO_CLIENT, 404)
        return Reply(status=204)

    async def reset(request: Request) -> Reply:
        watcher.reset()
        return Reply(status=204)

    return {
        "GET /verdict": show_all,
        "GET /verdict/{client}": show,
        "POST /verdict/{client}": saw,
        "DELETE /verdict": reset,
    }


NO_CLIENT = "404 Not Found\n\nNo such client has asked anything. GET /verdict lists them.\n"
