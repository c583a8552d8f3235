"""The official client through the proxy: the same answers, and every fault is noticed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import openai
import pytest

from servers.llm.faults import FAULTS

from ..saying import answer
from .peers import ROOT, SAFETY, Address, RunningServer, read_until, running

# These never end by themselves: without the proxy the client would wait for ever.
ENDLESS = {"hang", "stall-heartbeat", "drip"}
# This fault does not end by itself either, but it comes after the whole answer. The proxy ends the
# body.
LEFT_OPEN = "open-after-finish"

# Before this version the client waited for the end of the body after [DONE]. The proxy ends it.
WAITS_FOR_THE_END = int(openai.__version__.split(".")[0]) < 3


@contextmanager
def proxy_of(server: Address, *flags: str) -> Iterator[str]:
    """Run `python -m servers.openai_proxy` with the simulated LLM as upstream. Yields its URL."""
    command = [sys.executable, "-m", "servers.openai_proxy", "--port", "0", "--quiet"]
    command += ["--base-url", f"{server.url}/v1", *flags]
    environment = {name: value for name, value in os.environ.items() if "OPENAI" not in name}
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors
        ) as process:
            assert process.stdout is not None
            try:
                line = read_until(process.stdout, b"\n").decode()
                yield line.split()[-1] + "v1"
            finally:
                process.kill()
        errors.seek(0)
        assert b"Traceback" not in errors.read()


def client_of(base_url: str) -> openai.OpenAI:
    """A new connection for each request: some faults spoil the next one."""
    return openai.OpenAI(
        base_url=base_url,
        api_key="any",
        max_retries=0,
        timeout=SAFETY,
        default_headers={"Connection": "close"},
    )


def ask(client: openai.OpenAI, model: str, stream: bool = True) -> tuple[str, str]:
    """Returns what the client got, and the name of the exception that ended it, or ""."""
    said = ""
    try:
        create = client.chat.completions.create
        if not stream:
            whole = create(model=model, messages=[{"role": "user", "content": "hi"}])
            return whole.choices[0].message.content or "", ""
        for chunk in create(model=model, messages=[{"role": "user", "content": "hi"}], stream=True):
            for choice in getattr(chunk, "choices", None) or ():
                said += choice.delta.content or ""
    except Exception as error:
        return said, type(error).__name__
    return said, ""


@pytest.fixture(scope="module")
def simulated() -> Iterator[RunningServer]:
    with running("servers.chat", "--profile", "instant") as server:
        yield server


@pytest.fixture(scope="module")
def proxy(simulated: RunningServer) -> Iterator[str]:
    flags = ["--first-event-timeout", "2", "--idle-timeout", "2"]
    with proxy_of(simulated, *flags) as url:
        yield url


def test_answers_are_the_same(proxy: str) -> None:
    expected = "".join(answer("hi").text)
    with client_of(proxy) as client:
        assert ask(client, "sim-1") == (expected, "")
        assert ask(client, "sim-1", stream=False) == (expected, "")
        assert [model.id for model in client.models.list()][:2] == ["sim-1", "echo"]
        assert client.models.retrieve("echo").id == "echo"
        response = client.responses.create(model="echo", input="Hi 你好")
        assert response.output_text == "Hi 你好"
        with client.responses.stream(model="echo", input="Hi 你好") as stream:
            assert stream.get_final_response().output_text == "Hi 你好"


def test_no_fault_becomes_a_success(simulated: RunningServer, proxy: str) -> None:
    """Each causes an error, or the same data as without the proxy."""
    with (
        client_of(proxy) as before,
        client_of(f"{simulated.url}/v1") as behind,
        ThreadPoolExecutor(len(FAULTS)) as pool,
    ):
        asked = pool.map(lambda name: ask(before, f"fault-{name}"), FAULTS)
        through = dict(zip(FAULTS, asked, strict=True))
        whole = {name for name, (_, error) in through.items() if not error}
        assert not whole & ENDLESS, "through the proxy they ended as if they were whole"
        assert through[LEFT_OPEN] == through["no-done"]
        whole.remove(LEFT_OPEN)
        if WAITS_FOR_THE_END:
            whole.remove("open-after-done")
        asked = pool.map(lambda name: ask(behind, f"fault-{name}"), whole)
        assert dict(zip(whole, asked, strict=True)) == {name: through[name] for name in whole}
    for name in ("fin", "rst", "bad-chunk-size", "half-chunk", "stall", *ENDLESS):
        assert through[name][1], name
