"""Exercise 6: the server's side of a chat turns tokens into the events of `/v1/chat/completions`.

    data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
    data: {"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
    data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    data: [DONE]

and a blank line after each. (A real server adds an id, a time and the model's name.) Use only the
standard library; `json.dumps` escapes quotes and newlines.
"""

from collections.abc import AsyncGenerator


async def answer(tokens: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
    """Yield the role first, then each token's event as soon as the token arrives, then the end.

    - When the model fails (`tokens` raises), yield an error event, `{"error":{"message":…}}`, with
      a message for readers. Internal details belong in your log. Then raise the exception again, so
      that the server closes the connection without the last chunk.
    - When the reader disconnects, this generator is closed. Then close `tokens` too, at once,
      because otherwise the model continues although nobody reads.
    """
    raise NotImplementedError("answer")
    yield b""
