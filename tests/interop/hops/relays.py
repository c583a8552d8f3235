"""Relays as programmers write them with Starlette and httpx. Each has its own port.

    python relays.py UPSTREAM '{"stream": 8081, "gzip": 8082}' SECONDS

SECONDS is the time for which httpx waits for a silent upstream.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

import httpx
import uvicorn  # type: ignore[import-not-found,unused-ignore]
from starlette.applications import Starlette  # type: ignore[import-not-found,unused-ignore]
from starlette.middleware import Middleware  # type: ignore[import-not-found,unused-ignore]
from starlette.middleware.gzip import GZipMiddleware  # type: ignore[import-not-found,unused-ignore]
from starlette.requests import Request  # type: ignore[import-not-found,unused-ignore]
from starlette.responses import Response, StreamingResponse  # type: ignore[import-not-found,unused-ignore]
from starlette.routing import Route  # type: ignore[import-not-found,unused-ignore]


def application(
    client: httpx.AsyncClient,
    size: int | None = None,
    whole: bool = False,
    zipped: bool = False,
    media_type: str | None = None,
) -> Starlette:
    """A relay.

    Args:
        size: Number of bytes in each piece, or None to relay each read as it is.
        whole: Whether to read the whole body first.
        zipped: Whether to use GZipMiddleware.
        media_type: The Content-Type that replaces the upstream's.
    """

    async def relay(request: Request) -> Response:
        asked = client.build_request(
            request.method,
            request.url.path,
            content=await request.body(),
            headers={"content-type": request.headers["content-type"]},
        )
        response = await client.send(asked, stream=True)
        kind = media_type or response.headers["content-type"]
        kept = ("cache-control", "x-accel-buffering")
        headers = {name: response.headers[name] for name in kept if name in response.headers}
        if whole:
            return Response(await response.aread(), media_type=kind, headers=headers)

        async def pieces() -> AsyncIterator[bytes]:
            try:
                async for piece in response.aiter_bytes(size):
                    yield piece
            finally:
                await response.aclose()

        return StreamingResponse(pieces(), media_type=kind, headers=headers)

    middleware = [Middleware(GZipMiddleware)] if zipped else []
    return Starlette(routes=[Route("/{path:path}", relay, methods=["POST"])], middleware=middleware)


async def main(upstream: str, ports: dict[str, int], seconds: float) -> None:
    async with httpx.AsyncClient(base_url=upstream, timeout=seconds) as client:
        applications = {
            "stream": application(client),
            "gzip": application(client, zipped=True),
            "gzip-ndjson": application(client, zipped=True, media_type="application/x-ndjson"),
            "blocks": application(client, size=1024),
            "whole": application(client, whole=True),
        }
        servers = [
            uvicorn.Server(
                uvicorn.Config(applications[name], "127.0.0.1", port, log_level="critical")
            )
            for name, port in ports.items()
        ]
        await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), float(sys.argv[3])))
