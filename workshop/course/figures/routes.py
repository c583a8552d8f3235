"""The route of the figures: one run of a figure's experiment, as an event stream.

    POST /course/run/chunk HTTP/1.1
    Content-Type: application/json

    {"word":"你"}

    data: {"chips":[["chunk-size","3","33"],…]}

A request must have the type application/json. A page of another origin cannot send this type
without asking first (CORS), and this server does not allow it. So no other page can start a run.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import trio

from protocol.sse import ServerSentEvent, encode_event
from servers.http.body import BodyWriter
from servers.http.reply import EventStream, Handler, Reply, Request

from .chunk import CHUNK
from .cut import CUT
from .envelope import ENVELOPE
from .hop import HOP
from .kit import Figure
from .leaving import LEAVING
from .listener import LISTENER
from .pipe import PIPE
from .reader import READER
from .seam import SEAM
from .wheel import WHEEL

__all__ = ["FIGURES", "figure_routes"]

FIGURES: Mapping[str, Figure] = {
    figure.name: figure
    for figure in [PIPE, CHUNK, CUT, ENVELOPE, LEAVING, READER, HOP, LISTENER, SEAM, WHEEL]
}
"""All figures by name."""

MAX_RUNS = 8
"""Largest number of runs at the same time."""

MAX_SECONDS = 30.0
"""Longest time of one run."""

MAX_WAITING = 256
"""Largest number of reports that wait for a slow page. When it is reached, the run waits, too."""


def figure_routes(max_runs: int = MAX_RUNS, max_seconds: float = MAX_SECONDS) -> dict[str, Handler]:
    """Return the route of the figures.

    Args:
        max_runs: Largest number of runs at the same time. One more gets 503.
        max_seconds: Longest time of one run, in seconds.
    """
    runs = trio.CapacityLimiter(max_runs)

    async def run(request: Request) -> EventStream | Reply:
        figure = FIGURES.get(request.params["name"])
        if figure is None:
            return Reply("404 Not Found\n\nThe course has no such figure.\n", 404)
        kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return Reply("415 Unsupported Media Type\n\nSend application/json.\n", 415)
        try:
            options = msgspec.json.decode(request.body, type=figure.options)
        except msgspec.DecodeError as error:
            return Reply(f"400 Bad Request\n\n{error}\n", 400)
        if not runs.available_tokens:
            return Reply("503 Service Unavailable\n\nToo many figures run.\n", 503)
        return EventStream(Run(figure, options, runs, max_seconds))

    return {"POST /course/run/{name}": run}


class Run:
    """The source of one run's event stream."""

    def __init__(
        self, figure: Figure, options: Any, runs: trio.CapacityLimiter, max_seconds: float
    ) -> None:
        self._figure = figure
        self._options = options
        self._runs = runs
        self._max_seconds = max_seconds

    async def send_to(self, body: BodyWriter) -> None:
        """Run the experiment, and send each of its reports."""
        reports, to_send = trio.open_memory_channel[dict[str, Any]](MAX_WAITING)
        async with self._runs, trio.open_nursery() as nursery:
            nursery.start_soon(self._run, reports)
            async for report in to_send:
                await body.send(encode_event(ServerSentEvent(data=_json(report))))
        await body.end()

    async def _run(self, reports: trio.MemorySendChannel[dict[str, Any]]) -> None:
        async with reports:
            with trio.move_on_after(self._max_seconds) as deadline:
                try:
                    await self._figure.run(self._options, reports.send)
                except* OSError:  # the machine has no more files or ports
                    await reports.send({"failed": True})
            if deadline.cancelled_caught:
                await reports.send({"failed": True})


def _json(report: dict[str, Any]) -> str:
    return msgspec.json.encode(report).decode()
