"""No request does more work in one step than a turn allows. The work is counted, not timed.

The tests watch the functions that process a text or bytes in one call, and note how much each call
processes. Between two steps of the task that serves a request, other tasks run.
"""


from collections.abc import Callable
from typing import Any

import pytest
import trio

from servers.chat import routes
from servers.llm.json_size import MAX_VALUES
from servers.llm.model import schema, tokens
from servers.llm.model.schema import STEP_COSTS
from servers.llm.model.stop import StopSequences
from servers.llm.pace import Pace
from servers.llm.turns import TURN, Turns
from servers.llm.writers import chat_completions
from servers.llm.writers.chat_completions import LOGPROB_COSTS

from ..driving import ask
from .asking import error_of, post, post_raw
from .test_admission import respond

# ---- Turns


async def test_small_work_does_not_wait() -> None:
    """The first turn of each request needs no queueing, even while another request has a turn."""
    turns = Turns(100)
    with turns.work() as large, turns.work() as small:
        await large.spend(100)
        await large.spend(1)  # its second turn
        with trio.CancelScope() as scope:  # a task that waits is cancelled
            scope.cancel()
            await small.spend(100)
        assert not scope.cancelled_caught


async def test_large_work_takes_turns() -> None:
    """Between two polls of the sockets one turn runs, and the requests alternate."""
    turns = Turns(1)
    done: list[str] = []

    async def work(name: str) -> None:
        with turns.work() as work:
            for _ in range(4):
                await work.spend(1)
                done.append(name)

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(work, name)
    first, others = done[:3], done[3:]
    assert sorted(first) == ["a", "b", "c"]  # the first turns
    assert [sorted(others[at : at + 3]) for at in (0, 3, 6)] == [["a", "b", "c"]] * 3


async def test_cancelled_work_releases_its_turn() -> None:
    turns = Turns(1)

    async def work() -> None:
        with turns.work() as work:
            await work.spend(1)
            await work.spend(1)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        nursery.start_soon(work)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not turns.lock.locked()


# ---- What requests cost


class Meter(trio.abc.Instrument):
    """The largest cost of one step of a task."""

    def __init__(self) -> None:
        self.most = self.step = self.all = 0

    def before_task_step(self, task: object) -> None:
        self.step = 0

    def note(self, amount: int) -> None:
        self.step += amount
        self.all += amount
        self.most = max(self.most, self.step)

    def watched(self, function: Callable[..., Any], cost: Callable[..., int]) -> Any:
        """The same function. The cost of each call is noted."""

        def watching(*arguments: Any) -> Any:
            self.note(cost(*arguments))
            return function(*arguments)

        return watching


class Finding:
    """A regular expression. The cost of each search is noted."""

    def __init__(self, meter: Meter) -> None:
        self.findall = meter.watched(tokens.TOKENS.findall, len)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter()
    monkeypatch.setattr(tokens, "TOKENS", Finding(meter))
    costs: list[tuple[Any, str, Callable[..., int]]] = [
        (schema, "read", lambda place: STEP_COSTS),
        (chat_completions, "encode_logprob", lambda token, count: LOGPROB_COSTS),
        (StopSequences, "feed", lambda self, token: len(token)),
    ]
    for module, name, cost in costs:
        monkeypatch.setattr(module, name, meter.watched(getattr(module, name), cost))
    return meter


def says(text: str, **fields: object) -> bytes:
    return post(messages=[{"role": "user", "content": text}], **fields)


WIDE = {"properties": {f"p{n}": {"type": "integer"} for n in range(3000)}}
WIDE["required"] = [*WIDE["properties"]]  # type: ignore[assignment]
HOSTILE = {
    "a word of half a megabyte": says("a" * 500_000, model="echo"),
    "a letter with accents": says("a" + "\u0301" * 250_000, model="echo", n=128),
    "two megabytes": says("word " * 400_000),
    "two megabytes of emoji": says("👩🏽‍🚀" * 400_000),
    "128 answers with everything": says(
        "你" * 100_000, model="echo", n=128, logprobs=True, top_logprobs=20, stream=True
    ),
    "many small messages": post(
        messages=[{"role": "user", "content": f"{n} a, b. " * 80} for n in range(1500)]
    ),
    "a wide schema": post(
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": WIDE}}
    ),
    "three wide tools": post(
        tools=[
            {"type": "function", "function": {"name": f"hi{n}", "parameters": WIDE}}
            for n in range(3)
        ],
        messages=[{"role": "user", "content": "hi0 hi1 hi2"}],
    ),
    "four stop sequences": post(
        model="lorem", max_tokens=50_000, stop=["e" * 9 + "z", "o z", "a z", " z"]
    ),
    "log probabilities in one piece": post(
        model="lorem", max_tokens=2_000, logprobs=True, top_logprobs=20
    ),
    "what the tool said": respond(
        input=[
            {"role": "user", "content": "hi"},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "b, " * 600_000},
        ]
    ),
}


@pytest.mark.parametrize("request_", HOSTILE.values(), ids=HOSTILE)
async def test_no_step_is_longer_than_some_turns(request_: bytes, meter: Meter) -> None:
    """Parsing and thinking each begin with a free turn, and another turn may follow."""
    trio.lowlevel.add_instrument(meter)
    reply = await ask(routes(Pace(0, 0)), request_)
    trio.lowlevel.remove_instrument(meter)
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert meter.all > TURN
    assert meter.most <= 4 * TURN


def schema_of(values: str) -> bytes:
    return post_raw(
        b'{"model":"sim-1","messages":[{"role":"user","content":"hi"}],"response_format":'
        b'{"type":"json_schema","json_schema":{"name":"a","schema":%b}}}' % values.encode()
    )


TOO_LARGE = (
    "a JSON Schema that cannot be satisfied: "
    "#: the schema is too large, or its values are too large"
)
REFUSED = {
    "millions of values": (
        post_raw(b'{"model":"sim-1","messages":[' + b"{}," * 3_000_000),
        f"The body has more than {MAX_VALUES} JSON values.",
    ),
    "millions of strings": (
        post_raw(b'{"model":"sim-1","messages":["' + b'","' * 2_000_000),
        f"The body has more than {MAX_VALUES} JSON values.",
    ),
    "much to repeat": (
        respond(instructions="x" * 300_000, stream=True),
        "what the answer repeats (`instructions`, `tools`, …) is over 262144 bytes",
    ),
    "a schema of a megabyte": (
        schema_of('{"properties":{"a":{"const":"' + "x" * 1_000_000 + '"}}}'),
        "a JSON Schema of more than 262144 bytes",
    ),
    "a large value that is made again and again": (
        schema_of(
            '{"properties":{"a":{"minItems":4000,"items":{"const":"'
            + "x" * 100_000
            + '"}}},"required":["a"]}'
        ),
        TOO_LARGE,
    ),
    "a long name that comes again and again": (
        schema_of(
            '{"properties":{"a":{"minItems":4000,"items":{"required":["'
            + "x" * 100_000
            + '"]}}},"required":["a"]}'
        ),
        TOO_LARGE,
    ),
}


@pytest.mark.parametrize(("request_", "message"), REFUSED.values(), ids=REFUSED)
async def test_expensive_requests_are_refused(request_: bytes, message: str) -> None:
    status, error = error_of(await ask(routes(Pace(0, 0)), request_))
    assert (status, error["message"]) == (400, message)


async def test_a_long_string_is_not_many_values() -> None:
    """Brackets and escaped quotes in a string are not values, wherever the body is cut."""
    text = '[{,"\\' * 60_000
    assert (await ask(routes(Pace(0, 0)), says(text))).startswith(b"HTTP/1.1 200 ")
