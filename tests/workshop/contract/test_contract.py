"""The contract tests and the service are tested with each other."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import cast

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from clients import event_source
from clients.event_source import Reconnection
from clients.http.errors import DisconnectedError
from clients.http.exchange import Headers
from protocol.sse import EventStreamParser, ServerSentEvent
from servers.http.reply import CutOff, Pieces, Request, StreamingReply
from workshop.contract import command
from workshop.contract import service as service_module
from workshop.contract.case import Case
from workshop.contract.harness import CASES, Outcome, ServiceError, Trial, run_cases, serving
from workshop.contract.judging import Told
from workshop.contract.service import CAPABILITIES, ClientService

from ...servers.driving import running
from .network import HARNESS, SERVICE, network


async def outcomes_of(cases: Sequence[Case]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    async with network() as (harness, _):
        await run_cases(harness, cases, outcomes.append)
    return outcomes


def test_at_least_as_many_cases_as_launchdarklys() -> None:
    assert len(CASES) >= 113
    assert len({case.slug for case in CASES}) == len(CASES)


async def test_our_client_passes_every_case(autojump_clock: MockClock) -> None:
    outcomes = await outcomes_of(CASES)
    failed = [(one.case.slug, one.result, one.why) for one in outcomes if one.result != "PASS"]
    assert not failed
    assert [one.case for one in outcomes] == list(CASES)


@pytest.mark.parametrize(("told_at", "cut_at"), [(0.5, 0.5), (5.0, 1.0)])
async def test_a_cut_waits_for_a_report(
    told_at: float, cut_at: float, autojump_clock: MockClock
) -> None:
    """It comes after the report, or after a second without one."""
    (case,) = (case for case in CASES if case.slug == "reconnect.after-a-cut")
    trial = Trial(case)
    reply = await trial.answer(Request("GET", "/"))
    assert isinstance(reply, StreamingReply)
    begun = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def tell() -> None:
            await trio.sleep(told_at)
            trial.told[1] = Told(kind="event")
            trial.tell()

        nursery.start_soon(tell)
        with pytest.raises(CutOff):
            async for _ in cast(Pieces, reply.source):
                pass
        assert trio.current_time() - begun == pytest.approx(cut_at)


class Broken(EventStreamParser):
    """A parser that changes each read before it parses it."""

    change: Callable[[bytes], bytes] = bytes

    def receive_data(self, data: bytes) -> list[ServerSentEvent]:
        return super().receive_data(type(self).change(data))


def changing(change: Callable[[bytes], bytes]) -> type[Broken]:
    return type("Changing", (Broken,), {"change": staticmethod(change)})


class KeepsNoId(Reconnection):
    """Asks without the last event ID."""

    def next_request(self) -> tuple[str, str, Headers, bytes]:
        method, url, headers, body = super().next_request()
        return method, url, tuple(one for one in headers if one[0] != "Last-Event-ID"), body


class SendsTheBodyOnce(Reconnection):
    def next_request(self) -> tuple[str, str, Headers, bytes]:
        request = super().next_request()
        self.body = b""
        return request


class AsksAfterA204(Reconnection):
    def receive_head(self, status: int, location: str | None, kind: str | None) -> bool:
        if status == 204:
            raise DisconnectedError("no content", sent=True)
        return super().receive_head(status, location, kind)


class TakesAnyType(Reconnection):
    def receive_head(self, status: int, location: str | None, kind: str | None) -> bool:
        return super().receive_head(status, location, "text/event-stream")


class FollowsNothing(Reconnection):
    def receive_head(self, status: int, location: str | None, kind: str | None) -> bool:
        return super().receive_head(500 if 300 < status < 400 else status, location, kind)


class WaitsItsOwnTime(Reconnection):
    def receive_break(self, why: str) -> float:
        super().receive_break(why)
        return 0.2


class AcceptsAnything(Reconnection):
    def next_request(self) -> tuple[str, str, Headers, bytes]:
        method, url, headers, body = super().next_request()
        return method, url, (("Accept", "*/*"), *headers[1:]), body


class DispatchesAtTheEnd(EventStreamParser):
    """A client that takes the end of the data for a blank line, so that half an event becomes a
    complete one."""

    def receive_data(self, data: bytes) -> list[ServerSentEvent]:
        return super().receive_data(data + b"\n\n" if data.endswith(b"\n") else data)


class UsesAnIdAtOnce(EventStreamParser):
    """A client whose last event ID is that of the event that is still arriving."""

    def receive_data(self, data: bytes) -> list[ServerSentEvent]:
        events = super().receive_data(data)
        self.last_event_id = self._id_buffer
        return events


HALF = "last-event-id.not-the-id-of-half-an-event"
MUTANTS: dict[str, tuple[str, object, set[str]]] = {
    # name of the defect: (the replaced attribute, its replacement, the cases that fail)
    "keeps no id": ("Reconnection", KeepsNoId, {"last-event-id.the-last-id", HALF}),
    "sends the body once": ("Reconnection", SendsTheBodyOnce, {"http.post-again"}),
    "asks after a 204": ("Reconnection", AsksAfterA204, {"http.204-at-once"}),
    "takes any type": ("Reconnection", TakesAnyType, {"http.another-media-type"}),
    "follows no redirect": ("Reconnection", FollowsNothing, {"http.redirect-307"}),
    "ignores retry": (
        "Reconnection",
        WaitsItsOwnTime,
        {"reconnect.waits-as-long-as-retry-said", "reconnect.retry-that-is-not-a-number-2"},
    ),
    "accepts anything": ("Reconnection", AcceptsAnything, {"http.accept"}),
    "dispatches at the end": (
        "EventStreamParser",
        DispatchesAtTheEnd,
        {"block.at-the-end-of-the-body", HALF},
    ),
    "uses an id at once": (
        "EventStreamParser",
        UsesAnIdAtOnce,
        {HALF},
    ),
    "splits lines at U+2028": (
        "EventStreamParser",
        changing(lambda data: data.replace("\u2028".encode(), b"\n")),
        {"data.u-2028-ends-no-line"},
    ),
    "decodes each read": (
        "EventStreamParser",
        changing(lambda data: data.decode("utf-8", "ignore").encode()),
        {"utf-8.characters-byte-by-byte"},
    ),
    "strips all spaces": (
        "EventStreamParser",
        changing(lambda data: data.replace(b"data:  ", b"data: ")),
        {"data.one-space-is-removed"},
    ),
    "ignores a lone CR": (
        "EventStreamParser",
        changing(lambda data: data.replace(b"\r", b"")),
        {"line.cr.two-events.whole"},
    ),
    "takes a sign": (
        "EventStreamParser",
        changing(lambda data: data.replace(b"retry: -5", b"retry: 5")),
        {"reconnect.retry-that-is-not-a-number-2"},
    ),
    "drops a NUL": (
        "EventStreamParser",
        changing(lambda data: data.replace(b"\0", b"")),
        {"data.nul-is-data", "id.with-nul-is-ignored"},
    ),
}

# For each mutant, these cases run too. They are cases of all families, which no mutant should fail.
OTHERS = ("data.one-line", "line.lf.two-events.whole", "comment.is-not-data", "http.no-cache")


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_broken_client_is_caught(
    name: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mutant fails its own cases, and no others."""
    replaced, mutant, expected = MUTANTS[name]
    module = service_module if replaced == "Reconnection" else event_source
    monkeypatch.setattr(module, replaced, mutant)
    own = set().union(*(slugs for _, _, slugs in MUTANTS.values()))
    tried = [case for case in CASES if case.slug in own.union(OTHERS)]
    outcomes = await outcomes_of(tried)
    assert {one.case.slug for one in outcomes if one.result == "FAIL"} == expected


async def test_a_failure_says_what_was_sent_and_what_came(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, mutant, _ = MUTANTS["drops a NUL"]
    monkeypatch.setattr(event_source, replaced, mutant)
    (outcome,) = await outcomes_of([case for case in CASES if case.slug == "data.nul-is-data"])
    assert outcome.why == [
        ("sent", r"data: a\x00b\n\n"),
        ("expected", r'event "a\u0000b" (message, id "")'),
        ("came", 'event "ab" (message, id "")'),
        ("rule", outcome.case.rule),
    ]


async def test_a_client_that_cannot_do_it_is_not_asked(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "CAPABILITIES", [c for c in CAPABILITIES if c != "report"])
    outcomes = await outcomes_of([case for case in CASES if case.slug.startswith("http.re")])
    assert {one.case.slug: one.result for one in outcomes if one.result != "PASS"} == {
        "http.report": "SKIP",
        "http.report-again": "SKIP",
    }


async def test_no_client_is_left(autojump_clock: MockClock) -> None:
    async with network() as (harness, service):
        await run_cases(harness, CASES[:20], lambda outcome: None)
        await trio.testing.wait_all_tasks_blocked()
        assert service.running == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reply"),
    [
        ("POST", "/", b"{", 400, "not a new client: Input data was truncated"),
        ("POST", "/", b"{}", 400, "not a new client: Object missing required field `streamUrl`"),
        (
            "POST",
            "/",
            b'{"streamUrl":"x","callbackUrl":"http://a/"}',
            400,
            "not a new client: not an http:// or https:// URL: 'x'",
        ),
        (
            "POST",
            "/",
            b'{"more":' + b"[" * 100_000,
            400,
            "not a new client: it is nested too deeply",
        ),
        ("POST", "/clients/9", b'{"command":"restart"}', 404, "there is no such client"),
        ("DELETE", "/clients/9", b"", 404, "there is no such client"),
    ],
)
async def test_bad_requests_to_the_service(
    method: str, path: str, body: bytes, status: int, reply: str, autojump_clock: MockClock
) -> None:
    async with network() as (harness, _):
        url = f"http://localhost:{SERVICE}{path}"
        async with harness.client.request(method, url, (), body) as response:
            assert response.status == status
            assert (await response.read()).decode() == reply + "\n"


async def test_no_page_of_another_site_makes_it_connect(autojump_clock: MockClock) -> None:
    async with network() as (harness, service):
        body = b'{"streamUrl":"http://a/","callbackUrl":"http://a/"}'
        headers = (("Origin", "https://evil.example"),)
        url = f"http://localhost:{SERVICE}/"
        async with harness.client.request("POST", url, headers, body) as response:
            assert response.status == 403
        assert service.running == 0


async def test_no_service(autojump_clock: MockClock) -> None:
    """A server that is not a test service answers at the URL."""
    async with network() as (harness, _):
        harness.service = f"http://localhost:{HARNESS}"
        with pytest.raises(ServiceError, match="is not a test service: status 404"):
            await run_cases(harness, CASES, lambda outcome: None)


async def test_over_real_sockets() -> None:
    """One case of each family."""
    service = ClientService(lambda: None)
    slugs = {"data.json", "line.crlf.all-fields.two-bytes", "http.redirect-302", "timeout.before"}
    cases = [case for case in CASES if any(case.slug.startswith(slug) for slug in slugs)]
    outcomes: list[Outcome] = []
    async with (
        running(service.routes()) as server,
        serving(f"http://127.0.0.1:{server.port}") as harness,
    ):
        await run_cases(harness, cases, outcomes.append)
    assert [(one.case.slug, one.result) for one in outcomes] == [
        (case.slug, "PASS") for case in cases
    ]


REFUSED = os.strerror(errno.ECONNREFUSED)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ([], 2, "what to test? For example: --sse-client http://localhost:8010\n"),
        (["-k", "no", "-k", "such"], 2, "no case has no and such in its name: see --list\n"),
        (
            ["--sse-client", "http://127.0.0.1:9"],
            3,
            f"the service does not answer: no connection to 127.0.0.1:9: {REFUSED}\n",
        ),
    ],
)
def test_what_a_user_may_do_wrong(
    arguments: list[str], exit_code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == exit_code
    assert capsys.readouterr() == ("", message)


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list", "-k", "bom.at"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("bom.at-the-start  ")
