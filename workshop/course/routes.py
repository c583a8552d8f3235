"""The handlers of `/course/`, which a server gets as an argument.

    servers.chat.routes(…, pages=course_routes())    GET /course/protocol/chunked.py.html

A page is made when a client asks for it. This happens in a thread, because it takes some time to
split a file, and the server's other streams must not wait. If any file changes, the page is made
again. The lessons that the reader has passed have a tick: they are read from the learner's own
folder (runner/progress.py) at each request, and nothing is ever written there.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import msgspec
import trio

from servers.chat import CONTENT_SECURITY_POLICY, CONTENT_TYPES, PAGE
from servers.http.reply import Handler, Reply, Request

from ..runner.progress import Progress, default_folder
from .figures.routes import figure_routes
from .links import INDEX
from .pages import Pages
from .tree import Tree
from .words import ENGLISH, TABLES

__all__ = ["FILES", "INDEX_SCRIPT", "course_routes"]

HERE = Path(__file__).parent

HEADERS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Cache-Control", "no-cache"),
    ("Referrer-Policy", "no-referrer"),
)

FILES = {
    path.relative_to(HERE).as_posix(): path
    for path in sorted([*HERE.glob("*.css"), *HERE.glob("*.js"), *HERE.glob("figures/*.[cj]s*")])
} | {"icon.svg": PAGE / "icon.svg"}
"""The files that the pages load, by name."""

PORT = re.compile(r"(\blocalhost[ :])(80\d\d)\b")
"""A port of this machine, in a command of a lesson."""

INDEX_SCRIPT = "search-index.js"
"""The name of the search's index, beside the contents of each language."""


def course_routes(
    tree: Tree | None = None,
    progress: Path | None = None,
    ports: Callable[[], Mapping[int, int]] = dict,
) -> dict[str, Handler]:
    """Return the routes of the course.

    Args:
        tree: The files that have pages. By default these are this project's files.
        progress: The file with the learner's progress. By default this is the file that `workshop
            check` writes.
        ports: A function that returns the present port of each server, by its default port. The
            commands of the lessons name these ports.
    """
    all_pages: dict[str, Pages] = {}
    one_at_a_time = trio.CapacityLimiter(1)
    progress = progress or default_folder() / "progress.json"

    def pages(language: str) -> Pages:
        if language not in all_pages:
            all_pages[language] = Pages(tree or Tree(), live=True, language=language)
        all_pages[language].refresh(_passed(progress))
        return all_pages[language]

    def write(language: str, path: str) -> str | None:
        if path == INDEX_SCRIPT:
            return pages(language).search_index()
        return pages(language).page(path[: -len(".html")])

    def here(text: str) -> str:
        return PORT.sub(lambda match: f"{match[1]}{ports().get(int(match[2]), match[2])}", text)

    def missing(language: str, path: str) -> str:
        return pages(language).missing(path)

    async def course(request: Request) -> Reply:
        asked = request.params.get("path", "")
        language, path = _language(asked)
        path = path or f"{INDEX}.html"
        if asked in FILES:
            file = FILES[asked]
            return Reply(file.read_bytes(), 200, CONTENT_TYPES[file.suffix], HEADERS)
        suffix = PurePosixPath(path).suffix
        text = None
        if suffix == ".html" or path == INDEX_SCRIPT:
            text = await trio.to_thread.run_sync(write, language, path, limiter=one_at_a_time)
        elif await trio.to_thread.run_sync(write, language, f"{path}.html", limiter=one_at_a_time):
            # This is the name of a file without .html, as a reader may type it.
            return moved(f"/course/{quote(asked)}.html")
        if text is not None:
            text = here(text) if path.endswith(".md.html") else text
            return Reply(text, 200, CONTENT_TYPES[suffix], HEADERS)
        if "text/html" not in (request.header("accept") or ""):
            return Reply("404 Not Found\n\nThe course has no such page: see /course/\n", 404)
        html = await trio.to_thread.run_sync(missing, language, path, limiter=one_at_a_time)
        return Reply(html, 404, CONTENT_TYPES[".html"], HEADERS)

    def moved(target: str) -> Reply:
        return Reply(f"It is at {target}\n", 308, headers=(("Location", target),))

    async def slash(request: Request) -> Reply:
        return moved("/course/")

    table: dict[str, Handler] = {
        "GET /course": slash,
        "GET /course/": course,
        "GET /course/{path}": course,
    }
    return table | figure_routes()


def _language(path: str) -> tuple[str, str]:
    """Split the language from a path: `zh-CN/index.html`. Paths without one are in English."""
    first, slash, rest = path.partition("/")
    return (first, rest) if slash and first in TABLES and first != ENGLISH else (ENGLISH, path)


def _passed(progress: Path) -> set[int]:
    """Return the numbers of the lessons whose exercise was passed. A file that cannot be read has
    none."""
    try:
        return msgspec.json.decode(progress.read_bytes(), type=Progress).passed
    except (OSError, msgspec.DecodeError):
        return set()
