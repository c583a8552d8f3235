"""The official client accepts our answers of the Responses API, and we accept its requests."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, cast

import msgspec
import pydantic
import pytest
from openai import OpenAI, pydantic_function_tool
from openai.types.responses import ResponseInputParam

from protocol.openai.responses_request import read_responses_request
from servers.llm.model.conversation import Answer, ToolCall
from servers.llm.writers.responses import ResponsesWriter

from ....at_once import at_once


class City(pydantic.BaseModel):
    name: str
    people: int


class Weather(pydantic.BaseModel):
    city: str


class Server(ThreadingHTTPServer):
    """Gives one answer to all requests, as a stream or as one JSON object."""

    answer = Answer()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = read_responses_request(body)
        answer = cast(Server, self.server).answer
        written = ResponsesWriter(request, [answer], 3, id="resp_1", created=5)
        self.send_response(200)
        if request.stream:
            self.send_header("Content-Type", "text/event-stream")
            reply = b"".join([written.opening, *written.steps(), written.last])
        else:
            self.send_header("Content-Type", "application/json")
            reply = msgspec.json.encode(at_once(written.whole()))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    url = f"http://127.0.0.1:{server.server_port}/v1"
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_create(server: Server, client: OpenAI) -> None:
    server.answer = Answer(["Hm"], ["你", "好"])
    response = client.responses.create(model="m", input="Hi")
    assert response.output_text == "你好"
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage is not None
    assert response.usage.output_tokens_details.reasoning_tokens == 1


def test_create_as_a_stream(server: Server, client: OpenAI) -> None:
    server.answer = Answer(["Hm"], ["你", "好"], finish_reason="length")
    with client.responses.create(model="m", input="Hi", stream=True) as stream:
        events = list(stream)
    deltas = [each.delta for each in events if each.type == "response.output_text.delta"]
    assert deltas == ["你", "好"]
    end = events[-1]
    assert end.type == "response.incomplete"
    assert end.response.incomplete_details is not None
    assert end.response.incomplete_details.reason == "max_output_tokens"


def test_the_stream_helper(server: Server, client: OpenAI) -> None:
    """It builds the response from the events, checks each of them, and parses JSON into a type."""
    server.answer = Answer(["Hm"], ['{"name":', '"北京"', ',"people":22}'])
    with client.responses.stream(model="m", input="Hi", text_format=City) as stream:
        texts = [each.snapshot for each in stream if each.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert texts == ['{"name":', '{"name":"北京"', '{"name":"北京","people":22}']
    assert final.output_parsed == City(name="北京", people=22)


def test_parse(server: Server, client: OpenAI) -> None:
    server.answer = Answer((), ['{"name":"北京",', '"people":22}'])
    parsed = client.responses.parse(model="m", input="Hi", text_format=City)
    assert parsed.output_parsed == City(name="北京", people=22)


def test_tools(server: Server, client: OpenAI) -> None:
    """The client sends the reasoning and calls that it got back, together with the results."""
    calls = [ToolCall("Weather", ['{"city', '":"北京"}']), ToolCall("Weather", ['{"city":"上海"}'])]
    server.answer = Answer(["Hm"], (), calls, "tool_calls")
    tool = cast(Any, pydantic_function_tool(Weather))["function"] | {"type": "function"}
    conversation: ResponseInputParam = [{"role": "user", "content": "Weather?"}]
    with client.responses.stream(model="m", input=conversation, tools=[tool]) as stream:
        final = stream.get_final_response()
    called = [item for item in final.output if item.type == "function_call"]
    assert [item.parsed_arguments for item in called] == [{"city": "北京"}, {"city": "上海"}]

    server.answer = Answer((), ["4 °C"])
    conversation += [cast(Any, item.to_dict()) for item in final.output]
    for item in called:
        conversation.append(
            {"type": "function_call_output", "call_id": item.call_id, "output": "4 °C"}
        )
    assert client.responses.create(model="m", input=conversation).output_text == "4 °C"
