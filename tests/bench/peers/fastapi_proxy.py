"""A proxy as the documentation of FastAPI and of httpx shows it, on uvicorn with uvloop."""

import argparse
import socket

import httpx
import uvicorn  # type: ignore[import-not-found,unused-ignore]
from fastapi import FastAPI, Request  # type: ignore[import-not-found,unused-ignore]
from fastapi.responses import (  # type: ignore[import-not-found,unused-ignore]
    StreamingResponse,
)
from starlette.background import (  # type: ignore[import-not-found,unused-ignore]
    BackgroundTask,
)

PATH = "/v1/chat/completions"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--ca-file")
    options = parser.parse_args()
    client = httpx.AsyncClient(
        verify=options.ca_file or True,
        timeout=None,
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )
    app = FastAPI()

    async def completions(request: Request) -> StreamingResponse:
        headers = {
            "Content-Type": request.headers.get("content-type", "application/json"),
            "Authorization": "Bearer sk-of-the-proxy",
            "Accept-Encoding": "identity",
        }
        asked = client.build_request(
            "POST", options.upstream + PATH, content=await request.body(), headers=headers
        )
        answer = await client.send(asked, stream=True)
        return StreamingResponse(
            answer.aiter_raw(),
            status_code=answer.status_code,
            media_type=answer.headers.get("content-type"),
            headers={"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"},
            background=BackgroundTask(answer.aclose),
        )

    app.post(PATH, response_model=None)(completions)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"listens on http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", log_level="warning", access_log=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
