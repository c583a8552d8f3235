"""Five streams of the simulated model, and an observer that can measure them through any hop.

    the test ── memory ── bad proxy ── memory ── simulated LLM        on trio's autojump clock

There are no sockets and no real waits. Hours of a stream pass in milliseconds, and the times are
the same on every machine.
"""

from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import msgspec
import trio
import trio.testing

from clients.streams.memory import MemoryStream, memory_pair
from clients.streams.tcp import ByteStream, Connect
from protocol.recording import End
from servers import badproxy, chat
from servers.http.connection import Connection
from servers.http.routes import Routes
from servers.http.watch import Watch
from servers.llm.pace import Bursts, Normal, Pace
from workshop.xray.meter.measure import Meter

__all__ = ["STREAMS", "Stream", "observed"]

SILENCE = 75.0  # seconds after which the observer stops waiting
PATIENCE = 600.0  # seconds after which the observer stops even if bytes still arrive


@dataclass(frozen=True)
class Stream:
    """A request to the simulated model, and the pace of its answer."""

    pace: Pace
    path: str
    asked: dict[str, Any]


WORDS = [
    "Streaming",
    "answers",
    "arrive",
    "一个字",
    "after",
    "another",
    "而服务器",
    "still",
    "writes,",
]


def _text(words: int) -> str:
    """A text in which no event equals the one before it, and no part equals the beginning."""
    numbered = (f"{word} {number}" for number, word in enumerate(cycle(WORDS)))
    return "Streaming answers " + " ".join(islice(numbered, words))


def _chat(words: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": _text(words)}]
    options = {"include_usage": True}
    return {"model": "echo", "messages": messages, "stream": True, "stream_options": options}


NOTES = {"type": "array", "items": {"type": "string"}, "minItems": 30}
PARAMETERS = {"type": "object", "properties": {"notes": NOTES}, "required": ["notes"]}
TOOL = {"type": "function", "function": {"name": "write_notes", "parameters": PARAMETERS}}
TOOLS = {"model": "sim-1", "tools": [TOOL], "tool_choice": "required"}

COMPLETIONS = "/v1/chat/completions"
STREAMS = {
    "fast": Stream(Pace(0.4, 0.01), COMPLETIONS, _chat(220)),
    "slow": Stream(Pace(0.8, 0.2, spread=Normal()), COMPLETIONS, _chat(20)),
    # Its first tokens do not come at once. If they did, no observer could see that one event is
    # held.
    "bursty": Stream(Pace(1, 0.06, spread=Bursts()), COMPLETIONS, _chat(62)),
    "tools": Stream(Pace(0.5, 0.03), COMPLETIONS, _chat(5) | TOOLS),
    "responses": Stream(
        Pace(0.5, 0.03), "/v1/responses", {"model": "echo", "input": _text(80), "stream": True}
    ),
}


async def observed(
    stream: Stream, mode: str = "", *, gzip: bool = False, fault: str = "", **asked: object
) -> Meter:
    """Measure an answer of the simulated model.

    Args:
        stream: The request and the pace of its answer.
        mode: Mode of the bad proxy between the model and the observer; "" for no proxy.
        gzip: Whether the request accepts gzip.
        fault: Fault of the simulated model, or "".
        asked: Further fields of the request.
    """
    body = msgspec.json.encode(stream.asked | asked)
    fields = ["Host: a", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    fields += ["Accept-Encoding: gzip"] * gzip + [f"X-Fault: {fault}"] * bool(fault)
    head = "\r\n".join([f"POST {stream.path} HTTP/1.1", *fields, "", ""])
    request = head.encode() + body
    async with trio.open_nursery() as nursery:
        reach = await _serve(nursery, chat.routes(stream.pace))
        if mode:
            hop = badproxy.routes("http://a/", badproxy.modes(mode), reach)
            reach = await _serve(nursery, hop)
        client = await reach("a", 80, stall_seconds=0)
        await client.send_all(request)
        meter = Meter(method="POST", request=request, began=_now())
        await _measure(client, meter)
        client.close()
        nursery.cancel_scope.cancel()
    return meter


async def _serve(nursery: trio.Nursery, routes: Routes) -> Connect:
    """Serve these routes to connections in memory. Returns the function that connects to them."""
    watch = Watch()
    for task in (watch.run, *routes.tasks):
        nursery.start_soon(task)

    async def reach(host: str, port: int, *, stall_seconds: float) -> MemoryStream:
        ours, theirs = memory_pair()
        nursery.start_soon(Connection(theirs, routes, watch, None).serve)
        return ours

    return reach


async def _measure(client: ByteStream, meter: Meter) -> None:
    while not meter.complete and _now() - meter.began < PATIENCE * 1000:
        data: bytes | None = None
        end: End = "silent"
        with trio.move_on_after(SILENCE):
            try:
                data = await client.receive_some()
                end = "fin"
            except trio.BrokenResourceError:
                end = "reset"
        if not data:
            meter.receive_end(_now(), end)
            return
        meter.receive_data(_now(), data)
    with trio.move_on_after(1):  # bytes after the end
        if data := await client.receive_some():
            meter.receive_data(_now(), data)


def _now() -> float:
    return trio.current_time() * 1000
