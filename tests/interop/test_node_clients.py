"""Clients of the OpenAI API under Node: `openai`, and Vercel's SDK `ai` with both of its providers.
`node_clients.mjs` sends the request and prints the result."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def command(name: str, url: str, **more: Any) -> list[str]:
    """`node node_clients.mjs NAME {…}`."""
    node = need("node", "nodejs")
    if missing := [each for each in PACKAGES if not (ROOT / "node_modules" / each).is_dir()]:
        unavailable(f"{', '.join(missing)} missing in node_modules: {INSTALL}")
    asked = {
        "url": f"{url}/v1",
        "model": MODEL,
        "prompt": HELLO,
        "tool": {"name": "weather", "parameters": PARAMETERS, "result": RESULT},
        "schema": PARAMETERS,
    }
    script = Path(__file__).with_name("node_clients.mjs")
    return [node, str(script), name, json.dumps(asked | more)]


def told(name: str, url: str, **more: Any) -> dict[str, Any]:
    """The result of the client NAME, from its JSON."""
    done = subprocess.run(
        command(name, url, **more), capture_output=True, timeout=SAFETY, encoding="utf-8"
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": HELLO}, *messages], **more}


CHAT_TOOL = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
RESPONSES_TOOL = {"type": "function", "name": "weather", "parameters": PARAMETERS}
CHAT_FORMAT = {"type": "json_schema", "json_schema": {"name": "wanted", "schema": PARAMETERS}}


def test_install_line() -> None:
    """CI installs the packages that a skipped test names."""
    assert INSTALL in (ROOT / ".ci" / "machine").read_text("utf-8")


@pytest.mark.parametrize("name", ["openaiStream", "aiText", "aiResponses"])
def test_stream(server: RunningServer, name: str) -> None:
    """Every token is one delta. First comes the thinking, then the text, then the usage."""
    (said,) = answers(chat())
    assert told(name, server.url) == {
        "thoughts": list(said.thinking),
        "texts": list(said.text),
        "finish": "stop",
        "tokens": said.completion_tokens,
    }


@pytest.mark.parametrize("name", ["aiWhole", "aiResponsesWhole"])
def test_not_streamed(server: RunningServer, name: str) -> None:
    (said,) = answers(chat())
    assert told(name, server.url) == {
        "thinking": "".join(said.thinking),
        "text": text(said),
        "finish": "stop",
        "tokens": said.completion_tokens,
    }


@pytest.mark.parametrize(
    ("name", "end"), [("openaiHelper", {}), ("openaiResponses", {"status": "completed"})]
)
def test_helper(server: RunningServer, name: str, end: dict[str, str]) -> None:
    """`.stream()` puts the answer together from its events."""
    (said,) = answers(chat())
    assert told(name, server.url) == {"texts": list(said.text), "text": text(said), **end}


@pytest.mark.parametrize("stream", [True, False])
def test_run_tools(server: RunningServer, stream: bool) -> None:
    """The runner calls the function that the model asks for, and reads the answer to its result."""
    (asked,) = answers(chat(tools=[CHAT_TOOL]))
    ((_, arguments),) = calls(asked)
    (said,) = answers(chat(*called(RESULT), tools=[CHAT_TOOL]))
    assert told("openaiTools", server.url, stream=stream) == {
        "called": [json.loads(arguments)],
        "text": text(said),
    }


@pytest.mark.parametrize("name", ["aiTools", "aiResponsesTools"])
def test_tools_in_two_steps(server: RunningServer, name: str) -> None:
    """`streamText` does all steps in one stream: the call, the call's result, and the text."""
    request = chat(tools=[CHAT_TOOL])
    (asked,) = answers(request)
    (said,) = answers(chat(*called(RESULT), tools=[CHAT_TOOL]))
    ((_, arguments),) = calls(asked)
    assert told(name, server.url) == {
        "thoughts": [*asked.thinking, *said.thinking],
        "called": [json.loads(arguments)],
        "texts": list(said.text),
        "finish": "stop",
        "tokens": asked.completion_tokens + said.completion_tokens,
    }


@pytest.mark.parametrize("name", ["openaiObject", "aiObject", "aiResponsesObject"])
def test_object(server: RunningServer, name: str) -> None:
    """The client gets an object that fits the schema. While the object streams, the client sees the
    part that has arrived."""
    (said,) = answers(chat(response_format=CHAT_FORMAT))
    found = told(name, server.url)
    assert found["object"] == json.loads(text(said))
    assert found.get("partials", 2) > 1


def test_abort_ends_the_handler(held: Held) -> None:
    """The client aborts after two chunks. Two writes later the server has stopped the model,
    although the client's process still runs."""
    (said,) = answers(chat())
    pipe = subprocess.PIPE
    with subprocess.Popen(command("openaiAbort", held.url), stdin=pipe, stdout=pipe) as process:
        try:
            held.release()  # the role with the first token
            assert process.stdout is not None
            told = json.loads(read_until(process.stdout, b"\n"))
            assert told == {"texts": ["assistant", *said.thinking[:1]]}
            held.release(2)
            assert held.wait_until_ended() <= 3
            assert process.poll() is None
        finally:
            process.kill()
