"""Each bad client gets its own finding and no other, and the careful one gets none."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from servers.llm.verdict.exchange import VerdictLimits
from servers.llm.verdict.routes import ClientVerdict
from servers.llm.verdict.rules import LEGAL, RULES
from workshop.simulated import SimulatedLLM

from .bad_clients import BAD
from .careful import Careful

LIMITS = VerdictLimits(patience=2.4, reaction=0.25, slow=1.5)

TEXT = "你好！A chunk says how many bytes it has; then come these bytes, 一个不少, and a line end."

# What the careful client meets.
FAULTS = (
    *("429*1", "503*1", "500*2", "401", "no-head*1", "hang*1"),
    *("stall@4", "stall-heartbeat", "half-chunk", "open-after-finish", "open-after-done"),
    *("rst@5", "fin@5", "clean-cut", "error-open", "error-nested", "broken-json"),
    *("bad-chunk-size", "crlf", "giant-line", *LEGAL),
)


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, ClientVerdict]]:
    """The verdict on each client, by its name. All of them ask at the same time."""
    with (
        SimulatedLLM(ttft=0.0, itl=0.012, limits=LIMITS) as llm,
        ThreadPoolExecutor(len(BAD) + len(FAULTS)) as pool,
    ):
        llm.script(TEXT)
        ran: dict[str, Future[None]] = {}
        for client, (fault, _) in BAD.items():
            name = client.__name__
            ran[name] = pool.submit(client(llm.port, name).run, fault)
        for fault in FAULTS:
            name = f"careful {fault}"
            ran[name] = pool.submit(Careful(llm.port, name.replace(" ", "-")).run, fault)
        for future in ran.values():
            future.result(60)
        yield {verdict.client: verdict for verdict in llm.verdicts()}


@pytest.mark.parametrize("client", BAD, ids=lambda client: client.__name__)
def test_a_bad_client_gets_its_own_finding_and_no_other(
    client: type[Careful], verdicts: dict[str, ClientVerdict]
) -> None:
    findings = verdicts[client.__name__].findings
    assert [finding.code for finding in findings] == [BAD[client][1]], findings
    (finding,) = findings
    assert finding.fault == BAD[client][0]
    assert finding.say.endswith(".")
    assert finding.rule == RULES[finding.code].rule
    assert finding.cure == RULES[finding.code].cure


@pytest.mark.parametrize("fault", FAULTS)
def test_a_careful_client_gets_no_finding(fault: str, verdicts: dict[str, ClientVerdict]) -> None:
    verdict = verdicts[f"careful-{fault}"]
    assert verdict.findings == []
    assert fault in verdict.faults


def test_every_finding_has_a_bad_client() -> None:
    assert {code for _, code in BAD.values()} == set(RULES)
    assert len(BAD) >= 20
