"""Lesson 12: ten thousand streams, one loop.

The obvious server has a task for each stream, and each task sleeps until the next token is due.
Such a server works, but most of its cost is waking tasks: for a write of 200 bytes it sets a timer,
schedules a task, and switches to it. An inference engine has one loop. The loop holds a batch of
sequences, and repeatedly makes one token for each sequence that is due.

    slot 1041: a, c       the wheel: for each slot of 5 ms, the streams that have a token due
    slot 1043: b          sleep until the first slot; make a token of each stream in it; put the
    slot 1050: d          stream into the slot where its next token is due

Run this file; then read it, and `servers/llm/engine.py`, which is the same loop in a real server.
"""

import argparse
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from math import ceil, inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
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

GAP = 0.05  # seconds from one token to the next
SLOT = 0.005  # width of a slot, in seconds
YIELD_AFTER = 64  # tokens made before other tasks run
OTHER_FILES = 20  # open files of this process, besides two sockets for each stream


class Stream:
    """One answer that is being written to its own socket.

    Attributes:
        due: Time at which the next token should be made, in seconds of trio's clock. This time is
            counted from the one at which the last token was due, so a late token does not delay
            those after it.
        left: Number of tokens that are not made yet.
        late: Delay of each token, in seconds.
    """

    def __init__(self, sock: socket.socket, due: float, gap: float, tokens: int) -> None:
        self.sock = sock
        self.due = due
        self.left = tokens
        self.late: list[float] = []
        self._gap = gap

    def token(self) -> bytes:
        """Make the token that is due. Both programs call this, so they do the same work."""
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
            stream.sock.send(stream.token())  # all bytes are sent, because no reader here is slow
            if stream.left:
                place(stream)
            steps += 1
            if steps >= yield_after:
                steps = 0
                await trio.lowlevel.checkpoint()


async def one_task_that_never_yields(streams: Sequence[Stream]) -> None:
    """Do the same as `one_task`, without its last line. While the loop is late, no other task
    runs."""
    await one_task(streams, yield_after=inf)


# --- What they cost ---------------------------------------------------------------------------

Loop = Callable[[Sequence[Stream]], Awaitable[None]]


def open_streams(
    stack: ExitStack, count: int, gap: float, tokens: int, spread: float
) -> list[Stream]:
    """Open `count` streams. Their first tokens are due within `spread` seconds from now."""
    streams = []
    for number in range(count):
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        ours.setblocking(False)
        due = trio.current_time() + 0.02 + spread * number / count
        streams.append(Stream(ours, due, gap, tokens))
    return streams


async def cost(loop: Loop, count: int, tokens: int) -> tuple[float, list[float]]:
    """Return the processor time for a token, and the sorted delays of all tokens, in seconds."""
    with ExitStack() as stack:
        streams = open_streams(stack, count, GAP, tokens, spread=GAP)
        before = time.process_time()
        await loop(streams)
        seconds = time.process_time() - before
    return seconds / (count * tokens), sorted(late for stream in streams for late in stream.late)


async def longest_wait(loop: Loop, count: int, tokens: int) -> float:
    """Let all tokens be due at the same time, and return the longest time for which no other task
    could run.

    The result is in seconds of this program's processor time, so other programs do not change it.
    """
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
            await trio.sleep(0.03)  # now all tokens are due
            await loop(streams)
            for _ in range(2):  # two rounds, so that the bystander gets a turn in any case
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    return longest


async def show(count: int, tokens: int) -> None:
    print(f"1. {count:,} streams, {1 / GAP:g} tokens a second each, {tokens} tokens each")
    print("                            processor time      late    late")
    print("                               for a token    median     p99")
    costs = []
    loops: dict[str, Loop] = {"a task for each stream": task_for_each, "one task for all": one_task}
    for name, loop in loops.items():
        seconds, late = await cost(loop, count, tokens)
        median, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        costs.append(seconds)
        figures = f"{seconds * 1e6:11.1f} µs {median * 1e3:6.1f} ms {p99 * 1e3:4.0f} ms"
        print(f"   {name:25}{figures}", flush=True)
    print(f"   {costs[0] / costs[1]:.1f} times as much for a task each\n")

    due = f"{count * tokens:,} tokens are due at once"
    print(f"2. The engine is late: {due}. How long must another task wait?")
    loops = {
        "a loop that never yields": one_task_that_never_yields,
        f"one that yields every {YIELD_AFTER}": one_task,
    }
    for name, loop in loops.items():
        seconds = await longest_wait(loop, count, tokens)
        print(f"   {name:25}{seconds * 1e3:11.1f} ms", flush=True)


async def show_split(count: int, tokens: int) -> None:
    from split import PARTS, measure

    about = f"{count:,} streams of {1 / GAP:g} tokens a second"
    print(f"Processor time of one token in the engine of servers.chat, with {about}")
    split = await measure(count, tokens, GAP)
    for name, what in PARTS.items():
        print(f"   {name:9}{split[name] * 1e6:7.2f} µs   {what}".rstrip())


def number_of_streams(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 50_000:
        raise argparse.ArgumentTypeError(f"not a number of streams (1 to 50000): {text}")
    return int(text[:6])


def main() -> int:
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="12_ten_thousand_streams", description=about)
    parser.add_argument("--fast", action="store_true", help="100 streams of 5 tokens")
    parser.add_argument(
        "--streams", type=number_of_streams, metavar="N", help="number of streams; default: 2000"
    )
    parser.add_argument("--split", action="store_true", help="show where a token's time goes")
    options = parser.parse_args()
    count, tokens = (100, 5) if options.fast else (2000, 20)
    count = options.streams or count
    allowed, needed = raise_file_limit(), 2 * count + OTHER_FILES
    if allowed < needed:
        fewer = max(int(allowed) - OTHER_FILES, 2) // 2
        print(
            f"{count:,} streams need {needed} open files, and this system allows {allowed}. "
            f"Raise the limit (perhaps as root): ulimit -n {needed}; or use --streams {fewer}"
        )
        return 1
    try:
        return lesson.run(show_split if options.split else show, count, tokens)
    except* OSError as errors:
        print(f"too much for this machine: {errors.exceptions[0]}; try fewer --streams")
    return 1


# What this lesson does not show: slow readers, a queue, and answers that fail. The exercise has
# them.

if __name__ == "__main__":
    sys.exit(main())
