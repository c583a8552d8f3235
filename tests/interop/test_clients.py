"""Clients of the OpenAI API with only the base URL changed: LangChain's `ChatOpenAI`, and the
command `llm`.

    pip install -c .ci/locked.txt -e '.[clients]'
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from openai import DefaultAsyncHttpxClient, pydantic_function_tool
from pydantic import BaseModel

from servers.llm.model.models import MODEL

from .held import Held
from .peers import SAFETY, RunningServer, read_until, running, unavailable
from .simulated import answers, called, calls, text

PROMPT = "你好 👋🏽"
RESULT = "rain ☔"


class Weather(BaseModel):
    """The weather somewhere."""

    city: str
    days: int


TOOL = pydantic_function_tool(Weather)
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "Weather", "schema": TOOL["function"]["parameters"]},
}


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}, *messages], **more}


(SAID,) = answers(chat())


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running("servers.chat", "--ttft", "0", "--itl", "0") as server:
        yield server


def need_extra(module: str) -> None:
    if not find_spec(module):
        unavailable(f"{module} is missing: pip install -c .ci/locked.txt -e '.[clients]'")


# ---- LangChain


@pytest.fixture(scope="module", params=["chat completions", "responses"])
def model(server: RunningServer, request: pytest.FixtureRequest) -> Any:
    """`ChatOpenAI`, by either route."""
    need_extra("langchain_openai")
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=MODEL,
        base_url=f"{server.url}/v1",
        api_key="none",
        max_retries=0,
        timeout=SAFETY,
        stream_usage=True,
        use_responses_api=request.param == "responses",
        http_async_client=DefaultAsyncHttpxClient(),  # its default is never closed
    )


def test_langchain_invoke(model: Any) -> None:
    """The client gets the text and its usage. The thinking does not disturb it."""
    said = model.invoke(PROMPT)
    assert said.text == text(SAID)
    assert said.usage_metadata["output_tokens"] == SAID.completion_tokens
    assert said.usage_metadata["output_token_details"]["reasoning"] == len(SAID.thinking)


def test_langchain_stream(model: Any) -> None:
    """Each token is a piece. Together, the pieces are the message with its usage."""
    first, *others = model.stream(PROMPT)
    assert [piece.text for piece in (first, *others) if piece.text] == list(SAID.text)
    whole = sum(others, first)
    assert whole.text == text(SAID)
    assert whole.usage_metadata["output_tokens"] == SAID.completion_tokens


def test_langchain_astream(model: Any) -> None:
    async def pieces() -> list[str]:
        async with model.root_async_client:
            return [piece.text async for piece in model.astream(PROMPT) if piece.text]

    assert asyncio.run(pieces()) == list(SAID.text)


def test_langchain_tools(model: Any) -> None:
    """The client gets the calls, and in the second answer, a text that contains the tool's
    result."""
    (asked,) = answers(chat(tools=[TOOL]))
    model = model.bind_tools([Weather])
    message = model.invoke(PROMPT)
    made = [(call["name"], json.dumps(call["args"])) for call in message.tool_calls]
    assert made == [(name, json.dumps(json.loads(each))) for name, each in calls(asked)]

    (said,) = answers(chat(*called(RESULT), tools=[TOOL]))
    (call,) = message.tool_calls
    history = [("user", PROMPT), message, called(RESULT)[1] | {"tool_call_id": call["id"]}]
    assert model.invoke(history).text == text(said)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_langchain_structured_output(model: Any, method: str) -> None:
    if method == "json_schema":
        (said,) = answers(chat(response_format=FORMAT))
        wanted = text(said)
    else:
        choice = {"type": "function", "function": {"name": "Weather"}}
        (said,) = answers(chat(tools=[TOOL], tool_choice=choice))
        ((_, wanted),) = calls(said)
    got = model.with_structured_output(Weather, method=method).invoke(PROMPT)
    assert got == Weather.model_validate_json(wanted)


# ---- llm


def llm(url: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`llm -m sim ARGUMENTS`, with a model of that name in its settings."""
    need_extra("llm")
    settings = f"- {{model_id: sim, model_name: {MODEL}, api_base: {url}/v1}}\n"
    (folder / "extra-openai-models.yaml").write_text(settings)
    return subprocess.Popen(
        [sys.executable, "-m", "llm", "-m", "sim", *arguments],
        env=os.environ | {"LLM_USER_PATH": str(folder), "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_llm_not_streamed(server: RunningServer, tmp_path: Path) -> None:
    with llm(server.url, tmp_path, "--no-stream", PROMPT) as process:
        output, errors = process.communicate(timeout=SAFETY)
    assert (output.decode(), errors.decode()) == (text(SAID) + "\n", "")


def test_llm_prints_each_token_before_the_next_exists(held: Held, tmp_path: Path) -> None:
    with llm(held.url, tmp_path, PROMPT) as process:
        assert process.stdout is not None
        try:
            held.release(len(SAID.thinking))
            for token in SAID.text[:5]:
                held.release()
                assert read_until(process.stdout, token.encode()) == token.encode()
            held.release(len(SAID.text))
            output, errors = process.communicate(timeout=SAFETY)
        finally:
            process.kill()
    assert (output.decode(), errors.decode()) == ("".join(SAID.text[5:]) + "\n", "")
