"""Our netcat as a program: pipes, Ctrl-C, and a socket of the test as its peer."""

import signal
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
import trio

from clients.http.client import request
from clients.nc import main

from ..conftest import Process, Start, line_of, outputs
from ..ports import free_port

SECONDS = 20
NC = ("-m", "clients.nc")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.settimeout(SECONDS)
        yield sock


def start_nc(start: Start, listener: socket.socket, *flags: str) -> tuple[Process, socket.socket]:
    """Start nc as a client. Returns it, and the other end of its connection."""
    host, port = listener.getsockname()
    process = start(*NC, *flags, host, str(port))
    peer, _ = listener.accept()
    peer.settimeout(SECONDS)
    return process, peer


def send(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)


def end_input(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None  # else `communicate` would use it


def receive(peer: socket.socket, size: int) -> bytes:
    """Receive exactly so many bytes, or fewer if the end comes first."""
    data = b""
    while len(data) < size and (more := peer.recv(size - len(data))):
        data += more
    return data


def read(process: Process, size: int) -> bytes:
    assert process.stdout is not None
    data = b""
    while len(data) < size and (more := process.stdout.read(size - len(data))):
        data += more
    return data


def test_pipe(start: Start, listener: socket.socket) -> None:
    """Bytes pass both ways unchanged. When the peer closes, it exits with 0."""
    process, peer = start_nc(start, listener)
    with peer:
        send(process, b"GET /\n\r\0\xff")
        assert receive(peer, 9) == b"GET /\n\r\0\xff"
        peer.sendall(b"answer\r\n\0\xfe")
        assert read(process, 10) == b"answer\r\n\0\xfe"
    assert process.wait(SECONDS) == 0  # though its input is still open
    assert outputs(process) == (0, "", "")


def test_the_end_of_input_sends_no_fin(start: Start, listener: socket.socket) -> None:
    """Like OpenBSD's it goes on printing. A FIN would look like a disconnect to some servers."""
    process, peer = start_nc(start, listener)
    with peer:
        send(process, b"ask")
        end_input(process)
        assert receive(peer, 3) == b"ask"
        peer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        peer.sendall(b"answer")
    assert outputs(process) == (0, "answer", "")


@pytest.mark.parametrize("flag", ["-N", "--half-close"])
def test_half_close(flag: str, start: Start, listener: socket.socket) -> None:
    """FIN at the end of the input; the answer is still received."""
    process, peer = start_nc(start, listener, flag)
    with peer:
        send(process, b"ask")
        end_input(process)
        assert receive(peer, 100) == b"ask"
        peer.sendall(b"answer")
    assert outputs(process) == (0, "answer", "")


CRLF = {
    "Enter": ([b"a\n", b"\n"], [b"a\r\n", b"\r\n"]),
    "two lines in a read": ([b"a\nb\n"], [b"a\r\nb\r\n"]),
    "CR LF stays": ([b"a\r\nb\r\n\r\n"], [b"a\r\nb\r\n\r\n"]),
    "CR LF cut between two reads": ([b"a\r", b"\nb"], [b"a\r", b"\nb"]),
    "cut, then an empty line": ([b"a\r", b"\n\n"], [b"a\r", b"\n\r\n"]),
    "cut, then CR LF": ([b"a\r", b"\n\r\n"], [b"a\r", b"\n\r\n"]),
    "CR alone": ([b"a\rb\n", b"\r", b"c\n"], [b"a\rb\r\n", b"\r", b"c\r\n"]),
    "LF after a read that ended in LF": ([b"a\n", b"\nb"], [b"a\r\n", b"\r\nb"]),
}


@pytest.mark.parametrize(("typed", "sent"), CRLF.values(), ids=CRLF)
def test_crlf(
    typed: list[bytes], sent: list[bytes], monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    """`-C`: each LF is sent as CR LF (RFC 9112 §2.2), however the input was cut."""
    reads = iter([*typed, b""])
    monkeypatch.setattr("clients.nc._read_input", lambda: next(reads))
    host, port = listener.getsockname()
    received = []

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            received.append(receive(peer, 100))

    server = threading.Thread(target=serve)
    server.start()
    assert main(["-C", "-N", host, str(port)]) == 0
    server.join(SECONDS)
    assert received == [b"".join(sent)]


def test_crlf_as_typed(start: Start, listener: socket.socket) -> None:
    """Each line is sent at once: a person types a request line by line."""
    process, peer = start_nc(start, listener, "-C")
    with peer:
        for line in (b"GET / HTTP/1.1", b"Host: a", b""):
            send(process, line + b"\n")
            assert receive(peer, len(line) + 2) == line + b"\r\n"


def test_a_megabyte_both_ways(start: Start, listener: socket.socket) -> None:
    """Through buffers that are smaller."""
    process, peer = start_nc(start, listener, "-N")
    much = bytes(range(256)) * 4096

    def echo() -> None:
        with peer:
            while data := peer.recv(10_000):
                peer.sendall(data)

    server = threading.Thread(target=echo)
    server.start()
    out, error = process.communicate(much, timeout=SECONDS)
    server.join(SECONDS)
    assert (process.returncode, error) == (0, b"")
    assert out == much


def start_listener(start: Start, *flags: str) -> tuple[Process, int]:
    """Start nc as a server. Returns it, and its port."""
    process = start(*NC, "-l", *flags, "127.0.0.1", "0")
    line = line_of(process.stderr)
    assert line.startswith("listening on 127.0.0.1 port ")
    return process, int(line.split()[-1])


def test_listen(start: Start) -> None:
    """It serves one client. The end of its input sends a FIN and ends it."""
    process, port = start_listener(start)
    with socket.create_connection(("127.0.0.1", port), SECONDS) as client:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)  # a FIN: the answer is still to come
        assert read(process, 8) == b"question"
        send(process, b"answer")
        assert receive(client, 6) == b"answer"
        end_input(process)
        assert receive(client, 1) == b""
    assert outputs(process) == (0, "", "")


def test_listen_serves_a_real_client(start: Start) -> None:
    """The response is typed on its standard input."""
    process, port = start_listener(start, "-C")
    send(process, b"HTTP/1.1 200 OK\nContent-Length: 3\n\nhi\n")

    async def fetch() -> bytes:
        with trio.fail_after(SECONDS):
            async with request("GET", f"http://127.0.0.1:{port}/a") as response:
                return await response.read()

    assert trio.run(fetch) == b"hi\r"
    code, asked, _ = outputs(process)
    assert code == 0
    assert asked == f"GET /a HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"


def test_listen_ends_a_body_with_its_fin(start: Start) -> None:
    """The client waits for the end of the connection, which comes at the end of the input."""
    process, port = start_listener(start, "-C")
    send(process, b"HTTP/1.0 200 OK\n\nhi\n")
    end_input(process)

    async def fetch() -> bytes:
        with trio.fail_after(SECONDS):
            async with request("GET", f"http://127.0.0.1:{port}/") as response:
                return await response.read()

    assert trio.run(fetch) == b"hi\r\n"
    assert outputs(process)[0] == 0


def test_listen_on_a_busy_port(start: Start, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    code, out, error = outputs(start(*NC, "-l", "127.0.0.1", str(port)))
    assert (code, out) == (1, "")
    assert error.startswith(f"nc: 127.0.0.1 port {port}: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-host.invalid"])
def test_no_connection(host: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and one line that names the host and the port."""
    port = free_port()
    assert main([host, str(port)]) == 1
    out, error = capfd.readouterr()
    assert out == ""
    assert error.startswith(f"nc: {host} port {port}: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("port", ["65536", "-1", "http", ""])
def test_bad_port(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["localhost", port])
    assert ended.value.code == 2
    assert "usage: workshop nc" in capsys.readouterr().err


def test_peer_resets(start: Start, listener: socket.socket) -> None:
    """It prints what came, and then the reason of the end."""
    process, peer = start_nc(start, listener)
    peer.sendall(b"half")
    assert read(process, 4) == b"half"
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    code, out, error = outputs(process)
    assert (code, out) == (0, "")
    assert error.startswith("nc: the connection is broken: ")
    assert error.count("\n") == 1


def test_peer_closes_while_we_still_send(start: Start, listener: socket.socket) -> None:
    """It prints what came, and no error: our broken pipe only repeats that the peer closed."""
    process, peer = start_nc(start, listener)
    with peer:
        peer.sendall(b"enough")
    assert outputs(process) == (0, "enough", "")


def test_the_reader_of_our_output_closes(start: Start, listener: socket.socket) -> None:
    """`workshop nc … | head -1` ends without an error."""
    process, peer = start_nc(start, listener)
    with peer:
        peer.sendall(b"first\n")
        assert line_of(process.stdout) == "first\n"
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        peer.sendall(b"second\n")
        assert receive(peer, 1) == b""
    assert process.wait(SECONDS) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_ctrl_c(start: Start, listener: socket.socket) -> None:
    """130, as a shell reports it, and no traceback."""
    process, peer = start_nc(start, listener)
    with peer:
        peer.sendall(b"x")
        assert read(process, 1) == b"x"
        process.send_signal(signal.SIGINT)
        assert receive(peer, 1) == b""
    assert outputs(process) == (130, "", "")


def test_ctrl_c_while_listening(start: Start) -> None:
    process, _ = start_listener(start)
    process.send_signal(signal.SIGINT)
    assert outputs(process) == (130, "", "")
