"""Starlette on hypercorn: a StreamingResponse, as its documentation shows.

$ python -m tests.spec.hypercorn_server --ttft 0.5 --itl 0.05
http://127.0.0.1:40123/
"""

import asyncio
import os
import uuid
from typing import Any

from hypercorn.asyncio import serve  # type: ignore[import-not-found,unused-ignore]
from hypercorn.config import Config  # type: ignore[import-not-found,unused-ignore]
from starlette.applications import Starlette  # type: ignore[import-not-found,unused-ignore]
from starlette.responses import StreamingResponse  # type: ignore[import-not-found,unused-ignore]
from starlette.routing import Route  # type: ignore[import-not-found,unused-ignore]

from tests.bench.peers.answer import CONTENT_TYPE, HEADERS, start


def main() -> None:
    listener, pace = start()

    async def completions(request: Any) -> Any:
        asked = await request.json()
        headers = {**HEADERS, "x-request-id": f"req_{uuid.uuid4().hex}"}
        events = pace.answer(asked["model"], asked["max_tokens"])
        return StreamingResponse(events, media_type=CONTENT_TYPE, headers=headers)

    app: Any = Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"])])
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.loglevel = "WARNING"
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main()
