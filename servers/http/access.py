"""Access to an API: clients with a key, and pages of other origins (CORS).

    OPTIONS /v1/chat/completions HTTP/1.1        first a browser asks, without the key: a preflight
    Origin: https://app.example
    Access-Control-Request-Method: POST
    Access-Control-Request-Headers: authorization,content-type

    POST /v1/chat/completions HTTP/1.1           if that is allowed, it sends the page's request
    Origin: https://app.example
    Authorization: Bearer sk-…

    HTTP/1.1 200 OK                              and this field lets the page read the response
    Access-Control-Allow-Origin: https://app.example

The rules this file keeps:

1. Only a key's digest is kept, so that no message, log line or repr can contain the key.
2. The time that a refusal takes reveals nothing about the keys.
3. A preflight needs no key, because browsers never send one with it.
4. Every reply of a guarded route has the CORS fields, including errors and the heads of streams.
   Without these fields a page learns only that "the network failed".
5. `Access-Control-Allow-Credentials` is never sent, because a page sends its key, not its user's
   cookies.
6. CORS does not protect a server if the request itself does harm, such as spending money:

   - CSRF: for any page, a browser sends a simple POST, or the GET of an image. The browser only
     hides the reply from the page.
   - DNS rebinding: an attacker's name is rebound to 127.0.0.1. The browser treats this server as
     the same origin as the attacker's page.

   Such a server needs a list of `hosts`. Then the server accepts only those names in Host, and
   serves only the pages of `origins` (by Origin and Sec-Fetch-Site).
"""

import hmac
import logging
import os
import re
import stat
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from protocol.openai.common import ErrorBody

from .api_replies import error_reply
from .reply import Handler, Headers, Reply, Request, StreamingReply

__all__ = ["Access", "key_of_environment", "read_keys"]

log = logging.getLogger("servers")

KEY = re.compile(r"[\x21-\x7e]+")

# credentials = "Bearer" 1*SP b64token (RFC 6750 §2.1; a scheme in any case, RFC 9110 §11.1)
CREDENTIALS = re.compile(r"bearer +([\x21-\x7e]+)", re.IGNORECASE)

# As a browser writes it (HTML, "ASCII serialization of an origin"): lower case, an IDN as Punycode,
# no default port. "null" is the origin of files, and of the sandboxed frames of any site.
ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?")
DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")

# The values of Sec-Fetch-Site for a request from the server's own page, and for a URL that a person
# has typed (Fetch Metadata, §2.2). The other values are "cross-site" and "same-site". The latter
# may be any page on another port of localhost. curl and the SDKs do not send this field.
OWN_PAGE_OR_TYPED = ("same-origin", "none")

# Request fields that a page may send, beyond those that CORS always allows. A wildcard would not
# cover `Authorization`. The SDKs for JavaScript add many x-stainless-… fields.
ALLOWED_FIELDS = (
    "authorization",
    "content-type",
    "user-agent",  # Firefox sends the value that an SDK sets
    "openai-organization",
    "openai-project",
    "x-client",
    "x-client-request-id",
    "x-fault",
    "x-pace",
)
SDK_FIELD = re.compile(r"x-stainless-[a-z0-9-]{1,64}")
MAX_SDK_FIELDS = 32

# Response fields that a page may read, beyond those that CORS always allows.
EXPOSED_FIELDS = (
    "x-request-id, retry-after, retry-after-ms, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)

PREFLIGHT_SECONDS = 600  # a browser repeats its preflight after this time


class Access:
    """Guards the routes of an API.

    Args:
        keys: The accepted keys. Each key gives access to every route. Without any keys, access is
            free.
        origins: The origins whose pages may send requests, each as `https://host` or
            `http://host:port`. "*" means all pages, and "null" means files and sandboxed frames.
            Without any origins, no CORS field is sent.
        hosts: The host names that requests may use, as protocol/target.py normalizes them. Without
            any hosts, any name may be used. With hosts, pages of other origins are refused (rule
            6).

    Raises:
        ValueError: An entry of `origins` is not an origin.
    """

    def __init__(
        self, keys: Sequence[str] = (), origins: Sequence[str] = (), hosts: Sequence[str] = ()
    ) -> None:
        for origin in origins:
            if not ORIGIN.fullmatch(origin) or DEFAULT_PORT.fullmatch(origin):
                raise ValueError(
                    f"not an origin: {origin!r}. Write it as browsers do: https://app.example or "
                    "http://localhost:3000, in lower case, no path, no slash at the end, no "
                    "default port; or * for every page"
                )
        self._digests = [_digest(key) for key in keys]
        self._origins = frozenset(origins)
        self._hosts = frozenset(hosts)

    def guard(self, table: Mapping[str, Handler]) -> dict[str, Handler]:
        """Guard the routes of a table.

        Args:
            table: Handlers by route, as for `Routes`.

        Returns:
            The same routes, guarded. If there are origins, each path also answers preflights.
        """
        guarded = {key: self._guarded(handler) for key, handler in table.items()}
        methods: dict[str, list[str]] = {}
        for key in table if self._origins else ():
            method, path = key.split(" ")
            methods.setdefault(path, []).append(method)
        return guarded | {f"OPTIONS {path}": self._preflight(methods[path]) for path in methods}

    def _guarded(self, handler: Handler) -> Handler:
        if not (self._digests or self._origins or self._hosts):
            return handler  # there is nothing to check, and no field to add

        async def guarded(request: Request) -> Reply | StreamingReply:
            reply = self._refusal(request) or await handler(request)
            if not self._origins:
                return reply
            # A copy, because a handler may return the same reply to every request.
            reply = reply.copied()
            exposed = (("Access-Control-Expose-Headers", EXPOSED_FIELDS),)
            reply.headers += self._allowed_origin(request, exposed)
            return reply

        return guarded

    def _refusal(self, request: Request) -> Reply | None:
        if self._hosts:
            if request.host not in self._hosts:
                message = f"This server is not called {request.host[:80]!r}."
                return _forbidden("host_not_allowed", message)
            origin = request.header("origin")
            if not self._origins & {origin, "*"}:
                if origin is not None:
                    message = f"Pages of {origin[:80]!r} may not use this server: see --cors."
                    return _forbidden("origin_not_allowed", message)
                # The request may be for an image or a script in any page. A browser sends a GET
                # without CORS without an Origin field, but Sec-Fetch-Site says whether the page has
                # another origin.
                if request.header("sec-fetch-site") not in (None, *OWN_PAGE_OR_TYPED):
                    message = "Pages may not embed this server: they may only fetch(), see --cors."
                    return _forbidden("origin_not_allowed", message)
        return None if self.admits(request) else _unauthorized(request)

    def admits(self, request: Request) -> bool:
        """Whether the request has one of the keys, or needs none."""
        if not self._digests:
            return True
        sent = [value for name, value in request.headers if name == "authorization"]
        credentials = CREDENTIALS.fullmatch(sent[0]) if len(sent) == 1 else None
        if credentials is None:
            return False
        given = _digest(credentials[1])
        admitted = False
        for digest in self._digests:  # all are compared, so that the time is the same for each
            admitted |= hmac.compare_digest(digest, given)
        return admitted

    def _preflight(self, methods: Sequence[str]) -> Handler:
        allowed = ", ".join(methods)

        async def preflight(request: Request) -> Reply:
            asked = request.header("access-control-request-headers") or ""
            names = [name.strip() for name in asked.lower().split(",")]
            by_sdk = [name for name in names if SDK_FIELD.fullmatch(name)][:MAX_SDK_FIELDS]
            permission = (
                ("Access-Control-Allow-Methods", allowed),
                ("Access-Control-Allow-Headers", ", ".join([*ALLOWED_FIELDS, *by_sdk])),
                ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
            )
            return Reply(status=204, headers=self._allowed_origin(request, permission))

        return preflight

    def _allowed_origin(self, request: Request, permission: Headers) -> Headers:
        """The CORS fields of a reply: the origin that may read it.

        Source: Fetch standard, "HTTP responses" of the CORS protocol.

        Args:
            permission: Fields to add if the page that sent this request may read the reply.
        """
        if "*" in self._origins:
            return (("Access-Control-Allow-Origin", "*"), *permission)
        # Vary is sent even if this page is refused. Without Vary, a cache would give one page the
        # reply to another.
        vary = ("Vary", "Origin")
        origin = request.header("origin")
        if origin not in self._origins:
            return (vary,)
        return (vary, ("Access-Control-Allow-Origin", origin), *permission)


def read_keys(path: str | Path) -> list[str]:
    """Read the keys in a file: one per line, without empty lines and lines that begin with "#".

    A file that every user of the machine may read is accepted, because the secrets of a container
    are mounted like that. The log warns about it.

    Raises:
        ValueError: The file has no key, or a line is not a key.
        OSError: The file cannot be read.
    """
    path = Path(path)
    # Bytes that are not UTF-8 become U+FFFD, which no key may contain. The error of a strict
    # decoder would show the bytes.
    lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    keys = []
    for number, line in enumerate(lines, 1):
        key = line.strip()
        if not key or key.startswith("#"):
            continue
        if not KEY.fullmatch(key):
            raise ValueError(
                f"line {number} of {path} is not a key: letters, digits and signs of ASCII, "
                "without a space; a comment has a line of its own"
            )
        keys.append(key)
    if not keys:
        raise ValueError(f"there is no key in {path}: write one to a line")
    if os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        log.warning("every user of this machine can read the keys: chmod o-r %s", path)
    return keys


def key_of_environment(name: str = "OPENAI_API_KEY") -> str:
    """The key in an environment variable, or "".

    Raises:
        ValueError: Its value cannot be a key. The error does not show the value, because it may be
            a key with a typing error.
    """
    key = os.environ.get(name, "").strip()
    if key and not KEY.fullmatch(key):
        raise ValueError(f"{name} is not a key: letters, digits and signs of ASCII, no space")
    return key


def _digest(key: str) -> bytes:
    # All digests have the same length, so comparing any two takes the same time.
    return sha256(key.encode()).digest()


def _forbidden(code: str, message: str) -> Reply:
    return error_reply(403, ErrorBody(message, "invalid_request_error", None, code))


def _unauthorized(request: Request) -> Reply:
    if request.header("authorization") is None:
        message = "This server asks for a key. Send the header: Authorization: Bearer KEY"
    else:
        message = "The key in the Authorization header is not one of this server's."
    error = ErrorBody(message, "invalid_request_error", None, "invalid_api_key")
    # "Bearer" alone is not a challenge: an auth-param must follow (RFC 6750 §3).
    challenge = ("WWW-Authenticate", 'Bearer realm="api"')
    return error_reply(401, error, (challenge,))


# What this file does not do: add CORS fields to replies that the connection itself makes (404, 405,
# 413, 500), or recognise pages without Sec-Fetch-Site. Browsers send that field only over https and
# to this machine, so a server that is reached over plain http by another name needs a key.
