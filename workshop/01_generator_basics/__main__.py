"""Lesson 1. A generator is a stream.

A list is an answer: all of it exists before anybody reads a word. A generator is a stream: it makes
one token, returns it, and pauses until somebody asks for the next one. From here to the browser,
streaming is this one idea, carried through more and more layers:

    def tokens():
        yield "你好"        # <- pauses here until the consumer asks for more
        yield "世界"

Run it with `python workshop/01_generator_basics`. There are five steps, and the last one is the
surprise.
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
#
# A call of tokens() does not run a single line of its body. next(), or a `for` loop, runs the body
# up to the next `yield` and no further. Nothing runs in the background: a token is made only when
# the consumer asks for it.


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
#
# A function that fills a list with `while True` never returns. In a generator, `while True` is
# harmless: only the tokens that somebody asks for are made. islice() asks for three.


def endless() -> Iterator[str]:
    for number in itertools.count(1):
        yield f"token {number}"


def take_three() -> None:
    print("2. Endless: what nobody asks for is never made")
    print(f"    {list(itertools.islice(endless(), 3))}")


# --- 3. Small: the size of a stream does not depend on its length ---------------------------
#
# The list holds every token at once. The generator holds one frame: its position and its variables.


def weigh() -> None:
    print("3. Small: a million tokens")
    everything = list(itertools.islice(endless(), 1_000_000))
    size = sys.getsizeof(everything) + sum(map(sys.getsizeof, everything))
    print(f"    as a list       {size:>12,} bytes")
    print(f"    as a generator  {sys.getsizeof(endless()):>12,} bytes")


# --- 4. Leaving: close() runs the finally ---------------------------------------------------
#
# A reader may stop in the middle. close() raises GeneratorExit at the `yield` where the producer
# pauses, so its `finally` runs now. Here the `finally` prints a line; in a server it frees the GPU.
# (A `for` loop that ends by `break` does not call close(). CPython calls it when the last reference
# to the generator is gone. The language does not promise that, and lesson 2 shows a case without
# it.)


def leave_early() -> None:
    print("4. Leaving: close() runs the finally")
    stream = tokens()
    print(f"    consumer got {next(stream)}")
    stream.close()
    print(f"    consumer asks again: {next(stream, 'nothing comes')}")


# --- 5. The surprise: stdout is your first buffering proxy ----------------------------------
#
# Is each token now sent as soon as it is made? Here a program prints five tokens, one every fifth
# of a second, and the lesson prints each read at the other end of the pipe. On a terminal Python
# writes after every line. If the output is a pipe, Python first collects some kilobytes. These five
# tokens are far less than that, so they wait for the end of the program. The generator worked
# correctly, and so did the reader. But the buffer between them decides.

PRINTER = """\
import sys, time
for token in ("你好", ", ", "世界", "🌍", "hello"):
    time.sleep({gap})
    print(token{flush})
"""


def arrivals(program: str) -> Iterator[tuple[float, bytes]]:
    """Run a program. Yields (seconds since its start, bytes) for each read of its output."""
    # PYTHONUNBUFFERED would hide the surprise. The pipe must carry UTF-8 on every machine.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    environment["PYTHONIOENCODING"] = "utf-8"
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C is meant for this lesson, not for its child
    ) as child:
        assert child.stdout is not None
        try:
            while piece := os.read(child.stdout.fileno(), 65536):  # b"" at the end of the stream
                yield time.perf_counter() - start, piece
        finally:
            child.kill()  # otherwise, after Ctrl-C, it would print a traceback


def read_a_pipe(gap: float) -> None:
    for flush in ("", ", flush=True"):
        print(f"5. The surprise: print(token{flush}) into a pipe")
        for seconds, piece in arrivals(PRINTER.format(gap=gap, flush=flush)):
            print(f"    +{seconds:.2f} s  {len(piece):2} bytes  {piece.decode(errors='replace')!r}")


# What this lesson does not do: wait for two streams at once. A generator that sleeps blocks the
# whole thread; lesson 2 makes it wait without blocking.


def main() -> int:
    parser = argparse.ArgumentParser(prog="01_generator_basics", description="A stream is lazy.")
    parser.add_argument("--fast", action="store_true", help="20 milliseconds a token")
    gap = 0.02 if parser.parse_args().fast else 0.2
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # no traceback when `| head` closes the pipe
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a screen without 你 gets \\u4f60
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
