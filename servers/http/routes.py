"""A table of routes: it finds the handler that answers a request.

    Routes({
        "GET /": home,
        "GET /chat/{text}": chat,           {text}: the rest of the path, percent-decoded
        "POST /v1/chat/completions": completions,
    })

A HEAD request is answered on every path that has a GET. OPTIONS is answered everywhere: by the
handler of the table if it has one, otherwise by `Routes`. An unknown path gets a 404; a known path
with another method gets a 405 that lists its methods (RFC 9110 §15.5.6).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

from .metrics import Metrics
from .reply import Handler, Reply, Request

__all__ = ["Refuse", "Routes", "plain_refusal", "printable_route"]

Refuse = Callable[[str, int, str], Reply]
"""A function that makes the reply to a request that reached no handler (404, 405, 408, 413, …). The
arguments are the path ("" if none was read), the status and the reason."""


def plain_refusal(path: str, status: int, message: str) -> Reply:
    """Return a refusal as plain text."""
    return Reply(f"{status} {HTTPStatus(status).phrase}\n\n{message.rstrip()}\n", status)


class Routes:
    """A table from routes, "METHOD /path" or "METHOD /path/{name}", to handlers.

    Args:
        table: The handlers by route. `{name}` may stand only at the end of a path; it matches one
            character or more.
        tasks: Async functions that run as long as the server runs, such as the handlers' engine.
        refuse: The function that makes the reply if no handler does.
        metrics: The handlers' numbers, if they count. The workers of a server share them.
    """

    def __init__(
        self,
        table: Mapping[str, Handler],
        tasks: Sequence[Callable[[], Awaitable[None]]] = (),
        refuse: Refuse = plain_refusal,
        metrics: Metrics | None = None,
    ) -> None:
        self.tasks = tasks
        self.refuse = refuse
        self.metrics = metrics
        self._exact: dict[str, dict[str, Handler]] = {}
        self._prefix: dict[str, tuple[str, dict[str, Handler]]] = {}
        for key, handler in table.items():
            method, pattern = key.split(" ")
            path, brace, rest = pattern.partition("{")
            if brace:
                methods = self._prefix.setdefault(path, (rest.removesuffix("}"), {}))[1]
            else:
                methods = self._exact.setdefault(path, {})
            methods[method] = handler
        # The longest matching prefix wins, so that /v1/{rest} does not hide /v1/models/{id}.
        self._prefixes = sorted(self._prefix, key=len, reverse=True)

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        """Return the handler of a request, or the reply if it has none, and the request's
        params."""
        methods, params = self._methods(path)
        if methods is None and path != "*":
            return self.refuse(path, 404, f"There is nothing at {path}"), {}
        handler = (methods or {}).get("GET" if method == "HEAD" else method)
        if handler is not None:
            return handler, params
        allowed = ", ".join(self._allowed(methods))
        if method == "OPTIONS":
            return Reply(status=204, headers=(("Allow", allowed),)), params
        refusal = self.refuse(path, 405, f"{path} answers {allowed}, not {method}")
        refusal.headers += (("Allow", allowed),)
        return refusal, params

    def _methods(self, path: str) -> tuple[dict[str, Handler] | None, dict[str, str]]:
        if path in self._exact:
            return self._exact[path], {}
        for prefix in self._prefixes:
            if path.startswith(prefix) and len(path) > len(prefix):
                name, methods = self._prefix[prefix]
                return methods, {name: path[len(prefix) :]}
        return None, {}

    def _allowed(self, methods: dict[str, Handler] | None) -> list[str]:
        if methods is None:  # OPTIONS * asks about the server as a whole
            tables = [*self._exact.values(), *(table for _, table in self._prefix.values())]
            methods = {method: handler for table in tables for method, handler in table.items()}
        return sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))


def printable_route(request: Request) -> str:
    """Return the route of a request for the log, without any character that ends the line or
    controls a terminal.

    The value of a `{name}` must not be logged: it may be a prompt, or the secret id of a recording.
    """
    path = request.path
    for name, value in request.params.items():  # a param is at the end of the path
        path = f"{path.removesuffix(value)}{{{name}}}"
    if path.isprintable():
        return path
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in path)
