"""How a fault is chosen: by a header, the model's name, a script, or at random."""

import pytest
import trio
from openai.types.responses import ResponseErrorEvent
from trio.testing import MockClock

from servers.chat import routes
from servers.llm.api import Settings
from servers.llm.faults import FAULTS
from servers.llm.model.models import Model
from servers.llm.model.script import SHIPPED, load_scripts
from servers.llm.pace import Pace

from ...streams import receive_all
from ..driving import ask, connected, timed
from .asking import error_of, post, response_events

AT_ONCE = routes(Pace(0, 0))


def with_fault(fault: str, **fields: object) -> bytes:
    return post(**fields).replace(b"Host: a", b"Host: a\r\nX-Fault: " + fault.encode(), 1)


async def test_a_fault_by_header_and_by_name() -> None:
    """The header wins. A fault that replaces the answer needs no stream."""
    cut = await ask(AT_ONCE, with_fault("clean-cut@2", stream=True))
    assert b'"role":"assistant"' in cut
    assert b"reasoning_content" not in cut
    by_name = await ask(AT_ONCE, post(model="fault-clean-cut@2", stream=True))
    assert by_name.count(b"data: ") == cut.count(b"data: ") == 1
    assert (await ask(AT_ONCE, with_fault("503", model="fault-fin"))).startswith(b"HTTP/1.1 503 ")


async def test_a_fault_for_some_requests() -> None:
    """With the same seed, the same requests fail."""

    async def failed(rate: float, seed: int) -> list[int]:
        served = routes(Pace(0, 0), settings=Settings(faults={"500": rate}, seed=seed))
        replies = [await ask(served, post()) for _ in range(40)]
        return [number for number, reply in enumerate(replies) if reply[9:12] == b"500"]

    assert await failed(0, 1) == []
    assert await failed(1, 1) == list(range(40))
    some = await failed(0.3, 1)
    assert 3 < len(some) < 25
    assert await failed(0.3, 1) == some
    assert await failed(0.3, 2) != some


async def test_fail_and_then_succeed() -> None:
    """The first two requests with the same body fail."""
    served = routes(Pace(0, 0))
    statuses = [(await ask(served, with_fault("429*2")))[9:12] for _ in range(4)]
    assert statuses == [b"429", b"429", b"200", b"429"]
    assert (await ask(served, with_fault("429*2", max_tokens=5)))[9:12] == b"429"


async def test_a_fault_of_a_script() -> None:
    served = routes(Pace(0, 0), model=Model(0, load_scripts(SHIPPED)))
    async with connected(served) as memory:
        await memory.client.send_all(post(model="script:flaky", stream=True))
        with pytest.raises(trio.BrokenResourceError):
            await receive_all(memory.client)


@pytest.mark.parametrize("request_", [with_fault("rts"), post(model="fault-rts")])
async def test_an_unknown_fault(request_: bytes) -> None:
    status, error = error_of(await ask(AT_ONCE, request_))
    assert (status, error["param"], error["code"]) == (400, "x-fault", "unknown_fault")
    hint = f"Did you mean 'rst'? GET /faults lists all {len(FAULTS)}"
    assert error["message"] == f"no such fault: 'rts'. {hint}"


async def test_a_fault_that_needs_a_stream() -> None:
    status, error = error_of(await ask(AT_ONCE, with_fault("duplicate")))
    assert (status, error["param"]) == (400, "x-fault")
    assert error["message"].endswith("needs an event stream: set stream to true")


async def test_a_fault_keeps_the_pace(autojump_clock: MockClock) -> None:
    """Healthy events are sent when they are due, as without the fault."""
    asked = {"model": "lorem", "max_tokens": 5, "stream": True}
    _, healthy = await timed(routes(Pace(1, 0.5)), post(**asked))
    _, broken = await timed(routes(Pace(1, 0.5)), post(**asked | {"model": "fault-duplicate@3"}))
    assert list(healthy) == [1, 1.5, 2, 2.5, 3, 3.5]
    assert list(broken) == list(healthy)


async def test_the_error_event_of_openai() -> None:
    """The official client's own type reads `error-flat` on /v1/responses."""
    before, last = (await response_events(AT_ONCE, "error-flat"))[-2:]
    assert (before.event, last.event) == ("response.in_progress", "error")
    error = ResponseErrorEvent.model_validate_json(last.data, strict=True)
    assert (error.message, error.code) == ("The model failed: a simulated fault.", "simulated")
    assert error.sequence_number == 2
