"""HAProxy and nginx, configured as we ship them, before two replicas of the simulated LLM.

    client ── 8000 balancer ──┬── 8010 replica
                              └── 8020 replica

Only the ports differ, because the tests use free ones.
"""

import re
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from openai import APIError, OpenAI, Stream
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from protocol.sse import EventStreamParser, ServerSentEvent
from servers import chat
from servers.http.body import BodyWriter
from servers.http.reply import CutOff, Reply, Request, StreamingReply
from servers.http.routes import Routes
from servers.llm.model.conversation import Question, Turn
from servers.llm.model.models import MODEL, Model
from servers.llm.pace import Pace

from ..at_once import at_once
from ..conftest import Start, line_of
from .held import hold
from .peers import (
    ROOT,
    SAFETY,
    Address,
    end,
    free_port,
    listens,
    need,
    read_until,
    running,
    started,
    wait_until,
)

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "你好 👋🏽"}]
AT_ONCE = Pace(0, 0)

# The Debian package, and the command line that the file's first comment shows.
BALANCERS = {
    "haproxy": ("haproxy", "haproxy -f haproxy.cfg"),
    "nginx": ("nginx-light", "nginx -e stderr -p FOLDER -c nginx.conf"),
}

Balance = Callable[[Address, Address], "Balancer"]


class Balancer(Address):
    """A running balancer, and the SDK as its client."""

    @property
    def client(self) -> OpenAI:
        # No retries, so that failures are visible.
        url = f"http://127.0.0.1:{self.port}/v1"
        return OpenAI(base_url=url, api_key="none", max_retries=0, timeout=SAFETY)


@pytest.fixture(params=BALANCERS)
def balance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Balance]:
    """Starts one of the balancers, with these two replicas as upstreams."""
    with ExitStack() as stack:
        yield lambda *replicas: stack.enter_context(
            balancing(request.param, tmp_path, [replica.port for replica in replicas])
        )


@contextmanager
def balancing(name: str, folder: Path, replicas: list[int]) -> Iterator[Balancer]:
    package, line = BALANCERS[name]
    program = need(name, package, f"/usr/sbin/{name}")
    shipped = ROOT / "servers" / "balancers" / line.split()[-1]
    front = free_port()
    ports = dict(zip(("8000", "8010", "8020"), (front, *replicas), strict=True))
    text, count = re.subn(
        r"(?<= 127\.0\.0\.1:)80[0-2]0\b",
        lambda port: str(ports[port[0]]),
        re.sub("^#.*", "", shipped.read_text(encoding="utf-8"), flags=re.MULTILINE),
    )
    assert count == 3
    config = folder / shipped.name
    config.write_text(text, encoding="utf-8")
    words = {name: program, shipped.name: str(config), "FOLDER": str(folder)}
    command = [words.get(word, word) for word in line.split()]
    with subprocess.Popen(command) as process:  # pytest shows its output if the test fails
        try:
            wait_until(process, lambda: listens(front))
            yield Balancer(front)
        finally:
            end(process)


def stream(client: OpenAI) -> Stream[ChatCompletionChunk]:
    return client.chat.completions.create(model="sim-1", messages=HELLO, stream=True)


def ending(chunks: Stream[ChatCompletionChunk]) -> str | None:
    """How a stream ends: its `finish_reason`, or "broken"."""
    try:
        *_, last = chunks
    except (httpx.TransportError, APIError):
        return "broken"
    return last.choices[0].finish_reason


def text_of(chunks: Stream[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def ask_for_one_token(client: OpenAI, content: str = "hi") -> int:
    """Returns the number of tokens in the question."""
    completion = client.chat.completions.create(
        model="sim-1", messages=[{"role": "user", "content": content}], max_tokens=1
    )
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 1
    return completion.usage.prompt_tokens


# ---- streaming


async def count(request: Request) -> StreamingReply:
    async def numbers() -> AsyncGenerator[bytes, None]:
        for number in range(200):
            yield b"%d\n" % number

    return StreamingReply(numbers())


def test_each_token_before_the_next_exists(balance: Balance) -> None:
    """No hop buffers tokens. If one did, the second token would never arrive.

    No kernel delays each token by the 200 ms for which it may wait for a full packet. With this
    delay, 200 tokens would take 40 s, longer than `SAFETY`. This is not an event stream, so no
    field in its head asks nginx not to buffer.
    """
    need("curl", "curl")
    with hold(Routes({"GET /": count})) as held:
        url = f"http://127.0.0.1:{balance(held, held).port}/"
        with started(f"exec curl -sN --max-time {SAFETY} {url}") as (process, output):
            for number in range(200):
                held.release()
                read_until(output, b"%d\n" % number)
            held.release()  # the end
            assert process.wait(SAFETY) == 0


def test_a_disconnect_ends_the_stream(balance: Balance) -> None:
    """The balancer relays the disconnect: the next heartbeat detects it."""
    with hold(chat.routes(AT_ONCE), heartbeat_seconds=0.01) as held:
        chunks = stream(balance(held, held).client)
        held.release()
        next(chunks)
        chunks.close()
        assert held.wait_until_ended() == 1


def test_fields_of_an_event_stream(balance: Balance) -> None:
    """The response still has the fields that ask the next proxy not to buffer and not to
    compress."""
    with hold(chat.routes(AT_ONCE)) as held, stream(balance(held, held).client) as chunks:
        fields = chunks.response.headers
        assert fields["x-accel-buffering"] == "no"
        assert fields["cache-control"] == "no-cache, no-transform"
        assert fields["transfer-encoding"] == "chunked"
        assert "content-encoding" not in fields


# ---- two replicas


def test_both_replicas_get_work_and_answer_the_same(balance: Balance) -> None:
    """Of two parallel streams, each replica gets one."""
    with hold(chat.routes(AT_ONCE)) as one, hold(chat.routes(AT_ONCE)) as two:
        client = balance(one, two).client
        streams = [stream(client), stream(client)]
        one.release(1000)
        two.release(1000)
        first, second = map(text_of, streams)
        assert first == second != ""
        assert one.wait_until_ended() == two.wait_until_ended()


def test_processes_answer_the_same(balance: Balance) -> None:
    """An answer does not depend on the process, for example on its random hash seed."""
    flags = ("--ttft", "0", "--itl", "0")
    with running("servers.chat", *flags) as one, running("servers.chat", *flags) as two:
        clients = [Balancer(one.port).client, Balancer(two.port).client, balance(one, two).client]
        (text,) = {text_of(stream(client)) for client in clients}
        assert text


def test_a_replica_is_killed(balance: Balance) -> None:
    """When a replica dies, its stream is visibly broken. The other stream continues, and new
    requests go to the other replica."""
    with (
        running("servers.chat", "--ttft", "0", "--itl", "3600") as one,
        hold(chat.routes(AT_ONCE)) as two,
    ):
        client = balance(one, two).client
        streams = [stream(client), stream(client)]
        two.release()
        for chunks in streams:
            next(chunks)  # both streams are running
        one.process.kill()
        two.release(1000)
        assert {ending(chunks) for chunks in streams} == {"broken", "stop"}
        for _ in range(6):
            ask_for_one_token(client)


def test_a_replica_that_was_down_takes_all_requests_when_the_other_dies(
    balance: Balance,
) -> None:
    """A balancer may avoid a replica that failed, but not after it serves again.

    While the streams of the failed replica ran, nginx with `max_fails=1` sent it one request per
    `fail_timeout`, and answered 502 to all others.
    """
    silent = ("servers.chat", "--ttft", "0", "--itl", "3600")
    with ExitStack() as stack:
        two = stack.enter_context(running(*silent))
        with running(*silent) as one:
            client = stack.enter_context(balance(one, two).client)
        client.models.list()  # the balancer tries the dead replica
        one = stack.enter_context(running(*silent, "--port", str(one.port)))

        def begin() -> Stream[ChatCompletionChunk]:
            chunks = stream(client)
            stack.callback(chunks.close)
            next(chunks)
            return chunks

        def serves_again() -> bool:
            chunks = begin()
            if "workshop_active_streams 0.0" in httpx.get(f"{one.url}/metrics").text:
                chunks.close()
                return False
            return True  # This stream continues. No request to that replica has ended since then.

        wait_until(two.process, serves_again)
        two.process.kill()
        two.process.wait()
        refused = 0
        for _ in range(20):
            try:
                begin()
            except APIError:
                refused += 1  # nginx had not yet noticed that a kept connection was closed
        assert refused <= 3


def test_a_replica_stops(balance: Balance, start: Start) -> None:
    """After SIGTERM, a replica's stream runs to the end, and new requests go to the other
    replica."""
    flags = ("-m", "servers.chat", "--port", "0", "--quiet", "--ttft", "0", "--itl", "0.01")
    one, two = start(*flags), start(*flags)
    ports = [
        int(line_of(replica.stdout).rstrip("/\n").rpartition(":")[2]) for replica in (one, two)
    ]
    client = balance(Address(ports[0]), Address(ports[1])).client
    streams = [stream(client), stream(client)]
    for chunks in streams:
        next(chunks)
    one.send_signal(signal.SIGTERM)
    wait_until(one, lambda: not listens(ports[0]))
    for _ in range(6):
        ask_for_one_token(client)
    assert [ending(chunks) for chunks in streams] == ["stop", "stop"]
    assert one.wait(SAFETY) == 0
    ask_for_one_token(client)


# ---- what is refused, and what is not


@pytest.mark.parametrize(("method", "times"), [("GET", {1, 2}), ("POST", {1})])
def test_a_request_is_retried_only_if_that_is_safe(
    balance: Balance, method: str, times: set[int]
) -> None:
    """Both replicas close without a reply. A question to a model is never retried."""
    asked = []

    class Nothing:
        async def send_to(self, body: BodyWriter) -> None:
            raise CutOff

    async def close(request: Request) -> StreamingReply:
        asked.append(request)
        reply = StreamingReply(Nothing())
        reply.edit_head = lambda head: b""
        return reply

    async def health(request: Request) -> Reply:
        return Reply()

    routes = Routes({f"{method} /": close, "GET /health": health})
    with hold(routes) as one, hold(routes) as two:
        url = f"http://127.0.0.1:{balance(one, two).port}/"
        assert httpx.request(method, url, timeout=SAFETY).status_code == 502
    assert len(asked) in times


def test_a_megabyte(balance: Balance) -> None:
    """A long conversation arrives complete, however slowly a replica reads."""
    with running("servers.chat", "--ttft", "0", "--itl", "0") as replica:
        client = balance(replica, replica).client
        assert ask_for_one_token(client, "word " * 200_000) >= 200_000


def test_a_body_over_the_limit(balance: Balance) -> None:
    """413 from the balancer itself, before any of the body is sent."""
    with hold(chat.routes(AT_ONCE)) as held:
        front = balance(held, held)
        for size, status in {(10 << 20) + 1: b"413", 10 << 20: b"100"}.items():
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
            with socket.create_connection(("127.0.0.1", front.port), SAFETY) as sock:
                sock.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
                assert sock.recv(100).startswith(b"HTTP/1.1 %b " % status), size


def test_an_answer_is_resumed_on_the_other_replica(balance: Balance) -> None:
    """Each connection is truncated after some events. The replicas share no state, and alone they
    would choose different words. The last event ID contains everything that they need."""
    flags = ("servers.chat", "--ttft", "0", "--itl", "0", "--seed")
    with running(*flags, "1") as one, running(*flags, "2") as two:
        url = f"http://127.0.0.1:{balance(one, two).port}/chat/hi?fault=rst*2@30"
        events: list[ServerSentEvent] = []
        last_event_id, status = "", 200
        while status == 200:
            parser = EventStreamParser(last_event_id)
            headers = {"Last-Event-ID": last_event_id}
            try:
                with httpx.stream("GET", url, headers=headers, timeout=SAFETY) as response:
                    status = response.status_code
                    for piece in response.iter_raw():
                        events += parser.receive_data(piece)
            except httpx.TransportError:
                pass
            assert status == 204 or parser.last_event_id != last_event_id, "each brings it on"
            last_event_id = parser.last_event_id
        for replica in (one, two):
            metrics = httpx.get(f"{replica.url}/metrics").text
            assert 'workshop_requests_total{reason="reset",route="GET /chat/{text}"}' in metrics
    seed = int(str(events[0].id).partition("-")[0])
    (said,) = at_once(Model(seed).answers(Question(model=MODEL, turns=[Turn("user", "hi")])))
    *tokens, done = [msgspec.json.decode(event.data) for event in events]
    assert [token["text"] for token in tokens] == [*said.thinking, *said.text]
    assert done == {"finish_reason": "stop"}
