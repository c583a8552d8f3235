"""Each bad client gets its own finding and no other, and the careful one gets none."""

from typing import Any

import msgspec
import pytest
import trio

from servers.chat import routes
from servers.llm.pace import Pace
from servers.llm.verdict.rules import LEGAL, RULES
from servers.llm.verdict.watching import Watcher

from ...driving import ask, get
from ..asking import body_of
from .bad_clients import BAD
from .careful import Careful, MemoryServer

# The faults with which the careful client is tried.
FAULTS = (
    *("429*1", "503*1", "500*2", "401", "no-head*1", "hang*1"),
    *("stall@4", "stall-heartbeat", "half-chunk", "open-after-finish", "open-after-done"),
    *("rst@5", "fin@5", "clean-cut", "error-open", "error-nested", "broken-json"),
    *("bad-chunk-size", "crlf", "giant-line", *LEGAL),
)

LONG = 300.0  # seconds after which the test closes the connection of a client that waits for ever


async def verdict_on(client: type[Careful], fault: str) -> dict[str, Any]:
    """Let a client meet a fault. Returns the verdict."""
    served = routes(Pace(0, 0.1), watcher=Watcher(insist=True))
    async with trio.open_nursery() as nursery:
        server = MemoryServer(nursery, served)
        one = client(server, "me")
        with trio.move_on_after(LONG):
            await one.run(fault)
        one.connection.close()
        reply = await ask(served, get("/verdict/me?ended"))
        server.close()
        nursery.cancel_scope.cancel()
    found: dict[str, Any] = msgspec.json.decode(body_of(reply))
    return found


@pytest.mark.parametrize("client", BAD, ids=lambda client: client.__name__)
async def test_a_bad_client_gets_its_own_finding_and_no_other(
    client: type[Careful], autojump_clock: object
) -> None:
    fault, code = BAD[client]
    findings = (await verdict_on(client, fault))["findings"]
    assert [finding["code"] for finding in findings] == [code], findings
    (finding,) = findings
    assert finding["fault"] == fault
    assert finding["say"].endswith(".")
    assert (finding["rule"], finding["cure"]) == (RULES[code].rule, RULES[code].cure)


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_careful_client_gets_no_finding(fault: str, autojump_clock: object) -> None:
    verdict = await verdict_on(Careful, fault)
    assert verdict["findings"] == []
    assert fault in verdict["faults"]


def test_every_finding_has_a_bad_client() -> None:
    assert {code for _, code in BAD.values()} == set(RULES)
    assert len(BAD) >= 20
