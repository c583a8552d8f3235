"""Fixtures: the servers that most of these tests use, a separate held chat server for a test that
needs one, and Chromium."""

from collections.abc import Iterator

import pytest
import trustme
from playwright.sync_api import Browser, ViewportSize, expect, sync_playwright

from servers import chat
from servers.llm.pace import Pace

from .held import Held, hold
from .peers import SAFETY, RunningServer, running
from .visiting import MILLISECONDS, WIDE, Visit, chromium, flags


@pytest.fixture(scope="session", autouse=True)
def _no_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ignore this machine's HTTP proxy, and trust only one certificate authority. To read the
    system's list takes 40 ms, which is most of the time of a short-lived client."""
    authority = tmp_path_factory.mktemp("world") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "*")
        patch.setenv("NO_PROXY", "*")
        patch.setenv("SSL_CERT_FILE", str(authority))
        yield


@pytest.fixture(scope="session")
def chat_server() -> Iterator[RunningServer]:
    """The chat server (port 8000 in the course) with a fast model."""
    with running("servers.chat", "--ttft", "0.01", "--itl", "0.002") as server:
        yield server


@pytest.fixture(scope="session")
def chunked_server() -> Iterator[RunningServer]:
    """8003."""
    with running("servers.chunked", "--itl", "0.002") as server:
        yield server


@pytest.fixture(scope="session")
def sse_server() -> Iterator[RunningServer]:
    """8004."""
    with running("servers.sse", "--itl", "0.002") as server:
        yield server


@pytest.fixture(scope="session")
def silent_server() -> Iterator[RunningServer]:
    """A model that thinks for an hour before its first token."""
    with running("servers.chat", "--ttft", "3600") as server:
        yield server


@pytest.fixture
def held() -> Iterator[Held]:
    """The chat server. The test allows it to send its pieces one by one."""
    with hold(chat.routes(Pace(0, 0))) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=SAFETY * MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags())
        yield browser
        browser.close()


@pytest.fixture
def viewport() -> ViewportSize:
    """Of `visit`: with the wire pane beside the text. A file whose tests do not look at the pane
    returns NARROW instead, because the pane reads each answer a second time and draws its bytes."""
    return WIDE


@pytest.fixture
def visit(browser: Browser, viewport: ViewportSize) -> Iterator[Visit]:
    """A new window without history or cache, in English."""
    with browser.new_context(locale="en-US", viewport=viewport) as context:
        context.set_default_timeout(SAFETY * MILLISECONDS)
        yield Visit(context.new_page())
