"""Lesson 2. An async generator waits without blocking, and it must be closed.

A plain generator that waits for a model holds up its whole thread. An async generator gives the
thread away at every `await`, so one thread carries many streams:

    async def answer():
        await trio.sleep(0.2)    # <- the thread is free here, others run
        yield "你好"              # <- stands still here until the consumer wants more

Run it with `python workshop/02_async_generator`. Part 1 is the idea, part 2 the surprise, part 3
the rule that follows.
"""

import argparse
import io
import signal
import sys
import warnings
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

try:
    import trio
    import trio.testing
except ModuleNotFoundError as missing:
    sys.exit(
        f"This lesson needs the package {missing.name}. Activate the environment: "
        ". .venv/bin/activate (made by: "
        "python3 -m venv .venv && .venv/bin/pip install -c .ci/locked.txt -e .)"
    )
except KeyboardInterrupt:
    sys.exit(130)

GAP = 0.2  # seconds the model computes for one token
Note = Callable[[str], None]


def stopwatch() -> Note:
    """A function that prints a line with the seconds since now."""
    start = trio.current_time()
    return lambda text: print(f"    +{trio.current_time() - start:.1f} s  {text}")


async def answer(note: Note, *tokens: str) -> AsyncGenerator[str, None]:
    """The model of all three parts. Its finally has work to do that takes time, as real ones do."""
    try:
        for token in tokens:
            await trio.sleep(GAP)
            yield token
    finally:
        note("model: finally begins, stop the GPU")
        await trio.sleep(GAP)
        note("model: finally ends, the GPU has stopped")


# --- 1. Waiting without blocking ------------------------------------------------------------
# Two readers, two streams, one thread, no locks. B starts half a gap after A, so they take turns.
# `async for` is an `await` in disguise: while A waits for its model, B runs. Put time.sleep(GAP)
# in the place of trio.sleep(GAP) and nobody runs while anybody waits.


async def two_at_once() -> None:
    print("1. Two streams in one thread")
    note = stopwatch()

    async def read(name: str, *tokens: str) -> None:
        async for token in answer(lambda text: None, *tokens):
            note(f"{name} {token}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, "A", "你好", "世界", "🌍")
        await trio.sleep(GAP / 2)
        nursery.start_soon(read, "B", "hello", "world", "!")


# --- 2. The surprise: break does not close --------------------------------------------------
# Leave a `for` loop by `break` and CPython closes the generator as soon as its last reference
# goes, there and then. An async generator cannot be closed there and then: its `finally` may
# await, and a garbage collector cannot. So `break` only stops asking. Here the reader keeps the
# stream in a variable, as programs do, and goes on to other things for three gaps: all this time
# the model holds its GPU. Then the variable goes, trio finds the generator in the rubbish, warns,
# and closes it a little later in a task that is cancelled already. The `finally` begins late, and
# its first `await` is where it dies: look for the line that is missing.


async def leave_by_break() -> None:
    print("2. The surprise: break does not close")
    note = stopwatch()
    stream = answer(note, "你好", "世界", "🌍")
    async for token in stream:
        note(f"reader: got {token}, break")
        break
    note("reader: left the loop")
    await trio.sleep(3 * GAP)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # Python hides ResourceWarning; `python -X dev` shows it
        note("reader: drops the stream")
        del stream
    for warning in caught:
        note(f"trio:   {warning.category.__name__}: {warning.message}")
    await trio.sleep(3 * GAP)
    note("reader: done, and the GPU?")


# --- 3. The rule: async with aclosing -------------------------------------------------------
# aclosing() awaits stream.aclose() on every way out of its block: break, return, exception. The
# `finally` runs here, in this task, to its end, before the next line. Whoever calls an async
# generator closes it; a loop over a bare one is right only if it always runs to the end.


async def leave_by_aclosing() -> None:
    print("3. The rule: async with aclosing(...)")
    note = stopwatch()
    async with aclosing(answer(note, "你好", "世界", "🌍")) as stream:
        async for token in stream:
            note(f"reader: got {token}, break")
            break
    note("reader: left the block, and the GPU is free")


# What this lesson does not do: put the tokens on a wire. That is lesson 3. And it leaves only
# from a `yield`: a reader that is cancelled while the model computes is a story of its own.


async def main() -> None:
    await two_at_once()
    await leave_by_break()
    await leave_by_aclosing()


def run() -> int:
    parser = argparse.ArgumentParser(prog="02_async_generator", description="Wait, and close.")
    parser.add_argument("--fast", action="store_true", help="on a clock that skips all waiting")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` may leave: no traceback
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen without 你 gets \\u4f60
    # trio's test clock jumps ahead when every task sleeps: the same order, the same times, at once.
    fast = parser.parse_args().fast
    clock = trio.testing.MockClock(autojump_threshold=0) if fast else None
    exit_code = 0
    try:
        trio.run(main, clock=clock)
    except* KeyboardInterrupt:  # bare, or in the group a nursery makes of it
        exit_code = 130
    return exit_code


if __name__ == "__main__":
    sys.exit(run())
