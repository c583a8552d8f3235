"""Clients of the OpenAI API under Node: `openai`, and Vercel's SDK `ai` with both of its providers.
`node_clients.mjs` sends the requests and prints the results; one process does so for all tests."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from servers.llm.model.models import MODEL

from .held import Held
from .peers import ROOT, SAFETY, RunningServer, need, read_until, running, unavailable
from .simulated import answers, called, calls, text

INSTALL = "xargs npm install --prefix . --no-save --no-package-lock < .ci/node.txt"
PACKAGES = ["openai", "ai", "@ai-sdk/openai", "@ai-sdk/openai-compatible"]

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
HELLO = "你好 👋🏽"
RESULT = "rain ☔"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--ttft", "0", "--itl", "0") as server:
        yield server


class Clients:
    """The clients, in a Node process that loads each package once."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self.process = process
        self._errors = errors

    def ask(self, name: str, url: str, **more: Any) -> None:
        """Let the client NAME send its request."""
        asked = {
            "client": name,
            "url": f"{url}/v1",
            "model": MODEL,
            "prompt": HELLO,
            "tool": {"name": "weather", "parameters": PARAMETERS, "result": RESULT},
            "schema": PARAMETERS,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked | more).encode() + b"\n")
        self.process.stdin.flush()

    def told(self) -> Any:
        """The client's result, from its JSON, if Node wrote nothing to stderr meanwhile."""
        assert self.process.stdout is not None
        line = read_until(self.process.stdout, b"\n")
        complaints = self.complaints()
        assert complaints == "", complaints
        return json.loads(line)

    def result(self, name: str, url: str, **more: Any) -> Any:
        self.ask(name, url, **more)
        return self.told()

    def complaints(self) -> str:
        """What Node has written to stderr since this was called last."""
        return self._errors.read().decode()


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    node = need("node", "nodejs")
    if missing := [each for each in PACKAGES if not (ROOT / "node_modules" / each).is_dir()]:
        unavailable(f"{', '.join(missing)} missing in node_modules: {INSTALL}")
    command = [node, str(Path(__file__).with_name("node_clients.mjs"))]
    pipe = subprocess.PIPE
    stderr = tmp_path_factory.mktemp("node") / "stderr"
    with (
        stderr.open("wb") as written,
        stderr.open("rb") as read,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=written) as process,
    ):
        clients = Clients(process, read)
        try:
            yield clients
            rest, _ = process.communicate(timeout=SAFETY)
            assert (process.returncode, rest, clients.complaints()) == (0, b"", "")
        finally:
            process.kill()


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": HELLO}, *messages], **more}


CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
RESPONSES_TOOL = {"type": "function", "name": "weather", "parameters": PARAMETERS}
CHAT_FORMAT = {"type": "json_schema", "json_schema": {"name": "wanted", "schema": PARAMETERS}}


def test_install_line() -> None:
    """CI installs the packages that a skipped test names."""
    assert INSTALL in (ROOT / ".ci" / "machine").read_text("utf-8")


@pytest.mark.parametrize("name", ["openaiStream", "aiText", "aiResponses"])
def test_stream(clients: Clients, server: RunningServer, name: str) -> None:
    """Every token is one delta. First comes the thinking, then the text, then the usage."""
    (said,) = answers(chat())
    assert clients.result(name, server.url) == {
        "thoughts": list(said.thinking),
        "texts": list(said.text),
        "finish": "stop",
        "tokens": said.completion_tokens,
    }


@pytest.mark.parametrize("name", ["aiWhole", "aiResponsesWhole"])
def test_not_streamed(clients: Clients, server: RunningServer, name: str) -> None:
    (said,) = answers(chat())
    assert clients.result(name, server.url) == {
        "thinking": "".join(said.thinking),
        "text": text(said),
        "finish": "stop",
        "tokens": said.completion_tokens,
    }


@pytest.mark.parametrize(
    ("name", "end"), [("openaiHelper", {}), ("openaiResponses", {"status": "completed"})]
)
def test_helper(clients: Clients, server: RunningServer, name: str, end: dict[str, str]) -> None:
    """`.stream()` puts the answer together from its events."""
    (said,) = answers(chat())
    assert clients.result(name, server.url) == {"texts": list(said.text), "text": text(said), **end}


@pytest.mark.parametrize("stream", [True, False])
def test_run_tools(clients: Clients, server: RunningServer, stream: bool) -> None:
    """The runner calls the function that the model asks for, and reads the answer to its result."""
    (asked,) = answers(chat(tools=[CHAT_TOOL]))
    ((_, arguments),) = calls(asked)
    (said,) = answers(chat(*called(RESULT), tools=[CHAT_TOOL]))
    assert clients.result("openaiTools", server.url, stream=stream) == {
        "called": [json.loads(arguments)],
        "text": text(said),
    }


@pytest.mark.parametrize("name", ["aiTools", "aiResponsesTools"])
def test_tools_in_two_steps(clients: Clients, server: RunningServer, name: str) -> None:
    """`streamText` does all steps in one stream: the call, the call's result, and the text."""
    request = chat(tools=[CHAT_TOOL])
    (asked,) = answers(request)
    (said,) = answers(chat(*called(RESULT), tools=[CHAT_TOOL]))
    ((_, arguments),) = calls(asked)
    assert clients.result(name, server.url) == {
        "thoughts": [*asked.thinking, *said.thinking],
        "called": [json.loads(arguments)],
        "texts": list(said.text),
        "finish": "stop",
        "tokens": asked.completion_tokens + said.completion_tokens,
    }


@pytest.mark.parametrize("name", ["openaiObject", "aiObject", "aiResponsesObject"])
def test_object(clients: Clients, server: RunningServer, name: str) -> None:
    """The client gets an object that fits the schema. While the object streams, the client sees the
    part that has arrived."""
    (said,) = answers(chat(response_format=CHAT_FORMAT))
    found = clients.result(name, server.url)
    assert found["object"] == json.loads(text(said))
    assert found.get("partials", 2) > 1


def test_abort_ends_the_handler(clients: Clients, held: Held) -> None:
    """The client aborts after two chunks. Two writes later the server has stopped the model,
    although the client's process still runs."""
    (said,) = answers(chat())
    clients.ask("openaiAbort", held.url)
    held.release()  # the role with the first token
    assert clients.told() == {"texts": ["assistant", *said.thinking[:1]]}
    held.release(2)
    assert held.wait_until_ended() <= 3
    assert clients.process.poll() is None
