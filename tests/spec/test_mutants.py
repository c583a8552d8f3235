"""The suite judges itself: each mutant fails its own cases, and no unrelated one."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from fnmatch import fnmatch

import pytest
import trio
from trio.testing import MockClock

from clients.streams.memory import memory_pair
from clients.streams.tcp import ByteStream

from . import cases
from .case import CASES, PROFILES
from .engine import Outcome, run_case
from .mutants import MUTANTS, Good, Large, Mutant, Slow, SlowEvents, every
from .target import Target

assert cases
assert every


@asynccontextmanager
async def serving(server: Good) -> AsyncGenerator[Target, None]:
    """Serve in memory. Yields a target for its stream."""
    async with trio.open_nursery() as nursery:

        async def connect(host: str, port: int, *, stall_seconds: float) -> ByteStream:
            client, accepted = memory_pair(server.pipe)
            nursery.start_soon(server.serve, accepted)
            await trio.lowlevel.checkpoint()
            return client

        yield Target(
            f"http://localhost:9000{server.path}",
            method=server.method,
            body=server.request_body,
            connect=connect,
            memory=lambda: server.kept,
            longest=60.0,
        )
        nursery.cancel_scope.cancel()


async def judge(server: Good, profiles: Collection[str]) -> dict[str, Outcome]:
    """Run all cases of these profiles on a server."""
    found = {}
    async with serving(server) as target:
        for case in CASES.values():
            if case.profile in profiles:
                found[case.slug] = await run_case(case, target, tries=1)
    return found


def judged(server: Good, profiles: Collection[str]) -> dict[str, Outcome]:
    return trio.run(judge, server, profiles, clock=MockClock(autojump_threshold=0))


def profiles_of(mutant: Mutant) -> Collection[str]:
    """The profiles that can see a mutant.

    What is wrong in the JSON is right in the framing. So a mutant runs either with the families of
    HTTP, or with the families above them.
    """
    if any(CASES[slug].profile == "http" for slug in mutant.fails):
        return ["http"]
    return [one for one in PROFILES[mutant.profile] if one != "http"]


def broken(found: dict[str, Outcome]) -> set[str]:
    return {slug for slug, outcome in found.items() if outcome.result in ("FAIL", "WARN")}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_fails_its_own_case(name: str) -> None:
    mutant = MUTANTS[name]
    failed = broken(judged(mutant.server(), profiles_of(mutant)))
    assert failed >= set(mutant.fails)
    allowed = (*mutant.fails, *mutant.also)
    assert [slug for slug in failed if not any(fnmatch(slug, one) for one in allowed)] == []


@pytest.mark.parametrize("server", [Good, Large, Slow, SlowEvents])
def test_the_correct_server_passes(server: type[Good]) -> None:
    found = judged(server(), PROFILES["http"])
    assert {slug: o.failure for slug, o in found.items() if o.result in ("FAIL", "WARN")} == {}
