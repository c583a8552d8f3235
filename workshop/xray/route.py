"""A route for HTTP servers that judges a recording. A server takes the route as an argument.

    servers.chat.routes(…, pages=xray_routes())

    POST /xray HTTP/1.1                       a recording in JSON lines
    {"sender":"client","at":0,"bytes":"UE9T…"}
    {"sender":"server","at":2.1,"bytes":"SFRUUC8x…"}

    HTTP/1.1 200 OK                           the report on its last response
    {"url":"","status":200,"verdicts":[{"code":"live",…}],…}

When the chat page has received an answer, it sends the recording of that answer to this route. The
route stores nothing.
"""

import trio

from protocol.recording import RecordingError, read_recording
from servers.http.api_replies import json_reply
from servers.http.reply import Handler, Reply, Request

from .judge.verdicts import report
from .meter.exchange import exchanges
from .meter.measure import Meter
from .report import Report

__all__ = ["xray_routes"]


def xray_routes() -> dict[str, Handler]:
    """The routes."""
    one_at_a_time = trio.CapacityLimiter(1)

    async def judge(request: Request) -> Reply:
        try:
            # This runs in a thread, so that the server's streams do not wait.
            found = await trio.to_thread.run_sync(report_on, request.body, limiter=one_at_a_time)
        except RecordingError as error:
            return Reply(f"400 Bad Request\n\n{error}\n", 400)
        return json_reply(found)

    return {"POST /xray": judge}


def report_on(recording: bytes) -> Report:
    """Judge the last response of a recording.

    Raises:
        RecordingError: The body is not a recording, or the recording has no response.
    """
    found = exchanges(read_recording(recording.split(b"\n")))
    if not found:
        raise RecordingError("the recording holds no response")
    exchange = found[-1]
    meter = Meter(
        url=exchange.url, method=exchange.method, request=exchange.request, began=exchange.began
    )
    for read in exchange.reads:
        if read.bytes:
            meter.receive_data(read.at, read.bytes)
        if read.end:
            meter.receive_end(read.at, read.end)
    return report(meter)


# What this file does not do: send requests, or show anything.
