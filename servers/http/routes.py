"""Which handler answers which request.

    Routes({
        "GET /": home,
        "GET /chat/{text}": chat,           {text}: the rest of the path, percent-decoded
        "POST /v1/chat/completions": completions,
    })

HEAD is answered wherever GET is, OPTIONS everywhere, by the table's own handler if it has one; an
unknown path is a 404, a known one with another method a 405 that says which methods there are
(RFC 9110 §15.5.6).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

from .reply import Handler, Reply

__all__ = ["Refuse", "Routes", "as_text"]

Refuse = Callable[[str, int, str], Reply]
"""How an application writes a refusal that is not its own, such as 404, 408 or 413: it is given the
path ("" where none was read), the status and the reason."""


def as_text(path: str, status: int, message: str) -> Reply:
    """A refusal for people."""
    return Reply(f"{status} {HTTPStatus(status).phrase}\n\n{message.rstrip()}\n", status)


class Routes:
    """A table of "METHOD /path" and "METHOD /path/{name}" to handlers.

    Args:
        table: `{name}` may stand at the end of a path only, for one character or more.
        tasks: what the handlers need running beside them, such as an engine.
        refuse: writes the refusals that no handler writes.
    """

    def __init__(
        self,
        table: Mapping[str, Handler],
        tasks: Sequence[Callable[[], Awaitable[None]]] = (),
        refuse: Refuse = as_text,
    ) -> None:
        self.tasks = tasks
        self.refuse = refuse
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

    def find(self, method: str, path: str) -> tuple[Handler | Reply, dict[str, str]]:
        """The handler for a request, or the reply that says why there is none, and its params."""
        methods, params = self._methods(path)
        if methods is None and path != "*":
            return self.refuse(path, 404, f"There is nothing at {path}"), {}
        allowed = ", ".join(self._allowed(methods))
        handler = (methods or {}).get("GET" if method == "HEAD" else method)
        if handler is None and method == "OPTIONS":
            return Reply(status=204, headers=(("Allow", allowed),)), params
        if handler is None:
            refusal = self.refuse(path, 405, f"{path} answers {allowed}, not {method}")
            refusal.headers += (("Allow", allowed),)
            return refusal, params
        return handler, params

    def _methods(self, path: str) -> tuple[dict[str, Handler] | None, dict[str, str]]:
        if path in self._exact:
            return self._exact[path], {}
        # The longest prefix that fits, so that /v1/models/{id} is not hidden by /v1/{rest}.
        for prefix in sorted(self._prefix, key=len, reverse=True):
            if path.startswith(prefix) and len(path) > len(prefix):
                name, methods = self._prefix[prefix]
                return methods, {name: path[len(prefix) :]}
        return None, {}

    def _allowed(self, methods: dict[str, Handler] | None) -> list[str]:
        if methods is None:  # OPTIONS *: the server as a whole
            tables = [*self._exact.values(), *(table for _, table in self._prefix.values())]
            methods = {method: handler for table in tables for method, handler in table.items()}
        return sorted({*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
