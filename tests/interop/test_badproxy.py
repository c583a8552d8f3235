"""The bad proxy with curl and nginx: tokens shown at once, missing fields, truncated bodies."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers import chat
from servers.llm.pace import Pace
from workshop.runner.exercises import load

from .held import Held, hold
from .peers import (
    ROOT,
    SAFETY,
    Address,
    end,
    free_port,
    listens,
    need,
    read_until,
    running,
    shell,
    started,
    wait_until,
)

MODES_THAT_STREAM = ["none", "strip-no-transform,gzip", "split-utf8", "http10"]


@pytest.mark.parametrize("mode", MODES_THAT_STREAM)
def test_each_token_before_the_next_exists(mode: str) -> None:
    """The upstream sends each token only after curl has shown the previous one."""
    need("curl", "curl")
    with (
        hold(chat.routes(Pace(0, 0))) as held,
        running("servers.badproxy", "--to", held.url, "--mode", mode) as hop,
    ):
        each_token_before_the_next(held, hop)


def each_token_before_the_next(held: Held, front: Address) -> None:
    curl = f"exec curl -sgN --compressed --max-time {SAFETY}"
    with started(f"{curl} '{front.url}/chat/a,你,b?model=echo'") as (_, output):
        for token in ("a", ",", "你", ",", "b"):
            held.release()
            read_until(output, f'data: {{"text":"{token}"}}\n\n'.encode())
        held.release()
        read_until(output, b'data: {"finish_reason":"stop"}\n\n')


@pytest.fixture(scope="module")
def chunked() -> Iterator[Address]:
    with running("servers.chunked", "--itl", "0") as server:
        yield server


# curl's exit code: 0 for a complete body, 18 for "transfer closed with outstanding read data".
ENDS = {"none": 0, "truncate=30": 18, "buffer,truncate=30": 18, "http10,truncate=30": 0}
ENDS |= {"measure": 0, "measure,truncate=30": 18, "lag=1,coalesce=1": 0}


@pytest.mark.parametrize("mode", ENDS)
def test_exit_code_of_curl(mode: str, chunked: Address) -> None:
    need("curl", "curl")
    with running("servers.badproxy", "--to", chunked.url, "--mode", mode) as hop:
        output = shell(f"curl -sN {hop.url}; echo ' and' $?")
    text, _, code = output.decode(errors="replace").rpartition(" and ")
    assert int(code) == ENDS[mode]
    assert (len(text.encode()) == 30) == ("truncate" in mode)


# ---- nginx, as lesson 9 runs it


@contextmanager
def nginx_with_upstream(upstream: Address, folder: Path, settings: str = "") -> Iterator[Address]:
    program = need("nginx", "nginx-light", "/usr/sbin/nginx")
    lesson = load(ROOT / "workshop/09_proxies_and_buffering/__main__.py")
    front = Address(free_port())
    url = f"http://127.0.0.1:{upstream.port}"
    server = lesson.SERVER.format(own=front.port, upstream=url, settings=settings)
    (folder / "nginx.conf").write_text(lesson.NGINX.format(servers=server), encoding="utf-8")
    command = [program, "-e", "stderr", "-p", str(folder), "-c", "nginx.conf"]
    with subprocess.Popen(command) as process:
        try:
            wait_until(process, lambda: listens(front.port))
            yield front
        finally:
            end(process)


def test_nginx_streams_if_the_response_asks_for_it(tmp_path: Path) -> None:
    """With default settings, the field X-Accel-Buffering is enough."""
    need("curl", "curl")
    with hold(chat.routes(Pace(0, 0))) as held, nginx_with_upstream(held, tmp_path) as front:
        each_token_before_the_next(held, front)


def test_nginx_streams_if_its_configuration_says_so(tmp_path: Path) -> None:
    """Without the field, `proxy_buffering off` does the same."""
    need("curl", "curl")
    with (
        hold(chat.routes(Pace(0, 0))) as held,
        running("servers.badproxy", "--to", held.url, "--mode", "strip-accel") as hop,
        nginx_with_upstream(hop, tmp_path, "proxy_buffering off;") as front,
    ):
        each_token_before_the_next(held, front)


@pytest.mark.parametrize(
    ("settings", "passed"), [("", False), ("proxy_pass_header X-Accel-Buffering;", True)]
)
def test_nginx_drops_the_field(settings: str, passed: bool, tmp_path: Path) -> None:
    need("curl", "curl")
    with (
        running("servers.sse", "--itl", "0") as server,
        nginx_with_upstream(server, tmp_path, settings) as front,
    ):
        head = shell(f"curl -sI {front.url}")
    assert (b"\r\nx-accel-buffering: no\r\n" in head.lower()) == passed


@pytest.mark.parametrize(("version", "code"), [("1.0", 0), ("1.1", 18)])
def test_nginx_speaks_http10_and_does_not_notice_truncation(
    version: str, code: int, chunked: Address, tmp_path: Path
) -> None:
    need("curl", "curl")
    with (
        running("servers.badproxy", "--to", chunked.url, "--mode", "truncate=30") as hop,
        nginx_with_upstream(hop, tmp_path, f"proxy_http_version {version};") as front,
    ):
        ended = shell(f"curl -sN {front.url}; echo ' and' $?")
    assert ended.endswith(b" and %d\n" % code)
