"""Where the processor time of one token goes, in the engine of `servers.chat`.

    together   tokens of the real engine, written to real TCP sockets; measured as a whole
    kernel     `send` of one frame, less a `send` of nothing
    call       `send` of nothing
    JSON       the events of an answer
    framing    the chunks around them
    trio       one sleep, divided by the tokens that are due in a slot
    engine     the rest

All times are processor time of this process. Other programs still make them longer, because they
share its caches.
"""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import repeat

import trio

from clients.streams.tcp import SocketStream
from protocol.chunked import encode_chunk
from protocol.openai.chat_completions import read_chat_request
from servers.http.body import Body
from servers.llm.engine import SLOT, Engine, TokenSequence
from servers.llm.model.conversation import Answer
from servers.llm.model.texts import lorem
from servers.llm.writers.chat_completions import ChatWriter

__all__ = ["PARTS", "measure"]

PARTS = {
    "kernel": "TCP, on the way to the other end",
    "call": "from Python into the kernel and back",
    "JSON": "the event of the token, in its template",
    "framing": "the chunk around it",
    "trio": "one wake-up for all tokens of a slot",
    "engine": "the wheel, the step, the counts, and memory that has left the cache",
    "together": "",
}

REPEATS = 5  # only the shortest of these runs counts, because noise only adds time
ASKED = read_chat_request(b'{"model":"lorem","messages":[{"role":"user","content":"hi"}]}')


def writer(tokens: int) -> ChatWriter:
    answer = Answer(text=lorem(tokens))
    return ChatWriter(ASKED, [answer], 1, id="chatcmpl-0123456789abcdef01234567", created=0)


async def measure(count: int, tokens: int, gap: float) -> dict[str, float]:
    """Return the seconds of processor time for each part of a token.

    Args:
        count: Number of streams. Each needs two sockets.
        tokens: Number of tokens of each stream.
        gap: Seconds between two tokens of a stream.
    """
    with ExitStack() as stack:
        pairs = tcp_pairs(stack, count)
        together = await engine_run([SocketStream(ours) for ours, _ in pairs], tokens, gap)
        events = list(writer(200).steps())
        frame = encode_chunk(events[-1])
        drain(pairs)
        socks = [ours for ours, _ in pairs]
        sent = smallest(lambda: [sock.send(frame) for sock in socks], count, lambda: drain(pairs))
        call = smallest(lambda: [sock.send(b"") for sock in socks], count)
    json = smallest(lambda: list(writer(200).steps()), len(events))
    framing = smallest(lambda: [encode_chunk(event) for event in events], len(events))
    turn = await wake_up() / max(count * SLOT / gap, 1)
    parts = {"kernel": sent - call, "call": call, "JSON": json, "framing": framing, "trio": turn}
    return {**parts, "engine": together - sum(parts.values()), "together": together}


def tcp_pairs(stack: ExitStack, count: int) -> list[tuple[socket.socket, socket.socket]]:
    pairs = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for _ in range(count):
            theirs = stack.enter_context(socket.create_connection(listener.getsockname()))
            theirs.setblocking(False)
            pairs.append((stack.enter_context(listener.accept()[0]), theirs))
    return pairs


def drain(pairs: Sequence[tuple[socket.socket, socket.socket]]) -> None:
    for _, theirs in pairs:
        theirs.recv(1 << 16)


def smallest(
    run: Callable[[], object], count: int, after: Callable[[], None] = lambda: None
) -> float:
    """Return the processor time of this call, divided by the number of things that it does."""
    times = []
    for _ in range(REPEATS):
        before = time.process_time()
        run()
        times.append((time.process_time() - before) / count)
        after()
    return min(times)


async def engine_run(streams: Sequence[SocketStream], tokens: int, gap: float) -> float:
    """Run the engine until each stream has its tokens. The first ones are due within one gap."""
    engine = Engine(max_batch=len(streams))
    async with trio.open_nursery() as running:
        running.start_soon(engine.run)
        async with trio.open_nursery() as driving:
            for number, stream in enumerate(streams):
                body = Body(stream, chunked=True)
                prefill = 0.1 + gap * number / len(streams)
                steps = writer(tokens).steps()
                sequence = TokenSequence(steps, repeat(gap), prefill, body.send_now)
                driving.start_soon(engine.drive, sequence, body.flush)
            await trio.sleep(0.05)  # all are in the batch
            before = time.process_time()
        seconds = time.process_time() - before
        running.cancel_scope.cancel()
    return seconds / (len(streams) * tokens)


async def wake_up(times: int = 50) -> float:
    """Return the processor time of one sleep of a slot."""
    before = time.process_time()
    for _ in range(times):
        await trio.sleep(SLOT)
    return (time.process_time() - before) / times
