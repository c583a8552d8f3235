"""A window of Chromium with the chat page, as a reader uses it.

    visit.open(server.url, model="torture")     with these settings, as if chosen before
    message = visit.ask("你好")                  the answer's locator
    shows(message.locator(".answer"), "…")      waits for it

A wait is always for a text or an attribute of the page. `wait_for_function` would need `eval`,
which the page's Content-Security-Policy forbids.
"""

import shutil
from dataclasses import dataclass, field
from json import dumps
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, ViewportSize, expect

from .peers import need

__all__ = ["MILLISECONDS", "NARROW", "WIDE", "Visit", "chromium", "flags", "shows"]

# Browser features that these tests do not need. The first two are a page of its own that
# each window loads for its address bar, which was more than half of the work of a short test. The
# others are Playwright's: of two such flags the last one counts, so ours has to name them again.
DISABLED = [
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
]

# Nothing outside of this machine has an address.
THIS_MACHINE = "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"

FLAGS = [
    "--no-sandbox",  # for root, as in a container
    "--disable-gpu",
    "--disable-smooth-scrolling",  # a turn of the wheel is one step, seen whole or not at all
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    f"--disable-features={','.join(DISABLED)}",
]

MILLISECONDS = 1000

WIDE = ViewportSize(width=1280, height=720)  # the wire pane is open, beside the text
NARROW = ViewportSize(width=1180, height=720)  # the pane is closed, and not loaded


def chromium() -> str:
    """Where the browser is; without one the test is skipped. The headless shell is the same engine
    without windows and tabs, and takes half of the work."""
    return shutil.which("chromium-headless-shell") or need(
        "chromium", "chromium", "chromium-browser"
    )


def flags(hosts: str = THIS_MACHINE) -> list[str]:
    """For the browser's command line.

    Args:
        hosts: which names have an address, as Chromium's --host-resolver-rules.
    """
    return [*FLAGS, f"--host-resolver-rules={hosts}"]


@dataclass
class Visit:
    """An open page, and the problems that the browser reports.

    Attributes:
        problems: errors and warnings of the console (there a violation of the
            Content-Security-Policy is told, too), and exceptions nobody caught.
    """

    page: Page
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def note_requests(self) -> list[str]:
        """The URLs of all requests from now on. It is not done for each visit, because Playwright
        then tells of each step of each request."""
        requested: list[str] = []
        self.page.on("request", lambda request: requested.append(request.url))
        return requested

    def open(self, url: str, **settings: str) -> None:
        """Go there, with these settings as if they had been chosen before. A fault is not kept over
        a reload, so it is chosen now."""
        fault = settings.pop("fault", "")
        if settings:
            kept = dumps(dumps(settings))
            self.page.add_init_script(f"localStorage['workshop.settings'] = {kept}")
        self.page.goto(url)
        self.is_ready()
        if fault:
            self.choose(fault=fault)

    def choose(self, **settings: str) -> None:
        """Change these settings, as the menus do."""
        choose = "async (it) => (await import('/page/settings.js')).choose(it)"
        self.page.evaluate(choose, settings)

    def reload(self) -> None:
        """Load the page again. If it has just reloaded itself, that is waited for: of two loads at
        once, Chromium may abort the second."""
        self.page.wait_for_load_state()
        self.page.reload()
        self.is_ready()

    def is_ready(self) -> None:
        """Wait until the page's scripts have run."""
        expect(self.page.locator("#send")).to_be_enabled()

    def ask(self, prompt: str) -> Locator:
        """Type a question and send it. Returns the answer's locator."""
        self.page.locator("#prompt").fill(prompt)
        self.page.locator("#send").click()
        return self.page.locator("[data-role=assistant]").last

    def evaluate(self, script: str, *argument: Any) -> Any:
        """Run a JavaScript function, which may import the page's modules. Returns its result."""
        return self.page.evaluate(script, *argument)


def shows(element: Locator, text: str) -> None:
    """Wait until an element has exactly this text: spaces and line ends count."""
    expect(element).to_have_js_property("textContent", text)
