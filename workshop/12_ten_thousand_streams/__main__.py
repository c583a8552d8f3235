"""Lesson 12: ten thousand streams, one clock.

A stream that sleeps until its next token is the obvious code, and a task for each stream is the
obvious server. It works, and most of what it costs is waking up: a timer set, a task scheduled, a
task switched to, for a write of 200 bytes. An inference engine does not do that, with a GPU even
less: it holds a batch of sequences and steps them all, again and again. One loop, one clock.

    slot 1041: a, c       the wheel: which streams have a token due, in slots of 5 ms
    slot 1043: b          sleep to the first slot that holds any; step each; put it where it is
    slot 1050: d          due next

Run this file; then read it, and `servers/llm/engine.py`, which is the same loop in earnest.
"""

import argparse
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from math import ceil, inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs in a clone
try:
    import trio

    from protocol.chunked import encode_chunk
    from protocol.sse import ServerSentEvent, encode_event
    from servers.http.command import raise_file_limit
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

GAP = 0.05  # seconds from token to token: 20 a second
SLOT = 0.005
YIELD_AFTER = 64
OTHER_FILES = 20  # open in this process beside two sockets for each stream


class Stream:
    """One answer under way, into a socket of its own.

    Attributes:
        due: when its next token should be made. It is the time that it should be, not the time
            that it was: a token that comes late does not delay those after it.
        left: tokens still to come.
        late: by how many seconds each token was.
    """

    def __init__(self, sock: socket.socket, due: float, gap: float, tokens: int) -> None:
        self.sock = sock
        self.due = due
        self.left = tokens
        self.late: list[float] = []
        self._gap = gap

    def token(self) -> bytes:
        """Make the token that is due: the same work, whoever asks for it."""
        data = f'{{"choices":[{{"index":0,"delta":{{"content":" word{self.left}"}}}}]}}'
        self.late.append(trio.current_time() - self.due)
        self.left -= 1
        self.due += self._gap
        return encode_chunk(encode_event(ServerSentEvent(data=data)))


# --- One task for each stream -----------------------------------------------------------------


async def task_for_each(streams: Sequence[Stream]) -> None:
    async with trio.open_nursery() as nursery:
        for stream in streams:
            nursery.start_soon(sleep_and_send, stream)


async def sleep_and_send(stream: Stream) -> None:
    pipe = trio.SocketStream(trio.socket.from_stdlib_socket(stream.sock))
    while stream.left:
        await trio.sleep_until(stream.due)
        await pipe.send_all(stream.token())


# --- One task for all of them -----------------------------------------------------------------


async def one_task(streams: Sequence[Stream], yield_after: float = YIELD_AFTER) -> None:
    wheel: dict[int, list[Stream]] = {}

    def place(stream: Stream) -> None:
        wheel.setdefault(ceil(stream.due / SLOT), []).append(stream)

    for stream in streams:
        place(stream)
    steps = 0
    while wheel:
        slot = min(wheel)
        if slot * SLOT > trio.current_time():
            await trio.sleep_until(slot * SLOT)
        for stream in wheel.pop(slot):
            stream.sock.send(stream.token())  # it takes all: nobody here is a slow reader
            if stream.left:
                place(stream)
            steps += 1
            if steps >= yield_after:
                steps = 0
                await trio.lowlevel.checkpoint()


async def one_task_that_never_yields(streams: Sequence[Stream]) -> None:
    """The same without the last line. While it is behind it does not sleep, so it never waits; and
    who never waits lets nobody else run."""
    await one_task(streams, yield_after=inf)


# --- What they cost ---------------------------------------------------------------------------

Way = Callable[[Sequence[Stream]], Awaitable[None]]


def open_streams(
    stack: ExitStack, count: int, gap: float, tokens: int, spread: float
) -> list[Stream]:
    """So many streams, whose first tokens are due within `spread` seconds from now."""
    streams = []
    for number in range(count):
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        ours.setblocking(False)
        due = trio.current_time() + 0.02 + spread * number / count
        streams.append(Stream(ours, due, gap, tokens))
    return streams


async def cost(way: Way, count: int, tokens: int) -> tuple[float, list[float]]:
    """Processor time for a token, in seconds, and by how much each token was late, sorted."""
    with ExitStack() as stack:
        streams = open_streams(stack, count, GAP, tokens, spread=GAP)
        before = time.process_time()
        await way(streams)
        seconds = time.process_time() - before
    return seconds / (count * tokens), sorted(late for stream in streams for late in stream.late)


async def longest_wait(way: Way, count: int, tokens: int) -> float:
    """For how long another task was kept from running, while all tokens were due at once: in
    seconds of this program's own processor time, whatever else the machine does."""
    longest = 0.0

    async def bystander() -> None:
        nonlocal longest
        last = time.process_time()
        while True:
            await trio.lowlevel.checkpoint()
            now = time.process_time()
            longest, last = max(longest, now - last), now

    with ExitStack() as stack:
        streams = open_streams(stack, count, 0.0, tokens, spread=0.0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bystander)
            await trio.sleep(0.03)  # now all of it is due
            await way(streams)
            for _ in range(2):  # so that the bystander has had a turn, whoever is first in each
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    return longest


async def show(count: int, tokens: int) -> None:
    print(f"1. {count:,} streams, {1 / GAP:g} tokens a second each, {tokens} tokens each")
    print("                            processor time      late    late")
    print("                               for a token    median     p99")
    costs = []
    ways: dict[str, Way] = {"a task for each stream": task_for_each, "one task for all": one_task}
    for name, way in ways.items():
        seconds, late = await cost(way, count, tokens)
        median, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        costs.append(seconds)
        figures = f"{seconds * 1e6:11.1f} µs {median * 1e3:6.1f} ms {p99 * 1e3:4.0f} ms"
        print(f"   {name:25}{figures}", flush=True)
    print(f"   {costs[0] / costs[1]:.1f} times as much for a task each\n")

    print(f"2. The engine is behind: {count * tokens:,} tokens are due at once, and somebody waits")
    ways = {
        "a loop that never yields": one_task_that_never_yields,
        f"one that yields every {YIELD_AFTER}": one_task,
    }
    for name, way in ways.items():
        seconds = await longest_wait(way, count, tokens)
        print(f"   {name:25}{seconds * 1e3:11.1f} ms", flush=True)


def number_of_streams(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 50_000:
        raise argparse.ArgumentTypeError(f"not a number of streams (1 to 50000): {text}")
    return int(text[:6])


def main() -> int:
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="12_ten_thousand_streams", description=about)
    parser.add_argument("--fast", action="store_true", help="100 streams of 5 tokens")
    parser.add_argument(
        "--streams", type=number_of_streams, metavar="N", help="how many; default: 2000"
    )
    options = parser.parse_args()
    count, tokens = (100, 5) if options.fast else (2000, 20)
    count = options.streams or count
    allowed, needed = raise_file_limit(), 2 * count + OTHER_FILES
    if allowed < needed:
        fewer = max(int(allowed) - OTHER_FILES, 2) // 2
        print(
            f"{count:,} streams need {needed} open files; all that may be here are {allowed}. "
            f"Raise it, as root if need be: ulimit -n {needed}; or take fewer: --streams {fewer}"
        )
        return 1
    try:
        return lesson.run(show, count, tokens)
    except* OSError as errors:
        print(f"too much for this machine: {errors.exceptions[0]}; try fewer --streams")
    return 1


# What this lesson does not do: slow readers, a queue, answers that fail. The exercise does.

if __name__ == "__main__":
    sys.exit(main())
