"""The answer of the simulated model to a request, made by the model's code without a server.

    request = {"model": "sim-1", "messages": [{"role": "user", "content": "hi"}]}
    client.chat.completions.create(**request)       must return the same as
    (answer,) = answers(request)

The tests compare every token and every call that real clients receive with this answer.
"""

from typing import Any

import msgspec

from protocol.openai.chat_request import read_chat_request
from protocol.openai.responses_request import read_responses_request
from servers.llm.model.conversation import Answer
from servers.llm.model.models import Model
from servers.llm.writers import chat_completions, responses

from ..at_once import at_once


def answers(request: dict[str, Any]) -> list[Answer]:
    """The `n` answers to a body of `POST /v1/chat/completions`."""
    asked = read_chat_request(msgspec.json.encode(request))
    return at_once(Model().answers(chat_completions.question_of(asked)))


def response(request: dict[str, Any]) -> Answer:
    """The answer to a body of `POST /v1/responses`."""
    asked = read_responses_request(msgspec.json.encode(request))
    (answer,) = at_once(Model().answers(responses.question_of(asked)))
    return answer


def called(result: str) -> list[dict[str, Any]]:
    """Two messages of a chat: the model's tool call, and its result."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]


def text(answer: Answer) -> str:
    return "".join(answer.text)


def calls(answer: Answer) -> list[tuple[str, str]]:
    """The tool calls: names, and arguments in JSON."""
    return [(call.name, "".join(call.arguments)) for call in answer.calls]
