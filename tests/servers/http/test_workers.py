"""Several processes on one port: started, replaced, stopped, and counted as one server."""

import argparse
import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest

from servers.http.server import PortBusyError
from servers.http.workers import MAX_WORKERS, listen_for_workers, worker_count
from tests.conftest import Process, Start, line_of, outputs
from tests.interop.peers import listens
from tests.servers.test_programs import ask, port_of, read_all

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc of Linux")
ABOUT = "2 workers. Each keeps for itself: limits, recordings, verdicts, and faults that count"


def started(start: Start, *flags: str) -> tuple[Process, int]:
    """Start a chat server with two workers. Returns the parent, and the port."""
    process = start("-m", "servers.chat", "--port", "0", "--workers", "2", "--quiet", *flags)
    port = port_of(process, "servers.chat")
    assert line_of(process.stderr).startswith(ABOUT)
    wait_for_workers(port, 2)
    return process, port


def wait_for_workers(port: int, count: int) -> None:
    """Ask for `GET /health` until it reports so many workers."""
    while not read_all(ask(port, b"/health")).endswith(b'{"status":"ok","workers":%d}' % count):
        pass


def workers_of(process: Process) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(word) for word in path.read_text().split()]


@linux
def test_one_server_of_several_processes(start: Start) -> None:
    """Answers are the same from each worker, the numbers are summed, a worker that died is
    replaced, its counts stay, and a running answer ends before the server does."""
    process, port = started(start, "--itl", "0", "--ttft", "0")
    answers = {read_all(ask(port, b"/chat/hi")).partition(b"\r\n\r\n")[2] for _ in range(8)}
    assert len(answers) == 1
    victim = workers_of(process)[0]
    os.kill(victim, signal.SIGKILL)
    assert line_of(process.stderr) in [
        f"worker {number} has died (SIGKILL), and is replaced\n" for number in (0, 1)
    ]
    while len(workers_of(process)) < 2 or victim in workers_of(process):
        pass
    wait_for_workers(port, 2)
    process.send_signal(signal.SIGTERM)
    assert outputs(process) == (0, "", "")
    with pytest.raises(ConnectionRefusedError):
        ask(port, b"/")


@linux
def test_ctrl_c_lets_a_stream_end(start: Start) -> None:
    """A terminal sends SIGINT to the workers too. They leave it to the parent, which passes it once
    as SIGTERM."""
    process, port = started(start, "--itl", "0.02", "--grace", "60")
    client = ask(port, b"/")
    begun = client.recv(65536)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert line_of(process.stderr) == "stopping: 1 still connected (again: at once)\n"
    assert (begun + read_all(client)).endswith(b"\r\n0\r\n\r\n")
    assert outputs(process) == (0, "", "")


@linux
def test_workers_end_when_their_parent_was_killed(start: Start) -> None:
    process, port = started(start)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL
    assert process.stderr is not None
    assert process.stderr.read() == b""  # the end: no worker holds the pipe any more
    while listens(port):
        pass  # a process that ends closes its files one after the other


def test_a_busy_port_is_not_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(PortBusyError):
            listen_for_workers("127.0.0.1", other.getsockname()[1], 2)


@pytest.mark.parametrize(("platform", "different"), [("linux", 3), ("darwin", 1)])
def test_sockets(platform: str, different: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Linux each worker has its own. All have the same port."""
    if platform != sys.platform == "darwin":
        pytest.skip("only Linux spreads connections")
    monkeypatch.setattr(sys, "platform", platform)
    all_sockets = listen_for_workers("127.0.0.1", 0, 3)
    assert len({id(sockets) for sockets in all_sockets}) == different
    assert len({sock.getsockname() for sockets in all_sockets for sock in sockets}) == 1
    for sockets in all_sockets:
        for sock in sockets:
            sock.close()


def test_worker_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [worker_count(text) for text in ("1", "2", "64")] == [1, 2, 64]
    assert 1 <= worker_count("auto") <= MAX_WORKERS
    for text in ("0", "65", "-1", "two", "", "²"):
        with pytest.raises(argparse.ArgumentTypeError, match=re.escape(f", or auto: {text}")):
            worker_count(text)
    monkeypatch.delattr(os, "fork", raising=False)
    assert (worker_count("auto"), worker_count("1")) == (1, 1)
    with pytest.raises(argparse.ArgumentTypeError, match="cannot fork"):
        worker_count("2")
