"""A bare ASGI application on uvicorn with uvloop and httptools: the server without a framework."""

import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn  # type: ignore[import-not-found,unused-ignore]

from .answer import CONTENT_TYPE, HEADERS, start

Message = dict[str, Any]


def main() -> None:
    listener, pace = start()
    fixed = [(b"content-type", CONTENT_TYPE.encode())]
    fixed += [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def app(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        asked = json.loads(body)
        if not asked["stream"]:
            whole = await pace.whole(asked["model"], asked["max_tokens"])
            headers = [(b"content-type", b"application/json")]
            headers += [(b"content-length", str(len(whole)).encode())]
            headers += [(b"x-request-id", b"req_" + uuid.uuid4().hex.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": whole, "more_body": False})
            return
        headers = [*fixed, (b"x-request-id", b"req_" + uuid.uuid4().hex.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for event in pace.answer(asked["model"], asked["max_tokens"]):
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_level="warning", access_log=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
