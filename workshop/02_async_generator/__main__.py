"""Lesson 2. An async generator waits without blocking, and it must be closed.

A plain generator that waits for a model blocks its whole thread. An async generator gives the
thread back at every `await`, so one thread carries many streams:

    async def answer():
        await trio.sleep(0.2)    # <- the thread is free here, other tasks run
        yield "你好"              # <- pauses here until the consumer asks for more

Run it with `python workshop/02_async_generator`. Part 1 shows the idea, part 2 the surprise, and
part 3 the rule that follows from it.
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

GAP = 0.2  # seconds for which the model computes one token
Note = Callable[[str], None]


def stopwatch() -> Note:
    """Return a function that prints a line with the seconds since this call."""
    start = trio.current_time()
    return lambda text: print(f"    +{trio.current_time() - start:.1f} s  {text}")


async def answer(note: Note, *tokens: str) -> AsyncGenerator[str, None]:
    """The model of all three parts. Like a real model, this one needs time to clean up."""
    try:
        for token in tokens:
            await trio.sleep(GAP)
            yield token
    finally:
        note("model: finally begins, stop the GPU")
        await trio.sleep(GAP)
        note("model: finally ends, the GPU has stopped")


# --- 1. Waiting without blocking ------------------------------------------------------------
#
# Two readers, two streams, one thread, no locks. B starts half a gap after A, so they take turns.
# Each step of `async for` is an `await`: while A waits for its model, B runs. Replace
# trio.sleep(GAP) by time.sleep(GAP), and nothing else runs while one of them waits.


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
#
# When a `for` loop ends by `break`, CPython closes the generator as soon as its last reference is
# gone. CPython cannot do that with an async generator: the `finally` may await, but a garbage
# collector cannot. So `break` only stops asking for tokens. Here the reader keeps the stream in a
# variable, as programs do, and does other things for three gaps. All this time, the model holds its
# GPU. Then the reader deletes the variable. The garbage collector tells trio, which warns, and
# closes the generator a little later in a task that is already cancelled. The `finally` begins
# late, and it ends at its first `await`: look for the line that is missing.


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
#
# aclosing() awaits stream.aclose() however its block ends: with break, return or an exception. The
# `finally` runs here, in this task, to its end, before the next line. The caller of an async
# generator must close it; a loop without aclosing() is correct only if it always runs to the end.


async def leave_by_aclosing() -> None:
    print("3. The rule: async with aclosing(...)")
    note = stopwatch()
    async with aclosing(answer(note, "你好", "世界", "🌍")) as stream:
        async for token in stream:
            note(f"reader: got {token}, break")
            break
    note("reader: left the block, and the GPU is free")


# What this lesson does not do: send the tokens over a network; that is lesson 3. Also, the reader
# here stops only at a `yield`, and is never cancelled while the model computes.


async def main() -> None:
    await two_at_once()
    await leave_by_break()
    await leave_by_aclosing()


def run() -> int:
    parser = argparse.ArgumentParser(prog="02_async_generator", description="Wait, and close.")
    parser.add_argument("--fast", action="store_true", help="use a clock that skips all waiting")
    fast = parser.parse_args().fast
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # no traceback when `| head` closes the pipe
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen without 你 gets \\u4f60.
    # trio's test clock jumps ahead when every task sleeps. So a fast run shows the same order and
    # the same times.
    clock = trio.testing.MockClock(autojump_threshold=0) if fast else None
    exit_code = 0
    try:
        trio.run(main, clock=clock)
    except* KeyboardInterrupt:  # alone, or in the exception group of a nursery
        exit_code = 130
        # The stopped generators are freed after trio has ended. Without this line, Python would
        # report it.
        sys.unraisablehook = lambda _: None
    return exit_code


if __name__ == "__main__":
    sys.exit(run())
