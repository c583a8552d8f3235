"""A real HTTP proxy: tinyproxy opens a tunnel, and cannot read what passes through it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.http.client import request
from clients.http.errors import ProxyError

from ..clients.http.test_https import serving
from ..clients.streams.tls_peers import CA
from .peers import free_port, listens, need, wait_until


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run tinyproxy, with HTTPS_PROXY set. Yields its log."""
    program = need("tinyproxy", "tinyproxy")
    port = free_port()
    log = tmp_path / "log"
    config = tmp_path / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", "Allow 127.0.0.1", f'LogFile "{log}"']
    config.write_text("\n".join([*lines, "LogLevel Connect", "Timeout 600", ""]))
    with subprocess.Popen([program, "-d", "-c", str(config)], stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(process, lambda: listens(port))
            monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
            monkeypatch.delenv("https_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            monkeypatch.delenv("no_proxy", raising=False)
            yield log
        finally:
            process.kill()


async def test_a_request_through_it(log: Path, tmp_path: Path) -> None:
    """The server gets the same request as without the proxy. The proxy sees only the host."""
    ca_file = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(ca_file))
    async with (
        serving() as server,
        request("GET", server.url + "secret", ca_file=str(ca_file)) as response,
    ):
        assert await response.read() == b"ok"
    assert server.requests[0][0].startswith(b"GET /secret HTTP/1.1\r\nHost: localhost:")
    logged = log.read_text()  # noqa: ASYNC240
    assert f"localhost:{server.port}" in logged
    assert "secret" not in logged


@pytest.mark.usefixtures("log")
async def test_a_host_that_it_cannot_reach() -> None:
    with pytest.raises(ProxyError, match=r"opened no tunnel to localhost:\d+: status 50"):
        async with request("GET", f"https://localhost:{free_port()}/"):
            pass
