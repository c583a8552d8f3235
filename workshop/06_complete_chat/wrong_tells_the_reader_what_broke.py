"""Wrong: the text of the exception is shown to the reader."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing


def event(value: object) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


async def answer(tokens: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
    """Yield the role first, then each token's event as soon as the token arrives, then the end."""
    async with aclosing(tokens):
        yield chunk({"role": "assistant", "content": ""})
        try:
            async for token in tokens:
                yield chunk({"content": token})
        except Exception as error:
            yield event({"error": {"message": f"The model failed: {error}"}})
            raise
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"
