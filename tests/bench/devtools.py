"""Chromium, driven over a pipe: the DevTools protocol without a library.

    → {"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}\\0
    ← {"id": 1, "result": {"targetId": "C657…"}}\\0
    ← {"method": "Tracing.dataCollected", "params": {"value": [{"name": "RunTask", …}, …]}}\\0

Each message is JSON, and a zero byte ends it. The browser reads them from its file descriptor 3,
and writes to 4. Playwright would spoil a measurement: with it, each page keeps a copy of what it
receives, and decoding that copy is the longest task of a long answer.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from ..interop.visiting import chromium, flags

__all__ = ["Browser", "Tab", "browser"]


class Browser:
    """A running Chromium.

    Args:
        to: The pipe to the browser.
        back: The pipe from the browser.
    """

    def __init__(self, to: IO[bytes], back: IO[bytes]) -> None:
        self._to, self._back = to, back
        self._count = 0
        self._rest = b""

    def send(self, method: str, session: str = "", **params: Any) -> Any:
        """Call a method and wait for its result. Events that come before it are dropped.

        Raises:
            RuntimeError: The browser reported an error.
        """
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self.receive()).get("id") != self._count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def receive(self) -> Any:
        """Wait for the next message of the browser.

        Raises:
            EOFError: The browser has ended.
        """
        parts = [self._rest]
        while b"\0" not in parts[-1]:
            if not (piece := os.read(self._back.fileno(), 1 << 20)):
                raise EOFError
            parts.append(piece)
        message, _, self._rest = b"".join(parts).partition(b"\0")
        return json.loads(message)

    def trace(self) -> Iterator[Any]:
        """End the trace that `Tracing.start` began, and yield its events."""
        self.send("Tracing.end")
        while (message := self.receive())["method"] != "Tracing.tracingComplete":
            if message["method"] == "Tracing.dataCollected":
                yield from message["params"]["value"]

    @contextmanager
    def tab(self, width: int, height: int, first: str) -> "Iterator[Tab]":
        """A new window without cookies or storage. The script `first` runs before any other."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)
        target_id = target["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target_id, flatten=True)
        tab = Tab(self, attached["sessionId"])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        tab.send("Emulation.setDeviceMetricsOverride", **size)
        tab.send("Page.enable")
        tab.send("Page.addScriptToEvaluateOnNewDocument", source=first)
        yield tab
        self.send("Target.disposeBrowserContext", browserContextId=context)


class Tab:
    """A page in the browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def send(self, method: str, **params: Any) -> Any:
        return self._browser.send(method, self._session, **params)

    def evaluate(self, script: str) -> Any:
        """The value of an expression, or what its promise resolves to."""
        found = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description"))
        return found["result"].get("value")

    def metrics(self) -> dict[str, float]:
        """Chromium's own counters. Durations are in seconds."""
        self.send("Performance.enable")
        found = self.send("Performance.getMetrics")["metrics"]
        return {each["name"]: each["value"] for each in found}


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, and end it with the block."""
    to_it, to = os.pipe()
    back, from_it = os.pipe()
    command = ["sh", "-c", f'exec "$@" 3<&{to_it} 4>&{from_it}', "sh", chromium(), *flags()]
    with (
        tempfile.TemporaryDirectory() as profile,
        subprocess.Popen(
            [*command, "--headless", "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            pass_fds=(to_it, from_it),
            stderr=subprocess.DEVNULL,
        ) as process,
        open(to, "wb") as writing,
        open(back, "rb") as reading,
    ):
        os.close(to_it)
        os.close(from_it)
        try:
            running = Browser(writing, reading)
            yield running
            running.send("Browser.close")
        finally:
            process.kill()
