"""The servers as programs: the behaviour that scripts, shells and people at a terminal rely on."""

import argparse
import re
import signal
import socket
from collections.abc import Callable

import pytest

from servers.http.command import base_url
from servers.openai_proxy.__main__ import base_url as api_behind

from ..conftest import Process, Start, line_of, outputs

SECONDS = 20
ADDRESS = re.compile(r"(servers\.\w+) listens on http://(\S+):(\d+)/\n")
REQUEST = b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def port_of(process: Process, name: str) -> int:
    """The port in the first line, which the server writes when it is ready."""
    line = line_of(process.stdout)
    match = ADDRESS.fullmatch(line)
    assert match, line
    assert match[1] == name
    return int(match[3])


def ask(port: int, path: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), SECONDS)
    client.sendall(REQUEST % path)
    return client


def read_all(client: socket.socket) -> bytes:
    with client:
        received = bytearray()
        while data := client.recv(65536):
            received += data
    return bytes(received)


@pytest.mark.parametrize("name", ["servers.chat", "servers.chunked", "servers.sse"])
def test_address_line_then_service(name: str, start: Start) -> None:
    """Standard output gets one line, before anything else; standard error a line per request."""
    process = start("-m", name, "--port", "0", "--itl", "0")
    port = port_of(process, name)
    assert read_all(ask(port, b"/")).endswith(b"\r\n0\r\n\r\n")
    process.send_signal(signal.SIGTERM)
    code, rest, log = outputs(process)
    assert (code, rest) == (0, "")
    assert re.search(r"^\d\d:\d\d:\d\d 200 GET / \d+ pieces, \d+ bytes, done$", log, re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signal_lets_a_stream_end(number: signal.Signals, start: Start) -> None:
    """The running answer ends with its last chunk, and the exit code is 0: no traceback."""
    process = start("-m", "servers.chunked", "--port", "0", "--itl", "0.05")
    port = port_of(process, "servers.chunked")
    client = ask(port, b"/")
    begun = client.recv(65536)
    process.send_signal(number)
    assert line_of(process.stderr) == "stopping: 1 still connected (again: at once)\n"
    received = begun + read_all(client)
    assert received.endswith("4\r\n🌊\r\n1\r\n\n\r\n0\r\n\r\n".encode())
    code, _, log = outputs(process)
    assert code == 0
    assert "Traceback" not in log


def test_a_second_signal_truncates_replies(start: Start) -> None:
    flags = ["--ttft", "3600", "--grace", "3600", "--quiet"]
    process = start("-m", "servers.chat", "--port", "0", *flags)
    client = ask(port_of(process, "servers.chat"), b"/chat/hi")
    assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    process.send_signal(signal.SIGINT)
    assert line_of(process.stderr) == "stopping: 1 still connected (again: at once)\n"
    process.send_signal(signal.SIGINT)
    assert outputs(process) == (0, "", "")  # long before the grace time is over
    assert read_all(client) == b""


def test_a_stop_without_clients_is_silent(start: Start) -> None:
    process = start("-m", "servers.sse", "--port", "0")
    port_of(process, "servers.sse")
    process.send_signal(signal.SIGTERM)
    assert outputs(process) == (0, "", "")


def test_quiet(start: Start) -> None:
    """A request is not logged."""
    process = start("-m", "servers.chunked", "--port", "0", "--itl", "0", "--quiet")
    read_all(ask(port_of(process, "servers.chunked"), b"/whole"))
    process.send_signal(signal.SIGTERM)
    assert outputs(process) == (0, "", "")


def test_one_host(start: Start) -> None:
    """It listens only on the address of `--host`; the URL has an IPv6 address in brackets."""
    process = start("-m", "servers.chunked", "--port", "0", "--host", "127.0.0.1")
    assert line_of(process.stdout).startswith("servers.chunked listens on http://127.0.0.1:")


def test_busy_port(start: Start) -> None:
    """The error is one line, which names the flag."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, error = outputs(start("-m", "servers.chat", "--port", str(port)))
    assert (code, out) == (1, "")
    assert error == f"port {port} is in use: choose another with --port (0 picks a free one)\n"


def test_host_of_another_machine(start: Start) -> None:
    code, out, error = outputs(start("-m", "servers.chat", "--host", "203.0.113.1", "--port", "0"))
    assert (code, out) == (1, "")
    assert error.startswith("cannot listen on 203.0.113.1: ")
    assert error.count("\n") == 1


BAD_FLAGS = {
    ("--port", "65536"): "not a port number (0 to 65535): 65536",
    ("--port", "-1"): "not a port number (0 to 65535): -1",
    ("--port", "８０"): "not a port number (0 to 65535): ８０",
    ("--itl", "nan"): "not a number of seconds (0 to 3600): nan",
    ("--ttft", "-1"): "not a number of seconds (0 to 3600): -1",
    ("--ttft", "soon"): "not a number of seconds (0 to 3600): soon",
    ("--max-batch", "0"): "not a whole number from 1: 0",
    ("--max-batch", "1000000000999"): "not a whole number from 1: 1000000000999",
    ("--queue", "٣"): "not a whole number from 0: ٣",
    ("--ports", "80"): "--ports 80",
}


@pytest.mark.parametrize("flags", BAD_FLAGS)
def test_bad_flags(flags: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the reason, like any program."""
    from servers.chat import main

    with pytest.raises(SystemExit) as ended:
        main(["=".join(flags)] if flags[0] != "--ports" else flags)
    assert ended.value.code == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert BAD_FLAGS[flags] in error


NO_BASE_URLS = ["", "localhost:8000", "ftp://a", "http://", "http:///v1", "http://a:b", "http://["]
NO_BASE_URLS += ["http://a:65536", "http://a:0", "http://a/?q", "http://a/#f", "http://ü"]
NO_BASE_URLS += ["http://me:secret@a", "http://:secret@a"]


@pytest.mark.parametrize("url", NO_BASE_URLS)
@pytest.mark.parametrize("kind", [base_url, api_behind])
def test_bad_base_urls(kind: Callable[[str], str], url: str) -> None:
    """A URL that cannot be used is refused at the start, not at each request. The error does not
    show it, because it may contain a password."""
    with pytest.raises(argparse.ArgumentTypeError) as error:
        kind(url)
    assert str(error.value) == "not a base URL such as http://localhost:8000/v1"


def test_base_urls() -> None:
    for url in ("http://localhost:8000/v1", "https://api.openai.com/v1", "http://[::1]:1"):
        assert base_url(url + "/") == api_behind(url) == url
    assert base_url("http://example.com/") == "http://example.com"
    with pytest.raises(argparse.ArgumentTypeError, match="not https: http:"):
        api_behind("http://example.com/")


def test_help(start: Start) -> None:
    code, out, error = outputs(start("-m", "servers.chat", "--help"))
    assert (code, error) == (0, "")
    assert out.startswith("usage: python -m servers.chat ")
    for default in ("localhost", "8000", "default", "15.0"):
        assert f"(default: {default})" in out


@pytest.mark.parametrize("module", ["servers.chat", "clients.nc"])
def test_missing_package(module: str, start: Start) -> None:
    """Outside the environment, the error shows the line that activates it, and no traceback."""
    code, out, error = outputs(start("-S", "-m", module, "--help"))
    assert (code, out) == (1, "")
    assert error == "h11 is not installed here. Activate it:  . .venv/bin/activate\n"


