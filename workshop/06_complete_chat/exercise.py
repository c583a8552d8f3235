"""Exercise 6: the server's side of a chat: tokens in, the events of `/v1/chat/completions` out.

    data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}
    data: {"choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}
    data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}
    data: [DONE]

and a blank line behind each. (A real server adds an id, a time and the model's name.) Use the
standard library alone; `json.dumps` knows what to do with quotes and newlines.
"""

from collections.abc import AsyncGenerator


async def answer(tokens: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
    """Yield the role before anything else, each token's event as soon as there is one, the end.

    - When the model fails (`tokens` raises), yield an error event, `{"error":{"message":…}}`, with
      words for a reader: what broke inside is for your log. Then let the exception go on, so that
      the server closes the connection without the last chunk.
    - When the reader leaves, this generator is closed. Then close `tokens` too, at once, or the
      model goes on for nobody.
    """
    raise NotImplementedError("answer")
    yield b""
