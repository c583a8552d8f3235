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
from urllib.parse import unquote_to_bytes, urlsplit

from h11 import RemoteProtocolError

from .reply import Handler, Reply

__all__ = ["Routes", "decode_path"]


class Routes:
    """A table of "METHOD /path" and "METHOD /path/{name}" to handlers.

    Args:
        table: `{name}` may stand at the end of a path only, for one character or more.
        tasks: what the handlers need running beside them, such as an engine.
    """

    def __init__(
        self, table: Mapping[str, Handler], tasks: Sequence[Callable[[], Awaitable[None]]] = ()
    ) -> None:
        self.tasks = tasks
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
            return Reply(f"404 Not Found\n\nThere is nothing at {path}\n", 404), {}
        allowed = ", ".join(self._allowed(methods))
        handler = (methods or {}).get("GET" if method == "HEAD" else method)
        if handler is None and method == "OPTIONS":
            return Reply(status=204, headers=(("Allow", allowed),)), params
        if handler is None:
            text = f"405 Method Not Allowed\n\n{path} answers {allowed}, not {method}\n"
            return Reply(text, 405, headers=(("Allow", allowed),)), params
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


def decode_path(target: str) -> tuple[str, str]:
    """A request-target's path, percent-decoded, and its raw query (RFC 9112 §3.2).

    Args:
        target: "/path?query"; "http://host/path", as sent to proxies, which every server must
            take too (§3.2.2); or "*".

    Raises:
        h11.RemoteProtocolError: neither of them, or the decoded path is not UTF-8.
    """
    if target.lower().startswith(("http://", "https://")):
        try:
            url = urlsplit(target, allow_fragments=False)
        except ValueError as error:  # b"GET http://[ HTTP/1.1"
            raise RemoteProtocolError(f"not a URL: {target[:80]!r}") from error
        target = (url.path or "/") + ("?" + url.query if url.query else "")
    if not target.startswith("/") and target != "*":
        raise RemoteProtocolError(f"not a request-target for this server: {target[:80]!r}")
    raw_path, _, query = target.partition("?")
    try:
        return unquote_to_bytes(raw_path).decode(), query
    except UnicodeDecodeError as error:
        message = f"the path is not UTF-8 once percent-decoded: {raw_path[:80]!r}"
        raise RemoteProtocolError(message) from error
