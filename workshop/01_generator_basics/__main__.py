"""Lesson 1. A generator is a stream.

A list is an answer: all of it is there before anybody reads a word. A generator is a stream: it
makes one token, hands it over, and stands still until somebody asks for the next. Streaming, from
here to the browser, is this one idea carried through ever more layers:

    def tokens():
        yield "你好"        # <- stands still here until the consumer wants more
        yield "世界"

Run it with `python workshop/01_generator_basics`. Five steps, and the last one is the surprise.
"""

import argparse
import io
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator

# --- 1. Lazy: producer and consumer take turns ----------------------------------------------
# Calling tokens() runs not one line of it. next(), or a for loop, runs it up to the next
# `yield` and no further. Nobody schedules anything: the consumer's asking is the clock.


def tokens() -> Generator[str, None, None]:
    try:
        for token in ("你好", "世界", "🌍"):
            print(f"    producer makes {token}")
            yield token
    finally:
        print("    producer cleans up")


def take_turns() -> None:
    print("1. Lazy: producer and consumer take turns")
    stream = tokens()
    print("    the stream is there, and nothing has run")
    for token in stream:
        print(f"    consumer got {token}")


# --- 2. Endless: a stream needs no end ------------------------------------------------------
# `while True` in a function that returns a list never returns. In a generator it is harmless:
# what nobody asks for is never made. islice() asks for three.


def endless() -> Iterator[str]:
    for number in itertools.count(1):
        yield f"token {number}"


def take_three() -> None:
    print("2. Endless: what nobody asks for is never made")
    print(f"    {list(itertools.islice(endless(), 3))}")


# --- 3. Small: the size of a stream does not depend on its length ---------------------------
# The list holds every token at once. The generator holds where it stands: one frame.


def weigh() -> None:
    print("3. Small: a million tokens")
    everything = list(itertools.islice(endless(), 1_000_000))
    size = sys.getsizeof(everything) + sum(map(sys.getsizeof, everything))
    print(f"    as a list       {size:>12,} bytes")
    print(f"    as a generator  {sys.getsizeof(endless()):>12,} bytes")


# --- 4. Leaving: close() runs the finally ---------------------------------------------------
# A reader may leave in the middle. close() raises GeneratorExit at the `yield` where the producer
# stands, so its `finally` runs now: here a line of text, in a server the sequence that frees the
# GPU. (A `for` loop left by `break` does not call close(): CPython does, when the last reference
# goes. That is luck, not a promise, and lesson 2 takes it away.)


def leave_early() -> None:
    print("4. Leaving: close() runs the finally")
    stream = tokens()
    print(f"    consumer got {next(stream)}")
    stream.close()
    print(f"    consumer asks again: {next(stream, 'nothing comes')}")


# --- 5. The surprise: stdout is your first buffering proxy ----------------------------------
# So each token leaves as soon as it is made? Here is a program that prints five of them, one
# every fifth of a second, and here is what the other end of a pipe sees of it. On a terminal
# Python writes after every line. Into a pipe it first collects some kilobytes: these five tokens
# are far less than that, so they wait for the end of the program. The generator did its part,
# and so did the reader. What stands between them decides.

PRINTER = """\
import sys, time
for token in ("你好", ", ", "世界", "🌍", "hello"):
    time.sleep({gap})
    print(token{flush})
"""


def arrivals(program: str) -> Iterator[tuple[float, bytes]]:
    """Run a program and yield what each read of its output returns, and when (seconds)."""
    # PYTHONUNBUFFERED would hide the surprise; a pipe must carry UTF-8 on every machine.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    environment["PYTHONIOENCODING"] = "utf-8"
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # ^C is meant for this lesson, not for its child
    ) as child:
        assert child.stdout is not None
        try:
            while piece := os.read(child.stdout.fileno(), 65536):  # b"" at the end of the stream
                yield time.perf_counter() - start, piece
        finally:
            child.kill()  # after ^C it would write into a pipe that nobody reads, and complain


def read_a_pipe(gap: float) -> None:
    for flush in ("", ", flush=True"):
        print(f"5. The surprise: print(token{flush}) into a pipe")
        for seconds, piece in arrivals(PRINTER.format(gap=gap, flush=flush)):
            print(f"    +{seconds:.2f} s  {len(piece):2} bytes  {piece.decode(errors='replace')!r}")


# What this lesson does not do: wait for two streams at once. A generator that sleeps holds up the
# whole thread; lesson 2 makes it wait without blocking.


def main() -> int:
    parser = argparse.ArgumentParser(prog="01_generator_basics", description="A stream is lazy.")
    parser.add_argument("--fast", action="store_true", help="20 milliseconds a token")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` may leave: no traceback
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen without 你 gets \\u4f60
    gap = 0.02 if parser.parse_args().fast else 0.2
    try:
        take_turns()
        take_three()
        weigh()
        leave_early()
        read_a_pipe(gap)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
