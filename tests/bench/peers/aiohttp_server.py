"""aiohttp's own server, on uvloop: a StreamResponse that is written to."""

import asyncio
import uuid

import uvloop  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web  # type: ignore[import-not-found,unused-ignore]

from .answer import CONTENT_TYPE, HEADERS, start


async def serve() -> None:
    listener, pace = start()

    async def completions(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        id = {"x-request-id": f"req_{uuid.uuid4().hex}"}
        if not asked["stream"]:
            whole = await pace.whole(asked["model"], asked["max_tokens"])
            return web.Response(body=whole, content_type="application/json", headers=id)
        headers = {"Content-Type": CONTENT_TYPE, **id, **HEADERS}
        response = web.StreamResponse(headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        async for event in pace.answer(asked["model"], asked["max_tokens"]):
            await response.write(event)
        await response.write_eof()
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", completions)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener, backlog=2048).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
