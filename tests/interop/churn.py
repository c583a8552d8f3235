"""For one minute, replicas stop and restart under long streams, behind our HAProxy and nginx
configurations.

    python -m tests.interop.churn

    haproxy: 41 whole, 38 broken visibly, 0 wrong; refused: 3 × 502 at 6 kills

This file runs in real time, so it is not a test. `test_balancers.py` tests the same without real
time.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import msgspec

from .peers import ROOT, free_port, listens, wait_until
from .test_balancers import BALANCERS, balancing

SECONDS = 60
READERS = 40
TOKENS = 600  # tokens of 0.05 s each: a stream of 30 s
DOWN, UP = 4.0, 6.0  # seconds for which one replica is down, and then both are up

REQUEST = {
    "model": "lorem",
    "messages": [{"role": "user", "content": "a long answer"}],
    "max_tokens": TOKENS,
    "stream": True,
}


def start(port: int, itl: str) -> subprocess.Popen[bytes]:
    flags = ["--port", str(port), "--quiet", "--ttft", "0", "--itl", itl]
    process = subprocess.Popen(
        [sys.executable, "-m", "servers.chat", *flags], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    wait_until(process, lambda: listens(port))
    return process


def read(port: int) -> tuple[str, str]:
    """Read one stream. Returns its end ("done", "broken" or a status) and its text."""
    text = ""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    try:
        with httpx.stream("POST", url, json=REQUEST, timeout=30) as response:
            if response.status_code != 200:
                return str(response.status_code), ""
            for line in response.iter_lines():
                if line == "data: [DONE]":
                    return "done", text
                if line.startswith("data: "):
                    (choice,) = msgspec.json.decode(line[6:])["choices"]
                    text += choice["delta"].get("content") or ""
    except httpx.TransportError:
        return "broken", text
    return "clean but short", text


def churn(name: str) -> str:
    ports = [free_port(), free_port()]
    replicas = [start(port, "0.05") for port in ports]
    quick = start(free_port_of := free_port(), "0")
    whole = read(free_port_of)[1]
    quick.kill()
    ends: Counter[str] = Counter()
    wrong = kills = 0
    over = threading.Event()
    with tempfile.TemporaryDirectory() as folder, balancing(name, Path(folder), ports) as front:

        def reader() -> None:
            nonlocal wrong
            while not over.is_set():
                end, text = read(front.port)
                ends[end] += 1
                wrong += not (whole.startswith(text) and (end != "done" or text == whole))
                over.wait(0.2)

        readers = [threading.Thread(target=reader) for _ in range(READERS)]
        for thread in readers:
            thread.start()
        begin = time.monotonic()
        while time.monotonic() < begin + SECONDS:
            over.wait(UP)
            victim = kills % 2
            replicas[victim].kill()
            replicas[victim].wait()
            kills += 1
            over.wait(DOWN)
            replicas[victim] = start(ports[victim], "0.05")
        over.set()
        for thread in readers:
            thread.join()
    for replica in replicas:
        replica.kill()
    return f"{name}: {dict(ends)}, {wrong} wrong texts; {kills} kills"


if __name__ == "__main__":
    for name in BALANCERS:
        print(churn(name), flush=True)
