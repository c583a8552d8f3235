"""The official client gets no finding, whatever the fault: sync and async, as it is documented.

Its program does what its documentation leaves to the program: it looks for a finish_reason, and it
checks `choices` before it reads them.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from servers.llm.faults import FAULTS
from servers.llm.verdict.exchange import VerdictLimits
from servers.llm.verdict.routes import ClientVerdict
from workshop.simulated import SimulatedLLM

LIMITS = VerdictLimits(patience=15.0, reaction=5.0, max_clients=2 * len(FAULTS))
TIMEOUT = openai.Timeout(20, read=1.5)
AT_ONCE = 12  # requests at a time, in each kind
KINDS = ("sync", "async")

# Before this version, the client did not close a stream in which it had found an error.
OLD = int(openai.__version__.split(".")[0]) < 3
pytestmark = pytest.mark.skipif(OLD, reason="the rules are those that newer clients keep")

# Each fault that passes, so that the next attempt can succeed, and each that stays.
SPECS = [f"{name}*1" if name in ("429", "503", "no-head", "hang") else name for name in FAULTS]


class Answer:
    """What the program makes of the chunks."""

    def __init__(self) -> None:
        self.text = ""
        self.finished = False

    def add(self, chunk: openai.types.chat.ChatCompletionChunk) -> None:
        if chunk.choices:
            self.text += chunk.choices[0].delta.content or ""
            self.finished |= chunk.choices[0].finish_reason is not None


def asked(name: str, fault: str) -> dict[str, object]:
    headers = {"X-Client": name} | ({"X-Fault": fault} if fault else {})
    messages = [{"role": "user", "content": fault or "control"}]
    return {"model": "sim-1", "messages": messages, "stream": True, "extra_headers": headers}


def ask(client: OpenAI, fault: str) -> None:
    for spec in ("", fault):
        try:
            answer = Answer()
            for chunk in client.chat.completions.create(**asked(f"sync-{fault}", spec)):  # type: ignore[call-overload]
                answer.add(chunk)
        except Exception:  # of whatever class: this is not a test of its errors
            assert spec


async def ask_async(client: AsyncOpenAI, fault: str) -> None:
    for spec in ("", fault):
        try:
            answer = Answer()
            stream = await client.chat.completions.create(**asked(f"async-{fault}", spec))  # type: ignore[call-overload]
            async for chunk in stream:
                answer.add(chunk)
        except Exception:  # of whatever class: this is not a test of its errors
            assert spec


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, ClientVerdict]]:
    """The verdicts by client. All of them ask at the same time."""
    with SimulatedLLM(limits=LIMITS) as llm:
        llm.script("It streams 你好, and one event after the other is read.")

        async def ask_all() -> None:
            waiting = asyncio.Semaphore(AT_ONCE)

            async def ask_one(fault: str) -> None:
                async with waiting:
                    await ask_async(client, fault)

            async with AsyncOpenAI(
                base_url=llm.base_url, api_key="none", timeout=TIMEOUT
            ) as client:
                await asyncio.gather(*(ask_one(fault) for fault in SPECS))

        with (
            OpenAI(base_url=llm.base_url, api_key="none", timeout=TIMEOUT) as client,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            asking = [pool.submit(ask, client, fault) for fault in SPECS]
            asyncio.run(ask_all())
            for future in asking:
                future.result(60)
        yield {verdict.client: verdict for verdict in llm.verdicts()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", SPECS)
def test_no_finding(fault: str, kind: str, verdicts: dict[str, ClientVerdict]) -> None:
    verdict = verdicts[f"{kind}-{fault}"]
    assert verdict.findings == []
    assert verdict.faults
