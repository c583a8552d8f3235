"""If a client disconnects before the end of the answer, the model stops at once, as on a real
server. If a client's FIN only ends its request, the client gets the complete answer."""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from urllib.request import urlopen

import openai
import pytest

from ..saying import answer
from .peers import SAFETY, Answer, need, running, shell

BODY = '{"model":"sim-1","messages":[{"role":"user","content":"hi"}]}'


def curl_gives_up(url: str) -> None:
    need("curl", "curl")
    line = ["curl", "-sS", "--max-time", "1", "--json", BODY, f"{url}/v1/chat/completions"]
    done = subprocess.run(line, capture_output=True, timeout=SAFETY)
    assert done.returncode == 28, done.stderr  # its own time-out


def openai_gives_up(url: str) -> None:
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=1) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(
            model="sim-1", messages=[{"role": "user", "content": "hi"}]
        )


def metric(url: str, pattern: str) -> float:
    with urlopen(f"{url}/metrics", timeout=SAFETY) as reply:
        found = re.search(rf"^{pattern} (\S+)$", reply.read().decode(), re.MULTILINE)
    return float(found[1]) if found else 0


@pytest.mark.parametrize("give_up", [curl_gives_up, openai_gives_up])
def test_the_model_stops(give_up: Callable[[str], None]) -> None:
    """Each client waits one second, and its FIN may be a quarter of a second late; the answer would
    take an hour."""
    with running("servers.chat", "--ttft", "3600") as server:
        give_up(server.url)
        deadline = time.monotonic() + SAFETY
        while metric(server.url, "workshop_active_streams") and time.monotonic() < deadline:
            pass  # poll the metrics, because nothing reports the end
        assert metric(server.url, "workshop_active_streams") == 0
        ended = r'workshop_requests_total\{reason="cancelled",route="POST /v1/chat/completions"\}'
        assert metric(server.url, ended) == 1


@pytest.mark.parametrize("fields", ["", r"Connection: close\r\n"], ids=["kept", "close"])
def test_a_pipe_gets_its_answer(fields: str) -> None:
    """The FIN comes with the request, long before the answer."""
    ncat = need("ncat", "ncat")
    request = (
        rf"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{fields}"
        rf"Content-Length: {len(BODY)}\r\n\r\n"
    )
    with running("servers.chat", "--ttft", "0.8", "--itl", "0") as server:
        line = f"printf '{request}%s' {shlex.quote(BODY)} | {ncat} 127.0.0.1 {server.port}"
        reply = Answer.of(shell(line))
    assert reply.status == 200
    message = json.loads(b"".join(reply.pieces))["choices"][0]["message"]
    assert message["content"] == "".join(answer("hi").text)
