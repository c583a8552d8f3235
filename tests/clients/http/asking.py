"""A request for the chat client, and the events from which a fake upstream makes its answer."""

import pytest

from clients.chat import ChatError, stream_chat
from protocol.openai.chat_completions import ChatRequest, RequestMessage
from protocol.secret import Secret

__all__ = ["ASK", "DONE", "JSON", "STOP", "ask", "event"]

ASK = ChatRequest("sim-1", [RequestMessage("user", "你好")])
JSON = "Content-Type: application/json"


def event(text: str, finish_reason: str = "null") -> bytes:
    choice = f'{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish_reason}}}'
    return f'data: {{"choices":[{choice}]}}\n\n'.encode()


STOP = event("", '"stop"')
DONE = b"data: [DONE]\n\n"


async def ask(port: int, key: Secret | None = None) -> tuple[str, ChatError | None]:
    """Ask the server at this port. Returns the text, and the error that ended it."""
    text = ""
    try:
        async with stream_chat(f"http://127.0.0.1:{port}/v1", ASK, key=key) as answer:
            async for delta in answer:
                text += delta.text
            with pytest.raises(StopAsyncIteration):
                await anext(answer)
    except ChatError as error:
        return text, error
    return text, None
