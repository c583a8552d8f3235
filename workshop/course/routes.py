"""The handlers of `/course/`, which a server gets as an argument.

    servers.chat.routes(…, pages=course_routes())    GET /course/protocol/chunked.py.html

A page is made when a client asks for it. This happens in a thread, because it takes some time to
split a file, and the server's other streams must not wait. If any file changes, the page is made
again.
"""

from pathlib import Path, PurePosixPath
from urllib.parse import quote

import trio

from servers.chat import CONTENT_SECURITY_POLICY, CONTENT_TYPES, PAGE
from servers.http.reply import Handler, Reply, Request

from .links import INDEX
from .pages import Pages
from .tree import Tree

__all__ = ["FILES", "course_routes"]

HERE = Path(__file__).parent

HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Cache-Control", "no-cache"),
    ("Referrer-Policy", "no-referrer"),
)

FILES = {path.name: path for path in (HERE / "style.css", HERE / "panel.js", PAGE / "icon.svg")}
"""The files that the pages load, by name."""


def course_routes(tree: Tree | None = None) -> dict[str, Handler]:
    """Return the routes of the course.

    Args:
        tree: The files that have pages. By default these are this project's files.
    """
    pages: Pages | None = None
    one_at_a_time = trio.CapacityLimiter(1)

    def write(path: str) -> str | None:
        nonlocal pages
        if pages is None:
            pages = Pages(tree or Tree(), live=True)
        pages.refresh()
        return pages.page(path[: -len(".html")])

    async def course(request: Request) -> Reply:
        path = request.params.get("path", f"{INDEX}.html")
        if path in FILES:
            file = FILES[path]
            return Reply(file.read_bytes(), 200, CONTENT_TYPES[file.suffix], HEADERS)
        suffix = PurePosixPath(path).suffix
        text = None
        if suffix == ".html":
            text = await trio.to_thread.run_sync(write, path, limiter=one_at_a_time)
        elif await trio.to_thread.run_sync(write, f"{path}.html", limiter=one_at_a_time):
            # This is the name of a file without .html, as a reader may type it.
            return moved(f"/course/{quote(path)}.html")
        if text is None:
            return Reply("404 Not Found\n\nThe course has no such page: see /course/\n", 404)
        return Reply(text, 200, CONTENT_TYPES[suffix], HEADERS)

    def moved(target: str) -> Reply:
        return Reply(f"It is at {target}\n", 308, headers=(("Location", target),))

    async def slash(request: Request) -> Reply:
        return moved("/course/")

    return {"GET /course": slash, "GET /course/": course, "GET /course/{path}": course}
