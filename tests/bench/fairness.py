"""How much expensive requests of some clients delay the streams of the others.

    python -m tests.bench.fairness [NAME …]

    attack                       gap  /health   memory
    none                          52        5       38
    a wide schema                 84       24       70

Twenty streams of a token every 50 ms run all the time, and `/health` is asked every 20 ms. Each
attack is made by twenty clients at once, for three seconds, from a process of its own, so that
reading the answers costs this one nothing. The table shows the longest gap of any stream and the
slowest `/health`, in milliseconds, and the largest memory (RSS) of the server, in megabytes. If the
machine is busy, compare with "none".
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

__all__ = ["ATTACKS", "main"]

STREAMS, CLIENTS, SECONDS = 20, 20, 3.0


def _post(path: str, fields: str = "", **asked: object) -> Callable[[], bytes]:
    def request() -> bytes:
        body = json.dumps({"model": "sim-1"} | asked, ensure_ascii=False).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Pace: instant\r\n{fields}"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    return request


def _says(text: str, fields: str = "", **asked: object) -> Callable[[], bytes]:
    messages = [{"role": "user", "content": text}]
    return _post("/v1/chat/completions", fields, messages=messages, **asked)


def _pipelined(request: Callable[[], bytes]) -> Callable[[], bytes]:
    """300 requests on one connection, sent before the first answer is read (RFC 9112 section
    9.3.2)."""
    return lambda: request() * 300


ECHO: dict[str, Any] = {"model": "echo", "n": 128}
MUCH: dict[str, Any] = {"n": 128, "logprobs": True, "top_logprobs": 20}
SCHEMA = {"properties": {f"p{n}": {"type": "integer"} for n in range(3000)}}
SCHEMA["required"] = [*SCHEMA["properties"]]  # type: ignore[assignment]
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
ATTACKS: dict[str, Callable[[], bytes]] = {
    "a word of 0.5 MB": _says("a" * 500_000, **ECHO),
    "one letter, 0.5 MB": _says("a" + "\u0301" * 250_000, **ECHO, stream=True),
    "its probabilities": _says("a" + "\u0301" * 250_000, "", model="echo", stream=True, **MUCH),
    "n: 128, logprobs": _says("hi", stream=True, **MUCH),
    "the same, recorded": _says("hi", "X-Wire: 1\r\n", stream=True, **MUCH),
    "a word of 2 MB": _says("a" * 1_999_999, **ECHO),
    "2 MB to read": _says("word " * 399_999),
    "2 MB of emoji": _says("👩🏽‍🚀" * 399_999),
    "a wide schema": _says("hi", tools=[TOOL]),
    "four stops": _says("hi", model="lorem", max_tokens=99_999, stop=["e x", " az", "o z", "uz"]),
    "10 MB of values": _post("/v1/responses", input=[{}] * 2_000_000),
    "10 MB of one string": _says("x", user="\\" * 4_900_000),
    "300 pipelined GETs": _pipelined(lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "300 pipelined questions": _pipelined(_says("hi", model="echo")),
    "300 pipelined streams": _pipelined(_says("hi", model="echo", stream=True)),
}


SLOW = _says("hi", model="lorem", max_tokens=9999, stream=True)()
SLOW = SLOW.replace(b"X-Pace: instant\r\n", b"")  # at the server's own pace


def _closing(requests: bytes) -> bytes:
    """The same, with `Connection: close` in the last one."""
    before, host, after = requests.rpartition(b"Host: ")
    return before + b"Connection: close\r\n" + host + after


def attack(port: int, names: Sequence[str]) -> None:
    """Twenty clients ask, read all, and ask again."""

    async def one(request: bytes) -> None:
        while True:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            try:
                async with stream:
                    await stream.send_all(request)
                    async for _ in stream:
                        pass
            except trio.BrokenResourceError:
                pass

    async def all_of_them() -> None:
        requests = [_closing(ATTACKS[name]()) for name in names]
        with trio.move_on_after(SECONDS):
            async with trio.open_nursery() as nursery:
                for number in range(CLIENTS):
                    nursery.start_soon(one, requests[number % len(requests)])

    trio.run(all_of_them)


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """Start a separate server. Yields its process and its port."""
    line = [sys.executable, "-m", "servers.chat", "--port", "0", "--itl", "0.05", "--ttft", "0"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)", process.stdout.readline())
        assert found is not None
        yield process.pid, int(found[1])
    finally:
        process.terminate()
        process.wait()


async def measure(pid: int, port: int, names: Sequence[str]) -> tuple[float, float, float]:
    """Return the longest gap and the slowest `/health` in ms, and the server's memory in MB."""
    gaps: list[float] = [0.0]
    asked: list[float] = [0.0]

    async def listen() -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(SLOW)
            await stream.receive_some()
            last = time.perf_counter()
            while await stream.receive_some():
                now = time.perf_counter()
                gaps.append(now - last)
                last = now

    async def ask() -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            while True:
                start = time.perf_counter()
                await stream.send_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await stream.receive_some()
                asked.append(time.perf_counter() - start)
                await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        for _ in range(STREAMS):
            nursery.start_soon(listen)
        nursery.start_soon(ask)
        await trio.sleep(0.5)
        gaps.clear()
        asked.clear()
        if names:
            line = [sys.executable, "-m", __spec__.name, "--attack", str(port), *names]
            await trio.run_process(line)
        else:
            await trio.sleep(SECONDS)
        nursery.cancel_scope.cancel()
    return max(gaps) * 1000, max(asked) * 1000, _memory(pid)


def _memory(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fairness")
    parser.add_argument("names", nargs="*", metavar="NAME", help="attacks (default: all of them)")
    parser.add_argument("--attack", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.attack:
        attack(options.attack, options.names)
        return 0
    names = options.names or [*ATTACKS]
    if unknown := [name for name in names if name not in ATTACKS]:
        parser.error(f"no attack {unknown[0]!r}: the attacks are {', '.join(ATTACKS)}")
    print(f"load {os.getloadavg()[0]:.1f}; the longest in ms, memory in MB")
    print(f"{'attack':24}{'gap':>8}{'/health':>9}{'memory':>9}", flush=True)
    for title, chosen in {"none": [], **{n: [n] for n in names}, "all together": names}.items():
        with served() as (pid, port):
            gap, health, memory = trio.run(measure, pid, port, chosen)
        print(f"{title:24}{gap:8.0f}{health:9.0f}{memory:9.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
