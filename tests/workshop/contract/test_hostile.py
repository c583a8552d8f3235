"""Test services that lie, hang or send nonsense, and requests that make ours fail."""

from collections.abc import Sequence

import msgspec
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from clients.http.client import Client
from servers.http.reply import Reply, Request
from servers.http.routes import Routes
from workshop.contract.case import Case
from workshop.contract.harness import Outcome, ServiceError, run_cases

from .network import HARNESS, SERVICE, network


@pytest.mark.parametrize(
    "wish", ['"headers":{"X":"a\\nb"}', '"lastEventId":"a\\u0000b"', '"method":"A B"']
)
async def test_a_client_that_cannot_ask_does_not_stop_the_service(
    wish: str, autojump_clock: MockClock
) -> None:
    async with network() as (harness, service):
        back = f"http://localhost:{HARNESS}/told/0"
        body = f'{{"streamUrl":"http://localhost:{HARNESS}/","callbackUrl":"{back}",{wish}}}'
        async with harness.client.request(
            "POST", f"http://localhost:{SERVICE}/", (), body.encode()
        ) as response:
            assert response.status == 201
        await trio.testing.wait_all_tasks_blocked()
        assert service.running == 0
        assert (await harness.describe())[0] == "streaming-workshop"


class Liar:
    """A test service that makes clients, and posts to their callback whatever it wants.

    Args:
        messages: The number and the body of each message.
        location: The Location of each client.
        silent: The method of the requests that get no answer.
    """

    def __init__(
        self,
        messages: Sequence[tuple[str, bytes]] = (),
        location: str = "/clients/1",
        silent: str = "",
    ) -> None:
        self._messages, self._location, self._silent = messages, location, silent
        self.statuses: list[int] = []

    def routes(self, client: Client) -> Routes:
        self._client = client
        return Routes(
            {"GET /": self._describe, "POST /": self._create, "DELETE /clients/{id}": self._delete}
        )

    async def _describe(self, request: Request) -> Reply:
        await self._hang(request)
        return Reply(b'{"capabilities":[]}')

    async def _create(self, request: Request) -> Reply:
        await self._hang(request)
        back = msgspec.json.decode(request.body)["callbackUrl"]
        for number, body in self._messages:
            url = f"{back}/{number}"
            async with self._client.request("POST", url, (), body) as response:
                self.statuses.append(response.status)
        return Reply(status=201, headers=(("Location", self._location),))

    async def _delete(self, request: Request) -> Reply:
        await self._hang(request)
        return Reply(status=204)

    async def _hang(self, request: Request) -> None:
        if request.method == self._silent:
            await trio.sleep_forever()


A = b'{"kind":"event","event":{"type":"message","data":"a"}}'
B = b'{"kind":"event","event":{"type":"message","data":"b"}}'
ONE_EVENT = Case("one", "rule", answers=(), sees=(("event", "message", "a", ""),))


@pytest.mark.parametrize(
    ("messages", "statuses", "result", "came"),
    [
        ([("1", A)], [204], "PASS", ""),
        ([("1", A), ("1", B)], [204, 204], "PASS", ""),  # the same message again
        ([("1", A), ("3", B)], [204, 204], "FAIL", 'event "b" (message, id "")'),
        ([("2", A)], [204], "FAIL", "nothing (0 things came before)"),
        ([("0", A), ("-1", A), ("x", A)], [400] * 3, "FAIL", "nothing (0 things came before)"),
        ([("1", A), ("10001", B), ("9" * 99, B)], [204, 400, 400], "PASS", ""),
        ([("1", b"[" * 100_000), ("1", A)], [400, 204], "PASS", ""),
        ([("1", b'{"kind":"event","event":' + b'{"a":' * 100_000)], [400], "FAIL", "nothing (0"),
    ],
)
async def test_a_service_that_lies(
    messages: Sequence[tuple[str, bytes]],
    statuses: Sequence[int],
    result: str,
    came: str,
    autojump_clock: MockClock,
) -> None:
    liar = Liar(messages)
    outcomes: list[Outcome] = []
    async with network(liar.routes) as (harness, _):
        await run_cases(harness, [ONE_EVENT], outcomes.append)
    assert liar.statuses == statuses
    assert outcomes[0].result == result
    assert came in dict(outcomes[0].why).get("came", "")


@pytest.mark.parametrize(
    ("liar", "message"),
    [
        (Liar(silent="GET"), "the service does not answer: nothing came in 10 s"),
        (Liar(silent="POST"), "the service does not answer: nothing came in 10 s"),
        (Liar(silent="DELETE"), "the service does not answer: nothing came in 10 s"),
        (Liar(location="http://[::1"), "the service made a client at 'http://[::1': Invalid IPv6"),
    ],
)
async def test_a_service_that_breaks(liar: Liar, message: str, autojump_clock: MockClock) -> None:
    async with network(liar.routes) as (harness, _):
        with pytest.raises(ServiceError) as caught:
            await run_cases(harness, [ONE_EVENT], lambda outcome: None)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "status"), [("localhost", 200), ("127.0.0.1", 200), ("[::1]", 200), ("evil.test", 403)]
)
async def test_the_names_of_our_service(name: str, status: int, autojump_clock: MockClock) -> None:
    """The name of a page (DNS rebinding) is not among them."""
    async with network() as (harness, _):
        url = f"http://{name}:{SERVICE}/"
        async with harness.client.request("GET", url) as response:
            assert response.status == status
