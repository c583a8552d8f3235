"""FastAPI on uvicorn with uvloop and httptools: a StreamingResponse, as its documentation
shows, and a Response for a whole answer."""

import uuid
from typing import Any

import uvicorn  # type: ignore[import-not-found,unused-ignore]
from fastapi import FastAPI  # type: ignore[import-not-found,unused-ignore]
from fastapi.responses import (  # type: ignore[import-not-found,unused-ignore]
    Response,
    StreamingResponse,
)
from pydantic import BaseModel

from .answer import CONTENT_TYPE, HEADERS, start


class ChatRequest(BaseModel):
    model: str
    messages: list[dict[str, Any]]
    stream: bool = False
    max_tokens: int = 100


def main() -> None:
    listener, pace = start()
    app = FastAPI()

    async def completions(asked: ChatRequest) -> Response:
        headers = {**HEADERS, "x-request-id": f"req_{uuid.uuid4().hex}"}
        if not asked.stream:
            whole = await pace.whole(asked.model, asked.max_tokens)
            return Response(whole, media_type="application/json", headers=headers)
        events = pace.answer(asked.model, asked.max_tokens)
        return StreamingResponse(events, media_type=CONTENT_TYPE, headers=headers)

    app.post("/v1/chat/completions", response_model=None)(completions)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_level="warning", access_log=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
