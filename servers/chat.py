"""8000: home, the chat page, and the simulated LLM.

    GET  /                       a greeting in chunks; to a browser, the chat page
    GET  /chat/{text}            an answer as an event stream (llm/named_events.py)
    POST /v1/chat/completions    the OpenAI API (llm/api.py), streaming and not
    POST /v1/responses           its newer form
    GET  /v1/models, /v1/models/{id}
    GET  /faults                 the list of faults that a request can ask for
    GET  /verdict, /verdict/{client}   what clients did with the faults (llm/verdict/)
    GET  /wire/{id}              the recorded bytes of an answer whose request had X-Wire: 1
    GET  /metrics, /health

    $ curl -N http://localhost:8000/chat/你好
    event: thinking
    id: 0-1
    retry: 1000
    data: {"text":"The"}
    …
    event: done
    id: 0-end
    data: {"finish_reason":"stop"}
"""

import argparse
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from .http.access import Access
from .http.api_replies import identified, json_reply, refuse
from .http.command import arguments, run
from .http.compressed import compressed
from .http.metrics import Metrics
from .http.recordings import RecordingStore
from .http.reply import Handler, Last, Reply, Request, StreamingReply
from .http.routes import Routes
from .http.workers import add_flag as add_workers_flag
from .llm import flags
from .llm.api import API, Settings
from .llm.engine import Engine
from .llm.faults import listing
from .llm.model.models import Model
from .llm.model.tokens import tokenize
from .llm.pace import Pace
from .llm.teaching import taught_faults
from .llm.verdict.routes import verdict_routes
from .llm.verdict.watching import Watcher
from .llm.writers import named_events

__all__ = ["from_flags", "main", "routes"]

GREETING = """\
Hello! 你好！ 👋

Each word of this text left the server the moment it was made, in a chunk of its own.
See the chunks:    curl -N --raw http://localhost:8000/
Ask the model:     curl -N http://localhost:8000/chat/你好
"""

PAGE = Path(__file__).parent / "page"
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# The page may load its own files, and connect to its own server and to the OpenAI proxy, but
# nothing else. So the text of a model can never run as a script.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self' http://localhost:8005; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS = (
    ("Vary", "Accept"),  # "/" gives a browser the page, and any other program a text
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("Cache-Control", "no-cache"),
    ("Referrer-Policy", "no-referrer"),
)


def routes(
    pace: Pace,
    engine: Engine | None = None,
    model: Model | None = None,
    settings: Settings | None = None,
    access: Access | None = None,
    pages: Mapping[str, Handler] = {},
    watcher: Watcher | None = None,
) -> Routes:
    """Return all routes of this server.

    Args:
        pace: The speed of the model.
        engine: The engine that makes the tokens. The default one makes up to 4,096 answers at a
            time.
        model: The model that makes the text of answers.
        settings: Options of the OpenAI API.
        access: The rules for access to the API. By default any program may use it, but pages of
            other origins may not.
        pages: Further routes, such as those of the course. If `POST /xray` is one of them, the page
            shows its verdict on each answer. If `GET /course/` is, it has a link to the course.
        watcher: Watches what clients do with faults, for `GET /verdict`.
    """
    engine = engine or Engine()
    watcher = watcher or Watcher()
    api = API(pace, engine, model or Model(), settings or Settings(), watcher)
    access = access or Access()
    has_course = "GET /course/" in pages
    judge = "/xray" if "POST /xray" in pages else ""
    recordings = RecordingStore(access.admits, judge=judge)
    found = [path for path in PAGE.rglob("*") if path.suffix in CONTENT_TYPES]
    files = {path.relative_to(PAGE).as_posix(): path for path in found}

    def page_file(name: str, request: Request) -> Reply:
        path = files[name]
        body = path.read_bytes()
        if has_course and name == "index.html":
            body = body.replace(b"<html", b"<html data-course", 1)
        reply = Reply(body, 200, CONTENT_TYPES[path.suffix], PAGE_HEADERS)
        return compressed(reply, request)

    async def home(request: Request) -> Reply | StreamingReply:
        if "text/html" in (request.header("accept") or ""):
            return page_file("index.html", request)

        async def words() -> AsyncGenerator[bytes | Last, None]:
            clock = pace.start()
            for word in tokenize(GREETING):
                await clock.next_token()
                yield word.encode()

        return StreamingReply(words(), headers=(("Vary", "Accept"),))

    async def page(request: Request) -> Reply:
        if request.params["name"] not in files:
            return Reply("404 Not Found\n\nThe page has no such file.\n", 404)
        return page_file(request.params["name"], request)

    async def faults(request: Request) -> Reply:
        if "application/json" in (request.header("accept") or ""):
            return compressed(json_reply(taught_faults(), headers=(("Vary", "Accept"),)), request)
        return Reply(listing(), headers=(("Vary", "Accept"),))

    async def metrics(request: Request) -> Reply:
        return Reply(engine.metrics.render(), content_type=Metrics.CONTENT_TYPE)

    async def health(request: Request) -> Reply:
        return json_reply(engine.metrics.health())

    table: dict[str, Handler] = {
        "GET /": recordings.recorded(home),
        "GET /page/{name}": page,
        "GET /faults": faults,
        "GET /metrics": metrics,
        "GET /health": health,
        **pages,
    }
    named = access.guard({named_events.ROUTE: named_events.handler(api)})
    for key, handler in named.items():
        table[key] = watcher.watched(recordings.recorded(handler))
    guarded = access.guard(api.table | {"GET /wire/{id}": recordings.replay})
    for key, handler in guarded.items():
        table[key] = identified(handler)
        if key.startswith("POST"):
            table[key] = watcher.watched(recordings.recorded(table[key]))
    table |= access.guard(verdict_routes(watcher))
    tasks = [engine.run, recordings.run]
    return Routes(table, tasks, refuse, engine.metrics)


def from_flags(options: argparse.Namespace, pages: Mapping[str, Handler] = {}) -> Routes:
    """Return the routes: those that the flags configure, and those of the given pages.

    Raises:
        OSError, ValueError: A file that a flag names cannot be used.
    """
    return routes(
        flags.pace_of(options),
        flags.engine_of(options),
        flags.model_of(options),
        flags.settings_of(options),
        flags.access_of(options),
        pages,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run this server as a program."""
    parser = arguments("servers.chat", "The chat page and the simulated LLM.", 8000)
    flags.add_flags(parser)
    add_workers_flag(parser)
    options = parser.parse_args(argv)
    try:
        served = from_flags(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return run(options, "servers.chat", served, flags.limits_of(options))


if __name__ == "__main__":
    sys.exit(main())
