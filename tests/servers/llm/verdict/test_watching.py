"""The verdict over HTTP: names, limits, what a client tells, and which requests are retries."""

from typing import Any

import msgspec
import pytest
import trio

from servers.chat import routes
from servers.http.reply import Ending
from servers.http.routes import Routes
from servers.llm.pace import Pace
from servers.llm.verdict.attempts import Control
from servers.llm.verdict.exchange import Exchange, VerdictLimits
from servers.llm.verdict.routes import verdict_of
from servers.llm.verdict.watching import Watcher, name_of_key

from ...driving import ask, connected, get
from ..asking import body_of, post

KEY = "sk-a-secret-key"


def asking(fault: str = "", *fields: str, content: str = "Hi", stream: bool = True) -> bytes:
    """A question of the client "me", unless the fields name another one."""
    more = [*fields, f"X-Fault: {fault}"] if fault else [*fields]
    if not any(field.startswith(("X-Client", "Authorization")) for field in fields):
        more.append("X-Client: me")
    request = post(messages=[{"role": "user", "content": content}], stream=stream)
    return request.replace(b"Host: a\r\n", "".join(f"{f}\r\n" for f in ["Host: a", *more]).encode())


def served(watcher: Watcher | None = None) -> Routes:
    return routes(Pace(0, 0), watcher=watcher)


async def verdict(table: Routes, name: str = "me", query: str = "?ended") -> dict[str, Any]:
    reply = await ask(table, get(f"/verdict/{name}{query}"))
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    found: dict[str, Any] = msgspec.json.decode(body_of(reply))
    return found


async def codes(table: Routes, query: str = "?ended") -> list[str]:
    return [finding["code"] for finding in (await verdict(table, query=query))["findings"]]


# ---- Names and limits


async def test_a_client_has_the_name_that_it_sends_or_a_digest_of_its_key(
    autojump_clock: Any,
) -> None:
    table = served()
    await ask(table, asking("", "X-Client: app\tone"))
    await ask(table, asking("", f"Authorization: Bearer {KEY}"))
    await ask(table, asking("", "X-Client: me").replace(b"X-Client: me\r\n", b""))
    reply = body_of(await ask(table, get("/verdict")))
    names = [client["client"] for client in msgspec.json.decode(reply)["clients"]]
    assert names == ["app?one", name_of_key(KEY), "anonymous"]
    assert KEY.encode() not in reply
    by_key = await verdict(table, KEY)
    assert by_key == await verdict(table, name_of_key(KEY))
    assert by_key["verdict"] == "unseen"
    assert by_key["requests"] == 1


async def test_clients_and_their_requests_are_limited(autojump_clock: Any) -> None:
    watcher = Watcher(VerdictLimits(max_clients=2, max_exchanges=3))
    table = served(watcher)
    for name in ("a", "b", "a", "c"):
        await ask(table, asking("", f"X-Client: {name}"))
    assert list(watcher.clients) == ["a", "c"]
    for _ in range(5):
        await ask(table, asking())
    client = watcher.clients["me"]
    assert [exchange.number for exchange in client.exchanges] == [3, 4, 5]
    assert (await verdict(table))["requests"] == 5


async def test_a_new_run_forgets_everything(autojump_clock: Any) -> None:
    """The count of `503*1` begins again, too."""
    table = served()
    assert b"503 Service" in await ask(table, asking("503*1"))
    assert (await ask(table, get("/verdict").replace(b"GET", b"DELETE"))).startswith(
        b"HTTP/1.1 204 "
    )
    assert (await ask(table, get("/verdict/me"))).startswith(b"HTTP/1.1 404 ")
    assert b"503 Service" in await ask(table, asking("503*1"))
    assert b"200 OK" in await ask(table, asking("503*1"))


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/verdict/me/saw", b"{}", 204, b""),
        ("/verdict/me/saw", b'{"outcome":"complete","text":"Hi"}', 204, b""),
        ("/verdict/me/saw", b'{"outcome":"fine"}', 400, b'"complete", "error" or "cancelled"'),
        ("/verdict/me/saw", b'{"outcme":"error"}', 400, b"unknown field `outcme`"),
        ("/verdict/me/saw", b"{", 400, b"truncated"),
        ("/verdict/you/saw", b"{}", 404, b"No such client"),
        ("/verdict/me/seen", b"{}", 404, b"POST goes to /verdict/NAME/saw"),
    ],
)
async def test_what_a_client_tells(
    path: str, body: bytes, status: int, says: bytes, autojump_clock: Any
) -> None:
    table = served()
    await ask(table, asking())
    length = b"Content-Length: %d\r\n\r\n" % len(body)
    reply = await ask(table, b"POST %b HTTP/1.1\r\nHost: a\r\n" % path.encode() + length + body)
    assert reply.startswith(b"HTTP/1.1 %d " % status)
    assert says in reply


# ---- Which requests are attempts at one question

WAITS = [
    ("429*1", 0.9, ["retry-after-ignored"]),
    ("429*1", 1.0, []),
    ("429*1", 3600, ["gave-up-on-retryable"]),  # too late to be a retry
    ("401*1", 5, ["retried-non-retryable"]),
    ("500*1", 0, []),  # one attempt at once is no pattern
    ("fin@1*1", 1, []),  # before the first token
    ("fin@3*1", 1, ["resent-after-first-token"]),
]


@pytest.mark.parametrize(("fault", "seconds", "expected"), WAITS)
async def test_the_next_attempt(
    fault: str, seconds: float, expected: list[str], autojump_clock: Any
) -> None:
    watcher = Watcher()
    table = served(watcher)
    await ask(table, asking(fault))
    await trio.sleep(seconds)
    await ask(table, asking(fault if "*" in fault else ""))
    assert await codes(table) == expected


async def test_the_wait_begins_when_the_client_can_know(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine, the server notes the end of a reply after the client has read it."""
    end = Exchange.end

    def end_late(exchange: Exchange, how: Ending) -> None:
        autojump_clock.jump(0.5)
        end(exchange, how)

    monkeypatch.setattr(Exchange, "end", end_late)
    table = served()
    await ask(table, asking("429*1"))
    await trio.sleep(0.5)
    await ask(table, asking("429*1"))
    assert await codes(table) == []


async def test_the_evidence_has_times(autojump_clock: Any) -> None:
    table = served()
    await ask(table, asking("503*1"))
    await trio.sleep(0.25)
    await ask(table, asking("503*1"))
    (finding,) = (await verdict(table))["findings"]
    assert finding == {
        "code": "retry-after-ignored",
        "grade": "fail",
        "say": "It asked again 0.25 s after a 503 that said Retry-After: 1.",
        "rule": "A client waits at least as long as Retry-After says before it asks again.",
        "cure": "Read Retry-After (and retry-after-ms), and sleep that long before the next "
        "attempt.",
        "fault": "503*1",
        "request": 1,
        "facts": {"waited": 0.25, "retry_after": 1.0},
    }


async def test_a_client_that_still_runs_has_not_given_up(autojump_clock: Any) -> None:
    table = served()
    await ask(table, asking("503*1"))
    assert await codes(table, query="") == []
    assert await codes(table) == ["gave-up-on-retryable"]


async def test_official_clients_say_which_attempt_it_is(autojump_clock: Any) -> None:
    """The same question, as a new one: nothing was retried."""
    table = served()
    for _ in range(2):
        await ask(table, asking("401", "X-Client: me", "x-stainless-retry-count: 0"))
    assert await codes(table) == []
    await ask(table, asking("401", "X-Client: me", "x-stainless-retry-count: 1"))
    assert await codes(table) == ["retried-non-retryable"]


async def test_after_a_whole_answer_an_equal_question_is_a_new_one(autojump_clock: Any) -> None:
    table = served()
    for fault in ("comments", "split-utf8-chunks", "", "keepalive-event"):
        await ask(table, asking(fault))
    assert await codes(table) == []


async def test_a_question_of_the_control_may_be_asked_twice(autojump_clock: Any) -> None:
    watcher = Watcher()
    table = served(watcher)
    for _ in range(2):
        await ask(table, asking())
    control = Control.of(watcher.exchanges())
    assert len(control.whole) == 1
    assert not control.cancelled
    watcher.reset()
    for _ in range(2):
        await ask(table, asking("401"))
    client = watcher.clients["me"]
    assert verdict_of(client, watcher, control=control, ended=True).findings == []
    assert verdict_of(client, watcher, ended=True).findings != []


# ---- What is no finding


async def test_a_cancelled_stream_is_no_finding_without_a_control(autojump_clock: Any) -> None:
    """A client may end a legal stream early, if nothing shows that it wanted all of it."""
    table = routes(Pace(0, 1), watcher=(watcher := Watcher()))
    async with connected(table) as memory:
        await memory.client.send_all(asking("comments"))
        await trio.sleep(5)
        memory.connection.client_disconnected()
        await memory.done.wait()
    assert await codes(table) == []
    client = watcher.clients["me"]
    (question,) = (exchange.question for exchange in client.exchanges)
    for control, expected in (
        (Control(), []),
        (Control(whole={question}), ["breaks-on-comment"]),
        (Control(whole={1}), ["breaks-on-comment"]),
        (Control(whole={1}, cancelled={3}), []),  # it may be one like that
        (Control(whole={question}, cancelled={1}), ["breaks-on-comment"]),
        (Control(whole={question}, cancelled={question}), []),
    ):
        found = verdict_of(client, watcher, control=control).findings
        assert [finding.code for finding in found] == expected


async def test_a_client_that_announces_a_long_timeout_is_not_judged(autojump_clock: Any) -> None:
    for announced, expected in ((600, []), (20, ["no-read-timeout"])):
        table = served()
        async with connected(table) as memory:
            fields = ("X-Client: me", f"x-stainless-read-timeout: {announced}")
            await memory.client.send_all(asking("stall@3", *fields))
            await trio.sleep(40)
            assert await codes(table) == expected
