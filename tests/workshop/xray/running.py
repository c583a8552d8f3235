"""Runs `workshop xray` in a test, with hosts in memory, and returns its standard output."""

import io
from collections.abc import Mapping

from rich.console import Console

from servers.http.reply import Handler, Reply, Request
from servers.http.routes import Routes
from workshop.xray.command import Command
from workshop.xray.flags import parser

from .chains import Naive, Network, chain, network

__all__ = ["HOP", "KEY", "URL", "Saying", "chained", "xray", "xray_of"]

URL = "http://server/chat/hello"
HOP = "http://hop1/chat/hello"
KEY = "sk-canary-0123456789abcdef"


class Saying(Routes):
    """Answers every request with a reply, and keeps the requests."""

    def __init__(self, reply: Reply) -> None:
        super().__init__({})
        self.asked: list[Request] = []
        self._reply = reply

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        return self.answer, {}

    async def answer(self, request: Request) -> Reply:
        self.asked.append(request)
        return self._reply


async def xray(*arguments: str, server: Routes | None = None) -> tuple[int, str]:
    """Run the command with a host http://server. Returns the exit code and the output."""
    return await xray_of({"server": server or Naive()}, *arguments)


async def xray_of(hosts: Mapping[str, Routes], *arguments: str) -> tuple[int, str]:
    """Run the command with these hosts."""
    async with network(hosts) as made:
        return await _run(made, arguments)


async def chained(mode: str, *arguments: str) -> tuple[int, str]:
    """Run the command with http://server and a bad proxy, http://hop1."""
    async with chain([mode]) as made:
        return await _run(made, arguments)


async def _run(made: Network, arguments: tuple[str, ...]) -> tuple[int, str]:
    file = io.StringIO()
    console = Console(file=file, width=80, highlight=False)
    code = await Command(parser().parse_args(arguments), console, made.connect).run()
    return code, file.getvalue()
