"""Lesson 8: back pressure. A slow reader slows its own model, and nothing piles up between them.

`send` returns at once, although nobody has read anything: the kernel keeps the bytes. When its
buffers are full, `send` waits. That wait is not a fault. It is how the reader says "not so fast",
and every part of the chain must pass this message on, back to the model that makes the tokens:

    model  ->  queue of 5  ->  send  ->  the kernel's buffers  ->  a slow reader
      waits      is full      waits          are full              reads on

If the queue has no limit, the model never waits, and the queue fills the memory.

Run this file; then read it, and `servers/http/body.py`, where our servers wait.
"""

import argparse
import socket
import sys
from contextlib import ExitStack
from math import inf
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that this also runs in a clone
try:
    import trio
    import trio.testing

    from protocol.sse import ServerSentEvent, encode_event
    from workshop.runner import lesson
except ModuleNotFoundError as missing:
    sys.exit(f"{missing.name} is not installed here. Activate it:  . .venv/bin/activate")
except KeyboardInterrupt:
    sys.exit(130)

EVENT = encode_event(ServerSentEvent(data='{"text":"a token of an answer"}'))
MAKES = 100  # tokens that the model makes per second
READS = 10  # tokens that the slow reader reads per second
SECONDS = 3
SIZE = 5  # largest number of tokens in the queue


# --- 1. Bytes that are sent although nobody reads -------------------------------------------
#
# After `send`, the kernel has the bytes, but the reader may not have them yet. Two buffers limit
# how much the kernel accepts: the sender's, and the receiver's at the other end.


def send_until_full(buffer_size: int | None) -> int:
    """Send events on a connection whose other end reads nothing, until `send` would wait.

    Args:
        buffer_size: Size of each of the two buffers, in bytes. None means the system's default.

    Returns:
        The number of bytes that the kernel has accepted.
    """
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        sender = sockets.enter_context(socket.socket())
        if buffer_size is not None:
            # The buffer's size is set before connecting, because TCP then announces how much the
            # other side may send.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_size)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        sender.connect(listener.getsockname())
        sockets.enter_context(listener.accept()[0])  # the reader, which never reads
        sender.setblocking(False)
        taken = 0
        try:
            while True:
                taken += sender.send(EVENT)
        except BlockingIOError:  # a blocking socket would wait here
            return taken


def nobody_reads() -> None:
    print("1. Nobody reads. How much was sent before `send` had to wait?")
    for name, size in (("the system's buffers", None), ("buffers of 4 KiB", 4096)):
        taken = send_until_full(size)
        print(f"   {name:22}{taken:>10,} bytes, or {taken // len(EVENT):>7,} events")


# --- 2. A queue between model and reader ----------------------------------------------------
#
# The model makes 100 tokens a second, and the reader reads 10. Where are the other 90?


async def model_and_slow_reader(queue_size: float) -> None:
    """Print each second how many tokens were made, how many were read, and how many wait between
    the two."""
    made = taken = 0
    to_reader, from_model = trio.open_memory_channel[bytes](queue_size)

    async def model() -> None:
        nonlocal made
        while True:
            await trio.sleep(1 / MAKES)
            await to_reader.send(EVENT)  # if the queue is full, the model waits here
            made += 1

    async def reader() -> None:
        nonlocal taken
        while True:
            await trio.sleep(1 / READS)
            await from_model.receive()
            taken += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(model)
        nursery.start_soon(reader)
        for second in range(1, SECONDS + 1):
            await trio.sleep(1)
            waiting = made - taken
            print(f"   +{second} s  made {made:3}  read {taken:2}  waiting {waiting:3}", flush=True)
        nursery.cancel_scope.cancel()


async def queues() -> None:
    print(f"\n2. The model makes {MAKES} tokens a second, the reader takes {READS}")
    print("   a queue without a limit")
    await model_and_slow_reader(inf)
    print(f"   a queue of {SIZE}")
    await model_and_slow_reader(SIZE)


# --- 3. Whose wait is it? -------------------------------------------------------------------
#
# Back pressure should slow one reader's model only. If one loop sends to all readers, all of them
# wait for the slowest one. If each reader has a task, the others do not wait.

GAPS = {"fast": 0.01, "slow": 0.2}  # seconds that each reader needs for a token
TOKENS = 10


async def one_loop() -> None:
    start = trio.current_time()
    for number in range(1, TOKENS + 1):
        for name, gap in GAPS.items():
            await trio.sleep(gap)  # in place of `await send_all` to this reader
            if number == TOKENS:
                print_time(name, start)


async def task_for_each() -> None:
    start = trio.current_time()

    async def send_to(name: str, gap: float) -> None:
        for _ in range(TOKENS):
            await trio.sleep(gap)
        print_time(name, start)

    async with trio.open_nursery() as nursery:
        for name, gap in GAPS.items():
            nursery.start_soon(send_to, name, gap)


def print_time(name: str, start: float) -> None:
    print(f"      the {name} reader has all after {trio.current_time() - start:.1f} s", flush=True)


async def two_readers() -> None:
    print(f"\n3. {TOKENS} tokens to two readers")
    for title, send in (("one loop sends to both", one_loop), ("a task for each", task_for_each)):
        print(f"   {title}")
        await send()


async def show() -> None:
    nobody_reads()
    await queues()
    await two_readers()


def main() -> int:
    about = __doc__.partition("\n")[0]
    parser = argparse.ArgumentParser(prog="08_back_pressure", description=about)
    parser.add_argument("--fast", action="store_true", help="skip the waits, on a simulated clock")
    options = parser.parse_args()
    clock = trio.testing.MockClock(autojump_threshold=0) if options.fast else None
    return lesson.run(show, clock=clock)


if __name__ == "__main__":
    sys.exit(main())
