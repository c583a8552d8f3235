"""A window of Firefox, driven over Marionette, the protocol of its own tests: JSON over TCP, each
message with its length in front.

    ← 50:{"applicationType":"gecko","marionetteProtocol":3}
    → 63:[0, 1, "WebDriver:Navigate", {"url": "http://localhost:8000/"}]    [0, number, command, …]
    ← 29:[1, 1, null, {"value": null}]                                [1, number, error, result]

The commands are those of the WebDriver standard. Playwright cannot drive Debian's Firefox: it needs
a Firefox with its own patches.
"""

import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from .peers import SAFETY, need, read_until

__all__ = ["Firefox", "firefox"]

# The browser can reach nothing outside this machine, because its proxy does not exist.
PREFERENCES = {
    "marionette.port": 0,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 1,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 1,
    "intl.accept_languages": "en-US",
}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver §11: the name of a reference's field
KEYS = {"Enter": "\ue007", "ArrowRight": "\ue014", "End": "\ue010", "Space": " "}  # §17.4.2
WAIT = """const [expression] = arguments;
return new Promise((done) => {
    const look = () => { const found = (%s); found ? done(found) : setTimeout(look, 10); };
    look();
});"""


class Firefox:
    """A session in one window of a running browser.

    Args:
        connection: A new connection to the browser's port for Marionette.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._input = connection.makefile("rb")
        self._count = 0
        self._receive()  # its greeting
        timeouts = {"script": 1000 * SAFETY, "pageLoad": 1000 * SAFETY}
        self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"timeouts": timeouts}})
        self.call("WebDriver:SetWindowRect", width=1500, height=1000)

    def call(self, command: str, **parameters: Any) -> Any:
        """Send a command and wait for its result.

        Raises:
            RuntimeError: The browser reported an error.
        """
        self._count += 1
        message = json.dumps([0, self._count, command, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self._receive()
        assert number == self._count
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def _receive(self) -> Any:
        length = b""
        while (digit := self._input.read(1)) != b":":
            assert digit, "the browser has ended"
            length += digit
        return json.loads(self._input.read(int(length)))

    def evaluate(self, script: str) -> Any:
        """Run the body of a function. Returns its value, or what its promise resolves to."""
        return self.call("WebDriver:ExecuteScript", script=script, args=[])["value"]

    def wait(self, expression: str) -> Any:
        """Wait until an expression is true. Returns its value."""
        return self.evaluate(WAIT % expression)

    def open(self, url: str, **settings: str) -> None:
        """Open a page, with these settings already chosen. They are stored before, at a text of the
        same site, because a second load of the page would cost more."""
        if settings:
            self.call("WebDriver:Navigate", url=f"{url}/page/sse.js")
            kept = json.dumps(json.dumps(settings))
            self.evaluate(f"localStorage['workshop.settings'] = {kept}")
        self.call("WebDriver:Navigate", url=url)

    def click(self, selector: str) -> None:
        """Click on an element as soon as it is enabled."""
        self.wait(f"document.querySelector({json.dumps(selector + ':enabled')})?.localName")
        found = self.call("WebDriver:FindElement", using="css selector", value=selector)
        self.call("WebDriver:ElementClick", id=found["value"][ELEMENT])

    def click_at(self, x: float, y: float) -> None:
        """Press and release the mouse at a point, in CSS pixels from the page's top left."""
        move = {"type": "pointerMove", "x": round(x), "y": round(y)}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        mouse = {"type": "pointer", "id": "mouse", "actions": [move, *press]}
        self.call("WebDriver:PerformActions", actions=[mouse])

    def press(self, *keys: str) -> None:
        """Press the keys that `KEYS` names, and type any other text."""
        each = [key for text in keys for key in KEYS.get(text, text)]
        actions = [{"type": kind, "value": key} for key in each for kind in ("keyDown", "keyUp")]
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self.call("WebDriver:PerformActions", actions=[keyboard])

    def problems(self, url: str) -> list[str]:
        """Errors in the console from this server's pages, with violations of their
        Content-Security-Policy, but without warnings."""
        self.call("Marionette:SetContext", value="chrome")
        found = self.evaluate(
            "return Services.console.getMessageArray().filter((told) =>"
            f" told instanceof Ci.nsIScriptError && told.sourceName.startsWith({json.dumps(url)})"
            " && !(told.flags & told.warningFlag)).map(String)"
        )
        self.call("Marionette:SetContext", value="content")
        return list(found)


@contextmanager
def firefox() -> Iterator[Firefox]:
    """Start a browser with a new profile, and end it with the block."""
    program = need("firefox-esr", "firefox-esr", "firefox")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                 for name, value in PREFERENCES.items())  # fmt: skip
        Path(profile, "user.js").write_text("".join(lines))
        command = [program, "--headless", "--no-remote", "--profile", profile, "--marionette"]
        # This flag permits `problems` to read the console.
        command.append("--remote-allow-system-access")
        output = subprocess.PIPE
        with subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            try:
                told = b""
                while not (port := re.search(rb"Listening on port (\d+)\n", told)):
                    told += read_until(process.stdout, b"\n")
                # The rest is read, too, because the browser would block on a full pipe.
                Thread(target=process.stdout.read, daemon=True).start()
                address = ("127.0.0.1", int(port[1]))
                with socket.create_connection(address, SAFETY) as connection:
                    yield Firefox(connection)
            finally:
                process.kill()
