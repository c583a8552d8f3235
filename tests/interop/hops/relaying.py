"""Relays as programmers write them: with Node, with Starlette, or with the standard library."""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from ..peers import ROOT
from .hop import IDLE, Configuration, Configurations, Hop

__all__ = ["Direct", "Naive", "Node", "Starlette"]

HERE = Path(__file__).parent


def script(runtime: str, name: str, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
    """The command line that runs a file of this folder."""
    up = f"http://127.0.0.1:{upstream}"
    return [[runtime, str(HERE / name), up, json.dumps(dict(ports)), str(IDLE)]]


class Node(Hop):
    """One process with a server for each configuration."""

    name = "Node"
    command = ("node",)
    package = "nodejs"
    versions = ("--version", r"v(\S+)")
    packages = ("http-proxy", "http-proxy-middleware", "express", "compression")
    idle = "none by default (`proxyTimeout`)"
    configurations: ClassVar[Configurations] = {
        "http-proxy": Configuration("httpProxy.createProxyServer({target: UP})"),
        "middleware": Configuration("app.use(createProxyMiddleware({target: UP}))"),
        "compression": Configuration(
            "app.use(compression()); app.use(createProxyMiddleware({target: UP}))",
            "compression-filter",
        ),
        "compression-filter": Configuration(
            "the same with compression({filter}), which returns false for text/event-stream"
        ),
    }

    @property
    def missing(self) -> str:
        absent = [name for name in self.packages if not (ROOT / "node_modules" / name).is_dir()]
        if self.program and absent:
            install = "xargs npm install --prefix . --no-save --no-package-lock < .ci/node.txt"
            return f"{', '.join(absent)} missing in node_modules: {install}"
        return super().missing

    @property
    def version(self) -> str:
        found = []
        for name in self.packages:
            package = (ROOT / "node_modules" / name / "package.json").read_text(encoding="utf-8")
            found.append(f"{name} {json.loads(package)['version']}")
        return f"{super().version}, {', '.join(found)}"

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        return script(self.program, "hop.mjs", upstream, ports)


class Starlette(Hop):
    """One process with a server for each configuration."""

    name = "Starlette"
    command = (sys.executable,)
    package = "the extra bench"
    versions = ("--version", r"(\S+)$")
    packages = ("starlette", "uvicorn", "httpx")
    idle = f"`timeout={IDLE}` of httpx (5 s by default)"
    configurations: ClassVar[Configurations] = {
        "stream": Configuration("StreamingResponse(response.aiter_bytes())"),
        "gzip": Configuration("the same with Middleware(GZipMiddleware)"),
        "gzip-ndjson": Configuration(
            "the same with Content-Type: application/x-ndjson"
        ),
        "blocks": Configuration("StreamingResponse(response.aiter_bytes(1024))", "stream"),
        "whole": Configuration("Response(await response.aread())", "stream"),
    }

    @property
    def missing(self) -> str:
        try:
            for name in self.packages:
                version(name)
        except PackageNotFoundError as error:
            return f"{error.name} is missing: pip install -c .ci/locked.txt -e '.[bench]'"
        return ""

    @property
    def version(self) -> str:
        first, *others = (f"{name} {version(name)}" for name in self.packages)
        return ", ".join([first.partition(" ")[2], *others])

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        return script(self.program, "relays.py", upstream, ports)


class Naive(Hop):
    """One process with a server for each configuration."""

    name = "Python"
    command = (sys.executable,)
    package = "python3"
    versions = ("--version", r"(\S+)$")
    idle = f"`timeout={IDLE}` of urlopen (none by default)"
    configurations: ClassVar[Configurations] = {
        "lines": Configuration(
            "http.server and urlopen: for line in response: wfile.write(line)", "chunks"
        ),
        "blocks": Configuration("the same with response.read(4096)", "chunks"),
        "chunks": Configuration("the same with response.read1(), HTTP/1.1 and chunks"),
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        return script(self.program, "naive.py", upstream, ports)


class Direct(Hop):
    """The upstream without a hop, with which every hop is compared."""

    name = "no hop"
    command = (sys.executable,)
    package = "python3"
    versions = ("--version", r"(\S+)$")
    idle = "none"
    configurations: ClassVar[Configurations] = {
        "direct": Configuration("the upstream is asked directly")
    }

    def commands(self, folder: Path, upstream: int, ports: Mapping[str, int]) -> list[list[str]]:
        return []
